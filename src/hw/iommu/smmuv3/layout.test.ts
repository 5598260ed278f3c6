/**
 * The numbers of SMMUv3, written by hand from Arm IHI 0070 G.b, as places inside 64-bit doublewords, so that device and
 * driver cannot share a wrong one unnoticed. Cross-checked with the definitions of Linux (arm-smmu-v3.h).
 */
import t, { type Test } from 'tap';
import type { Field, Layout } from '../../bits.js';
import * as L from './layout.js';

/** `[doubleword, most significant bit, least significant bit]` inside the doubleword. */
type Place = readonly [number, number, number];

function placeOf(field: Field): Place {
  const lsb = field.word * 32 + field.shift;
  return [lsb >> 6, (lsb & 63) + field.width - 1, lsb & 63];
}

function check(t: Test, form: Layout<string>, places: Readonly<Record<string, Place>>): void {
  for (const [name, place] of Object.entries(places)) t.same(placeOf(form[name] as Field), place, name);
  t.same(Object.keys(form).sort(), Object.keys(places).sort(), 'these fields and no other');
}

t.test('a level 1 stream table descriptor is that of 5.1', async (t) => {
  check(t, L.L1STD, { SPAN: [0, 4, 0], L2PTR: [0, 51, 6] });
  t.equal(L.L1STD_BYTES, 8);
  t.equal(L.L1STD_SPAN_MAX, 11);
});

t.test('a stream table entry is that of 5.2', async (t) => {
  t.equal(L.STE_BYTES, 64);
  check(t, L.STE, {
    V: [0, 0, 0],
    CONFIG: [0, 3, 1],
    S1FMT: [0, 5, 4],
    S1CONTEXTPTR: [0, 51, 6],
    S1CDMAX: [0, 63, 59],
    S1DSS: [1, 1, 0],
    S1CIR: [1, 3, 2],
    S1COR: [1, 5, 4],
    S1CSH: [1, 7, 6],
    S2HWU59: [1, 8, 8],
    S2HWU60: [1, 9, 9],
    S2HWU61: [1, 10, 10],
    S2HWU62: [1, 11, 11],
    DRE: [1, 12, 12],
    CONT: [1, 16, 13],
    DCP: [1, 17, 17],
    PPAR: [1, 18, 18],
    MEV: [1, 19, 19],
    S2FWB: [1, 25, 25],
    S1STALLD: [1, 27, 27],
    EATS: [1, 29, 28],
    STRW: [1, 31, 30],
    MEMATTR: [1, 35, 32],
    MTCFG: [1, 36, 36],
    ALLOCCFG: [1, 40, 37],
    SHCFG: [1, 45, 44],
    NSCFG: [1, 47, 46],
    PRIVCFG: [1, 49, 48],
    INSTCFG: [1, 51, 50],
    S2VMID: [2, 15, 0],
    S2T0SZ: [2, 37, 32],
    S2SL0: [2, 39, 38],
    S2IR0: [2, 41, 40],
    S2OR0: [2, 43, 42],
    S2SH0: [2, 45, 44],
    S2TG: [2, 47, 46],
    S2PS: [2, 50, 48],
    S2AA64: [2, 51, 51],
    S2ENDI: [2, 52, 52],
    S2AFFD: [2, 53, 53],
    S2PTW: [2, 54, 54],
    S2HD: [2, 55, 55],
    S2HA: [2, 56, 56],
    S2S: [2, 57, 57],
    S2R: [2, 58, 58],
    S2SL0_2: [3, 2, 2],
    S2DS: [3, 3, 3],
    S2TTB: [3, 51, 4],
  });
  t.same(L.STE_CONFIG, { ABORT: 0, BYPASS: 4, S1: 5, S2: 6, S1_S2: 7 });
  t.same(L.S1DSS, { TERMINATE: 0, BYPASS: 1, SUBSTREAM0: 2 });
  t.same(L.EATS, { DISABLED: 0, FULL: 1, SPLIT_STAGE: 2, DPT: 3 });
});

t.test('a level 1 context descriptor is that of 5.3', async (t) => {
  check(t, L.L1CD, { V: [0, 0, 0], L2PTR: [0, 51, 12] });
  t.equal(L.L1CD_BYTES, 8);
});

