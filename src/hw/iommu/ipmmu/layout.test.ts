import t from 'tap';
import {
  COMPATIBLE,
  CONTEXT_REGISTER,
  CONTROL_REGISTER,
  contextRegister,
  GENERATION,
  IMCTR,
  IMSAUXCTLR,
  IMSCTLR,
  IMSTR,
  IMTTBCR,
  IMTTLBR0,
  IMTTUBR0,
  IMUCTR,
  MICRO_TLB,
  microTlbRegister,
  STAGE1_START_LEVELS,
} from './layout.js';

const { gen3, gen4 } = GENERATION;
/** The bits of a field in its word. */
const mask = ({ mask: bits, shift }: { mask: number; shift: number }) => (bits << shift) >>> 0;

t.test('contexts lie 0x40 apart; from number 8 on at 0x800, where Gen4 has 0x1040 between them', async (t) => {
  t.equal(contextRegister(gen3, 0, CONTEXT_REGISTER.IMCTR), 0);
  t.equal(contextRegister(gen3, 7, CONTEXT_REGISTER.IMELAR), 0x1f0);
  t.equal(contextRegister(gen4, 0, CONTEXT_REGISTER.IMCTR), 0x10000);
  t.equal(contextRegister(gen4, 7, CONTEXT_REGISTER.IMCTR), 0x10000 + 7 * 0x1040);
  t.equal(contextRegister(gen4, 8, CONTEXT_REGISTER.IMCTR), 0x10000 + 8 * 0x1040 + 0x800 - 0x200);
  t.same(CONTEXT_REGISTER, {
    IMCTR: 0x00,
    IMTTBCR: 0x08,
    IMBUSCR: 0x0c,
    IMTTLBR0: 0x10,
    IMTTUBR0: 0x14,
    IMSTR: 0x20,
    IMMAIR0: 0x28,
    IMELAR: 0x30,
    IMEUAR: 0x34,
  });
});

t.test('micro-TLBs lie 0x10 apart, in two groups of which the second begins with number 32', async (t) => {
  const at = (features: typeof gen3 | typeof gen4, n: number, register: number) =>
    microTlbRegister(features, n, register);
  t.equal(at(gen3, 0, MICRO_TLB.IMUCTR), 0x300);
  t.equal(at(gen3, 0, MICRO_TLB.IMUASID), 0x308);
  t.equal(at(gen3, 31, MICRO_TLB.IMUCTR), 0x4f0);
  t.equal(at(gen3, 32, MICRO_TLB.IMUCTR), 0x600);
  t.equal(at(gen3, 47, MICRO_TLB.IMUASID), 0x6f8);
  t.equal(at(gen4, 63, MICRO_TLB.IMUCTR), 0x37f0);
});

t.test('numbers of the generations', async (t) => {
  t.match(gen3, { contexts: 8, microTlbs: 48, controlBase: 0, ttselBits: 4, bytes: 0x1000 });
  t.match(gen4, { contexts: 16, microTlbs: 64, controlBase: 0x1000, ttselBits: 5, bytes: 0x2_0000 });
  t.equal(COMPATIBLE['renesas,ipmmu-r8a7795'], 'gen3');
  t.equal(COMPATIBLE['renesas,ipmmu-r8a779f0'], 'gen4');
  t.same(CONTROL_REGISTER, { IMSCTLR: 0x500, IMSAUXCTLR: 0x504 });
});

t.test('start levels of stage 1 by SL0: 0 begins at level 3, 2 at level 1', async (t) => {
  t.same(STAGE1_START_LEVELS, [3, 2, 1, undefined]);
});

t.test('bits', async (t) => {
  t.equal(mask(IMCTR.MMUEN), 1);
  t.equal(mask(IMCTR.FLUSH), 2);
  t.equal(mask(IMCTR.INTEN), 4);
  t.equal(mask(IMCTR.VA64), 0x2000_0000);
  t.equal(mask(IMTTBCR.TSZ0), 0x1f);
  t.equal(mask(IMTTBCR.SL0), 0xc0);
  t.same([IMTTBCR.IRGN0, IMTTBCR.ORGN0, IMTTBCR.SH0].map(mask), [0x300, 0xc00, 0x3000]);
  t.equal(mask(IMTTBCR.PMB), 0x4000_0000);
  t.equal(mask(IMTTBCR.EAE), 0x8000_0000);
  t.equal(mask(IMTTLBR0.TTBR), 0xffff_f000);
  t.equal(mask(IMTTUBR0.TTBR), 0xff);
  t.same([IMSTR.TF, IMSTR.PF, IMSTR.ABORT, IMSTR.MHIT].map(mask), [1, 2, 4, 0x10]);
  t.equal(mask(IMUCTR.MMUEN), 1);
  t.equal(mask(IMUCTR.FLUSH), 2);
  t.equal(mask(IMUCTR.TTSEL), 0x1f0);
  t.equal(mask(IMSCTLR.USE_SECGRP), 0x1000_0000);
  t.equal(mask(IMSAUXCTLR.S2PTE), 8);
});
