/** Stage 2 configuration from registers; encodings restated by hand from Arm DDI 0487 D24.2. */
import t from 'tap';
import { decodeStage2, decodeVmid, granuleSupported, type Stage2Registers } from './stage2.js';

/** VTCR_EL2 of its parts: T0SZ 5:0, SL0 7:6, TG0 15:14, PS 18:16. */
const vtcr = (t0sz: number, sl0: number, tg0: number, ps: number) => t0sz | (sl0 << 6) | (tg0 << 14) | (ps << 16);

/** PARange 3:0 and TGran16 23:20 set; TGran4 and TGran64 are supported as 0. */
function registers(paRange: number, control: number, change: Partial<Stage2Registers> = {}): Stage2Registers {
  const pair = (lo: number, hi = 0) => Uint32Array.of(lo, hi);
  return {
    mmfr0: pair(paRange | (1 << 20)),
    mmfr1: pair(0),
    mmfr2: pair(0),
    hcr: pair(1),
    vtcr: pair(control),
    vttbr: pair(0x8000_0000),
    ...change,
  };
}

t.test('the usual settings for each physical address size', async (t) => {
  // Physical bits, PS, T0SZ, SL0: a start at level 1 for 32 to 42 bits, at level 0 from 44.
  const cases = [
    [32, 0, 32, 1, 1],
    [36, 1, 28, 1, 1],
    [40, 2, 24, 1, 1],
    [42, 3, 22, 1, 1],
    [44, 4, 20, 2, 0],
    [48, 5, 16, 2, 0],
  ] as const;
  for (const [bits, ps, t0sz, sl0, level] of cases) {
    const { tables } = decodeStage2(registers(ps, vtcr(t0sz, sl0, 0, ps)));
    t.match(
      tables,
      { granule: 12, inputBits: bits, startLevel: level, outputBits: bits, startFault: 'none' },
      `${bits}`,
    );
  }
});

t.test('PS above the implemented size counts as that size', async (t) => {
  t.equal(decodeStage2(registers(2, vtcr(24, 1, 0, 5))).tables.outputBits, 40);
  t.equal(decodeStage2(registers(2, vtcr(24, 1, 0, 7))).tables.outputBits, 40);
});

t.test('what is reserved, inconsistent or not implemented cannot be walked', async (t) => {
  const fault = (r: Stage2Registers) => decodeStage2(r).tables.startFault;
  t.equal(fault(registers(5, vtcr(16, 1, 0, 5))), 'translation', '48 bits from level 1');
  t.equal(fault(registers(5, vtcr(24, 1, 3, 5))), 'translation', 'TG0 3');
  t.equal(fault(registers(2, vtcr(20, 2, 0, 2))), 'translation', '44-bit IPA with 40 physical bits');
  t.equal(fault(registers(5, vtcr(24, 1, 1, 5))), 'none', '64 KiB');
  const none64 = Uint32Array.of(5 | (1 << 20) | (15 << 24), 0);
  t.equal(fault(registers(5, vtcr(24, 1, 1, 5), { mmfr0: none64 })), 'translation', 'no 64 KiB granule');
});

t.test('granules at stage 2: TGranX_2, and TGranX where that is 0', async (t) => {
  const mmfr0 = (lo: number, hi: number) => Uint32Array.of(lo, hi);
  t.same(
    [12, 14, 16].map((g) => granuleSupported(g as 12, mmfr0(0, 0))),
    [true, false, true],
  );
  t.same(
    [12, 14, 16].map((g) => granuleSupported(g as 12, mmfr0(0xff10_0000 | 0, 0))),
    [false, true, false],
  );
  t.same(
    [12, 14, 16].map((g) => granuleSupported(g as 12, mmfr0(0xff00_0000 | 0, 0x222))),
    [true, true, true],
  );
  t.same(
    [12, 14, 16].map((g) => granuleSupported(g as 12, mmfr0(0x0010_0000, 0x111))),
    [false, false, false],
  );
});

t.test('with 52 bits, VTTBR_EL2 bits 5:2 are address bits 51:48', async (t) => {
  const vttbr = Uint32Array.of((0x8000_0000 | (0xa << 2)) >>> 0, 0);
  t.equal(decodeStage2(registers(6, vtcr(12, 2, 1, 6), { vttbr })).tables.base, 0xa_0000_8000_0000);
  t.equal(decodeStage2(registers(6, vtcr(16, 2, 1, 5), { vttbr })).tables.base, 0x8000_0000, 'not with PS = 5');
});

t.test('HCR_EL2.PTW and FEAT_XNX', async (t) => {
  t.notOk(decodeStage2(registers(4, vtcr(24, 1, 0, 4))).protectTableWalk);
  t.ok(decodeStage2(registers(4, vtcr(24, 1, 0, 4), { hcr: Uint32Array.of(5, 0) })).protectTableWalk);
  t.notOk(decodeStage2(registers(4, vtcr(24, 1, 0, 4))).xnx);
  t.ok(decodeStage2(registers(4, vtcr(24, 1, 0, 4), { mmfr1: Uint32Array.of(1 << 28, 0) })).xnx);
});

t.test('VMIDs of 16 bits need VMIDBits (7:4) = 2 and VTCR_EL2.VS (19)', async (t) => {
  const vttbr = Uint32Array.of(0, 0x1234_0000);
  const wide = Uint32Array.of(0x20, 0);
  t.equal(decodeVmid(registers(4, 1 << 19, { vttbr, mmfr1: wide })), 0x1234);
  t.equal(decodeVmid(registers(4, 0, { vttbr, mmfr1: wide })), 0x34);
  t.equal(decodeVmid(registers(4, 1 << 19, { vttbr })), 0x34);
});