t.test('a context descriptor is that of 5.4', async (t) => {
  t.equal(L.CD_BYTES, 64);
  check(t, L.CD, {
    T0SZ: [0, 5, 0],
    TG0: [0, 7, 6],
    IR0: [0, 9, 8],
    OR0: [0, 11, 10],
    SH0: [0, 13, 12],
    EPD0: [0, 14, 14],
    ENDI: [0, 15, 15],
    T1SZ: [0, 21, 16],
    TG1: [0, 23, 22],
    IR1: [0, 25, 24],
    OR1: [0, 27, 26],
    SH1: [0, 29, 28],
    EPD1: [0, 30, 30],
    V: [0, 31, 31],
    IPS: [0, 34, 32],
    AFFD: [0, 35, 35],
    WXN: [0, 36, 36],
    UWXN: [0, 37, 37],
    TBI0: [0, 38, 38],
    TBI1: [0, 39, 39],
    PAN: [0, 40, 40],
    AA64: [0, 41, 41],
    HD: [0, 42, 42],
    HA: [0, 43, 43],
    S: [0, 44, 44],
    R: [0, 45, 45],
    A: [0, 46, 46],
    ASET: [0, 47, 47],
    ASID: [0, 63, 48],
    NSCFG0: [1, 0, 0],
    HAD0: [1, 1, 1],
    E0PD0: [1, 2, 2],
    TTB0: [1, 51, 4],
    EPAN: [1, 59, 59],
    NSCFG1: [2, 0, 0],
    HAD1: [2, 1, 1],
    E0PD1: [2, 2, 2],
    TTB1: [2, 51, 4],
    MAIR0: [3, 31, 0],
    MAIR1: [3, 63, 32],
    AMAIR0: [4, 31, 0],
    AMAIR1: [4, 63, 32],
  });
});

t.test('commands have the opcodes and operands of chapter 4', async (t) => {
  t.equal(L.COMMAND_BYTES, 16);
  t.same(L.OPCODE, {
    PREFETCH_CONFIG: 0x01,
    PREFETCH_ADDR: 0x02,
    CFGI_STE: 0x03,
    CFGI_STE_RANGE: 0x04,
    CFGI_CD: 0x05,
    CFGI_CD_ALL: 0x06,
    CFGI_VMS_PIDM: 0x07,
    TLBI_NH_ALL: 0x10,
    TLBI_NH_ASID: 0x11,
    TLBI_NH_VA: 0x12,
    TLBI_NH_VAA: 0x13,
    TLBI_EL3_ALL: 0x18,
    TLBI_EL3_VA: 0x1a,
    TLBI_EL2_ALL: 0x20,
    TLBI_EL2_ASID: 0x21,
    TLBI_EL2_VA: 0x22,
    TLBI_EL2_VAA: 0x23,
    TLBI_S12_VMALL: 0x28,
    TLBI_S2_IPA: 0x2a,
    TLBI_NSNH_ALL: 0x30,
    ATC_INV: 0x40,
    PRI_RESP: 0x41,
    RESUME: 0x44,
    STALL_TERM: 0x45,
    SYNC: 0x46,
  });
  check(t, L.CMD, { OPCODE: [0, 7, 0], SSEC: [0, 10, 10], SSV: [0, 11, 11], SSID: [0, 31, 12], SID: [0, 63, 32] });
  check(t, L.CMD_CFGI, { LEAF: [1, 0, 0] });
  check(t, L.CMD_CFGI_RANGE, { RANGE: [1, 4, 0] });
  check(t, L.CMD_TLBI, {
    NUM: [0, 16, 12],
    SCALE: [0, 24, 20],
    VMID: [0, 47, 32],
    ASID: [0, 63, 48],
    LEAF: [1, 0, 0],
    TTL: [1, 9, 8],
    TG: [1, 11, 10],
    ADDR: [1, 63, 12],
  });
  check(t, L.CMD_ATC_INV, { GLOBAL: [0, 9, 9], SIZE: [1, 5, 0], ADDR: [1, 63, 12] });
  check(t, L.CMD_PRI_RESP, { PRG_INDEX: [1, 8, 0], RESP: [1, 13, 12] });
  check(t, L.CMD_RESUME, { AC: [0, 12, 12], AB: [0, 13, 13], STAG: [1, 15, 0] });
  check(t, L.CMD_SYNC, {
    CS: [0, 13, 12],
    MSH: [0, 23, 22],
    MSI_ATTR: [0, 27, 24],
    MSI_DATA: [0, 63, 32],
    MSI_ADDRESS: [1, 51, 2],
  });
});

