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
  same(t, cpu.HPFAR_EL2, { FIPA: [43, 4], NS: [63, 63] });
  same(t, cpu.SPSR_EL2, { M: [4, 0], F: [6, 6], I: [7, 7], A: [8, 8], D: [9, 9] });
  t.same(cpu.EXCEPTION_CLASS, { hvc64: 0x16, instructionAbort: 0x20, dataAbort: 0x24 });
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
