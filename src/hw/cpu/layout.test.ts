/** Bit positions restated by hand from Arm DDI 0487 D24.2. */
import t from 'tap';
import type { Field, Layout } from '../bits.js';
import * as cpu from './layout.js';

/** Most and least significant bit. */
function bits(field: Field): [number, number] {
  const low = field.word * 32 + field.shift;
  return [low + field.width - 1, low];
}

interface Asserts {
  same(found: unknown, wanted: unknown, name: string): boolean;
}

function same(t: Asserts, form: Layout<string>, expected: Record<string, [number, number]>): void {
  for (const [name, position] of Object.entries(expected)) t.same(bits(form[name] as Field), position, name);
}

t.test('stage 2 control registers', async (t) => {
  same(t, cpu.VTCR_EL2, {
    T0SZ: [5, 0],
    SL0: [7, 6],
    IRGN0: [9, 8],
    ORGN0: [11, 10],
    SH0: [13, 12],
    TG0: [15, 14],
    PS: [18, 16],
    VS: [19, 19],
    HA: [21, 21],
    HD: [22, 22],
    NSW: [29, 29],
    NSA: [30, 30],
    DS: [32, 32],
    SL2: [33, 33],
  });
  same(t, cpu.VTTBR_EL2, { CnP: [0, 0], BADDR: [47, 1], VMID: [63, 48] });
  same(t, cpu.VTTBR_EL2_52, { BADDRHigh: [5, 2], BADDR: [47, 6], VMID: [63, 48] });
  same(t, cpu.HCR_EL2, {
    VM: [0, 0],
    SWIO: [1, 1],
    PTW: [2, 2],
    FMO: [3, 3],
    IMO: [4, 4],
    AMO: [5, 5],
    DC: [12, 12],
    TSC: [19, 19],
    TGE: [27, 27],
    HCD: [29, 29],
    RW: [31, 31],
    E2H: [34, 34],
    TEA: [37, 37],
    FWB: [46, 46],
  });
});

t.test('syndrome registers', async (t) => {
  same(t, cpu.ESR_EL2, { EC: [31, 26], IL: [25, 25], ISS: [24, 0] });
  same(t, cpu.ESR_ABORT, {
    EC: [31, 26],
    IL: [25, 25],
    ISV: [24, 24],
    SAS: [23, 22],
    SSE: [21, 21],
    SRT: [20, 16],
    SF: [15, 15],
    AR: [14, 14],
    FnV: [10, 10],
    EA: [9, 9],
    CM: [8, 8],
    S1PTW: [7, 7],
    WnR: [6, 6],
    FSC: [5, 0],
  });
  same(t, cpu.ESR_HVC, { EC: [31, 26], IL: [25, 25], imm16: [15, 0] });
  same(t, cpu.ESR_SYSTEM, {
    EC: [31, 26],
    IL: [25, 25],
    Op0: [21, 20],
    Op2: [19, 17],
    Op1: [16, 14],
    CRn: [13, 10],
    Rt: [9, 5],
    CRm: [4, 1],
    Direction: [0, 0],
  });
  same(t, cpu.HPFAR_EL2, { FIPA: [43, 4], NS: [63, 63] });
  same(t, cpu.SPSR_EL2, { M: [4, 0], F: [6, 6], I: [7, 7], A: [8, 8], D: [9, 9] });
  t.same(cpu.EXCEPTION_CLASS, { hvc64: 0x16, systemRegister: 0x18, instructionAbort: 0x20, dataAbort: 0x24 });
});

t.test('identification registers', async (t) => {
  same(t, cpu.ID_AA64MMFR0_EL1, {
    PARange: [3, 0],
    ASIDBits: [7, 4],
    TGran16: [23, 20],
    TGran64: [27, 24],
    TGran4: [31, 28],
    TGran16_2: [35, 32],
    TGran64_2: [39, 36],
    TGran4_2: [43, 40],
  });
  same(t, cpu.ID_AA64MMFR1_EL1, { HAFDBS: [3, 0], VMIDBits: [7, 4], PAN: [23, 20], XNX: [31, 28] });
  same(t, cpu.ID_AA64MMFR2_EL1, { CnP: [3, 0], ST: [31, 28], FWB: [43, 40] });
  same(t, cpu.MPIDR_EL1, { Aff0: [7, 0], Aff1: [15, 8], Aff2: [23, 16], Aff3: [39, 32] });
});

t.test('encodings of the GIC’s registers (D24.8: S3_0_CRn_CRm_Op2)', async (t) => {
  const text = (name: keyof typeof cpu.ICC_ENCODING) => {
    const { CRn, CRm, Op2 } = cpu.ICC_ENCODING[name];
    return `S${cpu.ICC_OP0}_${cpu.ICC_OP1}_C${CRn}_C${CRm}_${Op2}`;
  };
  t.equal(text('ICC_PMR_EL1'), 'S3_0_C4_C6_0');
  t.equal(text('ICC_IAR0_EL1'), 'S3_0_C12_C8_0');
  t.equal(text('ICC_EOIR0_EL1'), 'S3_0_C12_C8_1');
  t.equal(text('ICC_HPPIR0_EL1'), 'S3_0_C12_C8_2');
  t.equal(text('ICC_BPR0_EL1'), 'S3_0_C12_C8_3');
  t.equal(text('ICC_AP0R0_EL1'), 'S3_0_C12_C8_4');
  t.equal(text('ICC_AP0R3_EL1'), 'S3_0_C12_C8_7');
  t.equal(text('ICC_AP1R0_EL1'), 'S3_0_C12_C9_0');
  t.equal(text('ICC_AP1R3_EL1'), 'S3_0_C12_C9_3');
  t.equal(text('ICC_DIR_EL1'), 'S3_0_C12_C11_1');
  t.equal(text('ICC_RPR_EL1'), 'S3_0_C12_C11_3');
  t.equal(text('ICC_SGI1R_EL1'), 'S3_0_C12_C11_5');
  t.equal(text('ICC_ASGI1R_EL1'), 'S3_0_C12_C11_6');
  t.equal(text('ICC_SGI0R_EL1'), 'S3_0_C12_C11_7');
  t.equal(text('ICC_IAR1_EL1'), 'S3_0_C12_C12_0');
  t.equal(text('ICC_EOIR1_EL1'), 'S3_0_C12_C12_1');
  t.equal(text('ICC_HPPIR1_EL1'), 'S3_0_C12_C12_2');
  t.equal(text('ICC_BPR1_EL1'), 'S3_0_C12_C12_3');
  t.equal(text('ICC_CTLR_EL1'), 'S3_0_C12_C12_4');
  t.equal(text('ICC_SRE_EL1'), 'S3_0_C12_C12_5');
  t.equal(text('ICC_IGRPEN0_EL1'), 'S3_0_C12_C12_6');
  t.equal(text('ICC_IGRPEN1_EL1'), 'S3_0_C12_C12_7');
});