t.test('registers lie where 6.2 says', async (t) => {
  t.equal(L.REGISTER_BYTES, 128 * 1024);
  t.same(L.REGISTER, {
    IDR0: 0x0,
    IDR1: 0x4,
    IDR2: 0x8,
    IDR3: 0xc,
    IDR4: 0x10,
    IDR5: 0x14,
    IIDR: 0x18,
    AIDR: 0x1c,
    CR0: 0x20,
    CR0ACK: 0x24,
    CR1: 0x28,
    CR2: 0x2c,
    STATUSR: 0x40,
    GBPA: 0x44,
    AGBPA: 0x48,
    IRQ_CTRL: 0x50,
    IRQ_CTRLACK: 0x54,
    GERROR: 0x60,
    GERRORN: 0x64,
    GERROR_IRQ_CFG0: 0x68,
    GERROR_IRQ_CFG1: 0x70,
    GERROR_IRQ_CFG2: 0x74,
    STRTAB_BASE: 0x80,
    STRTAB_BASE_CFG: 0x88,
    CMDQ_BASE: 0x90,
    CMDQ_PROD: 0x98,
    CMDQ_CONS: 0x9c,
    EVENTQ_BASE: 0xa0,
    EVENTQ_IRQ_CFG0: 0xb0,
    EVENTQ_IRQ_CFG1: 0xb8,
    EVENTQ_IRQ_CFG2: 0xbc,
    PRIQ_BASE: 0xc0,
    PRIQ_IRQ_CFG0: 0xd0,
    PRIQ_IRQ_CFG1: 0xd8,
    PRIQ_IRQ_CFG2: 0xdc,
    ID_REGS: 0xfd0,
    EVENTQ_PROD: 0x100a8,
    EVENTQ_CONS: 0x100ac,
    PRIQ_PROD: 0x100c8,
    PRIQ_CONS: 0x100cc,
  });
});

t.test('registers have the fields of 6.3', async (t) => {
  check(t, L.CR0, {
    SMMUEN: [0, 0, 0],
    PRIQEN: [0, 1, 1],
    EVENTQEN: [0, 2, 2],
    CMDQEN: [0, 3, 3],
    ATSCHK: [0, 4, 4],
    VMW: [0, 8, 6],
  });
  check(t, L.CR2, { E2H: [0, 0, 0], RECINVSID: [0, 1, 1], PTM: [0, 2, 2], REC_CFG_ATS: [0, 3, 3] });
  check(t, L.GBPA, {
    MEMATTR: [0, 3, 0],
    MTCFG: [0, 4, 4],
    ALLOCCFG: [0, 11, 8],
    SHCFG: [0, 13, 12],
    PRIVCFG: [0, 17, 16],
    INSTCFG: [0, 19, 18],
    ABORT: [0, 20, 20],
    UPDATE: [0, 31, 31],
  });
  check(t, L.IRQ_CTRL, { GERROR: [0, 0, 0], PRIQ: [0, 1, 1], EVENTQ: [0, 2, 2] });
  check(t, L.IRQ_CFG0, { ADDR: [0, 51, 2] });
  check(t, L.IRQ_CFG2, { MEMATTR: [0, 3, 0], SH: [0, 5, 4] });
  check(t, L.PRIQ_IRQ_CFG2, { MEMATTR: [0, 3, 0], SH: [0, 5, 4], LO: [0, 31, 31] });
  check(t, L.GERROR, {
    CMDQ_ERR: [0, 0, 0],
    EVENTQ_ABT_ERR: [0, 2, 2],
    PRIQ_ABT_ERR: [0, 3, 3],
    MSI_CMDQ_ABT_ERR: [0, 4, 4],
    MSI_EVENTQ_ABT_ERR: [0, 5, 5],
    MSI_PRIQ_ABT_ERR: [0, 6, 6],
    MSI_GERROR_ABT_ERR: [0, 7, 7],
    SFM_ERR: [0, 8, 8],
  });
  check(t, L.STRTAB_BASE, { ADDR: [0, 51, 6], RA: [0, 62, 62] });
  check(t, L.STRTAB_BASE_CFG, { LOG2SIZE: [0, 5, 0], SPLIT: [0, 10, 6], FMT: [0, 17, 16] });
  check(t, L.QUEUE_BASE, { LOG2SIZE: [0, 4, 0], ADDR: [0, 51, 5], HINT: [0, 62, 62] });
  check(t, L.CMDQ_CONS, { RD: [0, 19, 0], ERR: [0, 30, 24] });
  t.same(L.CERROR, { NONE: 0, ILL: 1, ABT: 2, ATC_INV_SYNC: 3 });
});

t.test('ID registers have the fields of 6.3.1 to 6.3.8', async (t) => {
  check(t, L.IDR0, {
    S2P: [0, 0, 0],
    S1P: [0, 1, 1],
    TTF: [0, 3, 2],
    COHACC: [0, 4, 4],
    BTM: [0, 5, 5],
    HTTU: [0, 7, 6],
    DORMHINT: [0, 8, 8],
    HYP: [0, 9, 9],
    ATS: [0, 10, 10],
    NS1ATS: [0, 11, 11],
    ASID16: [0, 12, 12],
    MSI: [0, 13, 13],
    SEV: [0, 14, 14],
    ATOS: [0, 15, 15],
    PRI: [0, 16, 16],
    VMW: [0, 17, 17],
    VMID16: [0, 18, 18],
    CD2L: [0, 19, 19],
    VATOS: [0, 20, 20],
    TTENDIAN: [0, 22, 21],
    ATSRECERR: [0, 23, 23],
    STALL_MODEL: [0, 25, 24],
    TERM_MODEL: [0, 26, 26],
    ST_LEVEL: [0, 28, 27],
  });
  check(t, L.IDR1, {
    SIDSIZE: [0, 5, 0],
    SSIDSIZE: [0, 10, 6],
    PRIQS: [0, 15, 11],
    EVENTQS: [0, 20, 16],
    CMDQS: [0, 25, 21],
    ATTR_PERMS_OVR: [0, 26, 26],
    ATTR_TYPES_OVR: [0, 27, 27],
    REL: [0, 28, 28],
    QUEUES_PRESET: [0, 29, 29],
    TABLES_PRESET: [0, 30, 30],
    ECMDQ: [0, 31, 31],
  });
  check(t, L.IDR5, {
    OAS: [0, 2, 0],
    GRAN4K: [0, 4, 4],
    GRAN16K: [0, 5, 5],
    GRAN64K: [0, 6, 6],
    DS: [0, 7, 7],
    D128: [0, 8, 8],
    VAX: [0, 11, 10],
    STALL_MAX: [0, 31, 16],
  });
  t.same(L.ADDRESS_BITS, [32, 36, 40, 42, 44, 48, 52, 52]);
});

t.test('event records are those of 7.3', async (t) => {
  t.equal(L.EVENT_BYTES, 32);
  t.same(L.EVENT_ID, {
    F_UUT: 0x01,
    C_BAD_STREAMID: 0x02,
    F_STE_FETCH: 0x03,
    C_BAD_STE: 0x04,
    F_BAD_ATS_TREQ: 0x05,
    F_STREAM_DISABLED: 0x06,
    F_TRANSL_FORBIDDEN: 0x07,
    C_BAD_SUBSTREAMID: 0x08,
    F_CD_FETCH: 0x09,
    C_BAD_CD: 0x0a,
    F_WALK_EABT: 0x0b,
    F_TRANSLATION: 0x10,
    F_ADDR_SIZE: 0x11,
    F_ACCESS: 0x12,
    F_PERMISSION: 0x13,
    F_TLB_CONFLICT: 0x20,
    F_CFG_CONFLICT: 0x21,
    E_PAGE_REQUEST: 0x24,
    F_VMS_FETCH: 0x25,
  });
  check(t, L.EVENT, {
    ID: [0, 7, 0],
    SSV: [0, 11, 11],
    SSID: [0, 31, 12],
    SID: [0, 63, 32],
    STAG: [1, 15, 0],
    STALL: [1, 31, 31],
    PNU: [1, 33, 33],
    IND: [1, 34, 34],
    RNW: [1, 35, 35],
    NSIPA: [1, 36, 36],
    S2: [1, 39, 39],
    CLASS: [1, 41, 40],
    TTRNW: [1, 44, 44],
    INPUT_ADDR_LO: [2, 31, 0],
    INPUT_ADDR_HI: [2, 63, 32],
    IPA: [3, 51, 12],
  });
  check(t, L.EVENT_FETCH, { ADDR: [3, 51, 3] });
  t.same(L.EVENT_CLASS, { CD: 0, TT: 1, IN: 2 });
});

t.test('page requests are those of 8.1', async (t) => {
  check(t, L.PAGE_REQUEST, {
    SID: [0, 31, 0],
    SSID: [0, 51, 32],
    PRIV: [0, 58, 58],
    EXEC: [0, 59, 59],
    READ: [0, 60, 60],
    WRITE: [0, 61, 61],
    LAST: [0, 62, 62],
    SSV: [0, 63, 63],
    PRG_INDEX: [1, 8, 0],
    ADDR: [1, 63, 12],
  });
});
