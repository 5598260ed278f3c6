/** ATS and PRI: Arm IHI 0070 3.9.1, 8.1; STE.EATS (5.2). */
import t from 'tap';
import type { AtsRequest } from './ats.js';
import {
  Bench,
  contextWords,
  nestedSte,
  REG,
  S1_PAGE,
  S2_PAGE,
  stage2Ste,
  transaction,
} from './smmuv3.test-support.js';

const VA = 0x4000;
const IPA = 0x4300_0000;
const PAGE = 0x4300_7000;

/** ATS (IDR0[10]), PRI (IDR0[16]), ATSRECERR (IDR0[23]); PRIQS 4 (IDR1[15:11]). */
const ATS_IDS = { IDR0: 0x0dc5_141b, IDR1: 0x0273_2010 };
/** CMDQEN, EVENTQEN, SMMUEN, and ATSCHK. */
const PLAIN = 0xd;
const CHECKED = 0x1d;

/** Streams: 1 abort, 2 bypass, 3 stage 2 without ATS, 4 stage 2 with full ATS, 5 nested with split-stage ATS. */
function atsBench(cr0: number, ids = ATS_IDS): Bench {
  const bench = new Bench({ ids });
  const second = bench.page();
  const first = bench.page();
  const context = bench.page();
  bench.map(first, VA, IPA, S1_PAGE);
  bench.map(second, VA, PAGE, S2_PAGE);
  bench.map(second, IPA, PAGE, S2_PAGE & ~0x80);
  for (let page = first; page < first + 0x1_0000; page += 4096) bench.map(second, page, page, S2_PAGE);
  bench.memory.storeWords(context, contextWords(5, first));
  const eats = (words: number[], value: number): number[] =>
    words.map((word, i) => (i === 2 ? word | (value << 28) : word));
  bench.ste(1, [0x1]);
  bench.ste(2, [0x9]);
  bench.ste(3, stage2Ste(1, second));
  bench.ste(4, eats(stage2Ste(1, second), 1));
  bench.ste(5, eats(nestedSte(1, context, second), 2));
  bench.ste(6, eats(nestedSte(1, context, second), 1));
  bench.enable(cr0);
  return bench;
}

function ask(streamId: number, address: number, more: Partial<AtsRequest> = {}): AtsRequest {
  return { streamId, substreamId: -1, hi: 0, lo: address, privileged: false, write: true, execute: false, ...more };
}

t.test('a translation request is answered by what the stream allows (3.9.1.2)', async (t) => {
  const bench = atsBench(PLAIN);
  t.equal(bench.smmu.translationRequest(ask(1, VA)).status, 'UR');
  t.same(bench.events(), [], 'Config 0: no record');
  t.equal(bench.smmu.translationRequest(ask(2, VA)).status, 'UR');
  t.equal(bench.smmu.translationRequest(ask(3, VA)).status, 'UR');
  t.equal(bench.smmu.translationRequest(ask(5, VA)).status, 'UR', 'split-stage without ATSCHK');
  t.same(
    bench.events().map((e) => [e[0], e[1]]),
    [
      [5, 2],
      [5, 3],
      [5, 5],
    ],
    'F_BAD_ATS_TREQ',
  );
  t.equal(bench.smmu.translationRequest(ask(300, VA)).status, 'CA', 'C_BAD_STREAMID');
  t.equal(bench.smmu.translationRequest(ask(7, VA)).status, 'CA', 'C_BAD_STE');
  t.equal(bench.events().length, 3, 'not recorded without REC_CFG_ATS');
});

t.test('it gives address and permissions of both stages; a fault grants nothing and is not recorded', async (t) => {
  const bench = atsBench(PLAIN);
  t.same(bench.smmu.translationRequest(ask(4, VA)), {
    status: 'success',
    address: PAGE,
    sizeBits: 12,
    read: true,
    write: true,
    execute: false,
  });
  t.match(bench.smmu.translationRequest(ask(6, VA)), { status: 'success', address: PAGE, read: true, write: false });
  t.match(bench.smmu.translationRequest(ask(4, 0x9000)), { status: 'success', read: false, write: false });
  t.same(bench.events(), []);
});

t.test('split-stage ATS gives the intermediate physical address, and translates it when it comes back', async (t) => {
  const bench = atsBench(CHECKED);
  t.match(bench.smmu.translationRequest(ask(5, VA)), { status: 'success', address: IPA });
  bench.memory.storeWords(PAGE, [0x77]);
  t.equal(bench.dmaRead(5, IPA, { addressType: 'translated' }), 0x77);
  t.equal(bench.dmaRead(5, 0x9000, { addressType: 'translated' }), undefined);
  t.equal(bench.events()[0]?.[0], 0x10, 'faults of that are recorded as for any other');
});

t.test('an SMMU without ATS lets no translated transaction pass', async (t) => {
  // IDR0[10] clear; ATSCHK does not exist then.
  const bench = atsBench(PLAIN, { ...ATS_IDS, IDR0: 0x0dc5_101b });
  for (const sid of [1, 2, 3, 4, 7, 300]) {
    t.equal(bench.dmaWrite(sid, PAGE, sid, { addressType: 'translated' }), 'abort', `stream ${sid}`);
  }
  t.equal(bench.dmaWrite(4, VA, 1), 'okay', 'an untranslated one of the same stream passes');
});

t.test('a translated transaction passes unchecked, or by EATS with ATSCHK (3.9.1.3)', async (t) => {
  const open = atsBench(PLAIN);
  for (const sid of [1, 2, 3, 4, 7, 300]) t.equal(open.dmaWrite(sid, PAGE, sid, { addressType: 'translated' }), 'okay');
  t.equal(open.dmaWrite(4, 2 ** 44, 1, { addressType: 'translated' }), 'abort');
  t.same(open.events(), []);
  const checked = atsBench(CHECKED);
  t.equal(checked.dmaWrite(4, PAGE, 1, { addressType: 'translated' }), 'okay');
  for (const sid of [1, 2, 3, 7, 300]) {
    t.equal(checked.dmaWrite(sid, PAGE, 1, { addressType: 'translated' }), 'abort');
  }
  // F_TRANSL_FORBIDDEN of a write: RnW 0 and the address; Config 0 and an invalid STE leave no record.
  t.same(
    checked.events().map((e) => [e[0], e[1], e[3], e[4]]),
    [
      [7, 2, 0, PAGE],
      [7, 3, 0, PAGE],
    ],
  );
});

t.test('with SMMUEN = 0 both are refused and recorded', async (t) => {
  const bench = atsBench(0xc);
  t.equal(bench.smmu.translationRequest(ask(4, VA)).status, 'UR');
  t.equal(bench.dmaRead(4, PAGE, { addressType: 'translated' }), undefined);
  t.same(
    bench.events().map((e) => e[0]),
    [5, 7],
  );
});

t.test('configuration errors of ATS traffic are recorded with CR2.REC_CFG_ATS', async (t) => {
  const bench = atsBench(0xc);
  bench.write(REG.CR2, 8);
  bench.write(REG.CR0, PLAIN);
  t.equal(bench.smmu.translationRequest(ask(7, VA)).status, 'CA');
  t.same(
    bench.events().map((e) => [e[0], e[1]]),
    [[4, 7]],
  );
});

t.test('a translation request on the wire is answered with a doubleword of address and permissions', async (t) => {
  const bench = atsBench(PLAIN);
  const data = new Uint8Array(8);
  const request = { ...transaction(4, VA, data), addressType: 'translation request', write: true } as const;
  t.equal(bench.smmu.request(4, request), 'okay');
  t.equal(new DataView(data.buffer).getUint32(0, true), PAGE | 3, 'R and W');
});

t.test('page requests fill the PRI queue; the overflow is answered by the SMMU (8.1)', async (t) => {
  const bench = atsBench(0xc);
  bench.write(0xc0, 0x4022_0001);
  bench.write(REG.CR0, 0xf);
  const request = {
    streamId: 4,
    substreamId: 3,
    read: true,
    write: true,
    execute: false,
    privileged: false,
    last: true,
    group: 9,
    page: 0x12345,
  };
  t.equal(bench.smmu.pageRequest(request), 'queued');
  const record = new Uint32Array(4);
  bench.memory.loadWords(0x4022_0000, record, 4);
  // SID; SSID 51:32, read 60, write 61, last 62, SSV 63; group 8:0 and address 63:12.
  t.same([...record], [4, 0xf000_0003, 0x1234_5009, 0]);
  t.equal(bench.smmu.pageRequest(request), 'queued');
  t.equal(bench.smmu.pageRequest(request), 'success');
  t.equal(bench.smmu.pageRequest({ ...request, last: false }), 'dropped');
  t.equal(bench.read(0x100c8), 0x8000_0002, 'OVFLG, and the wrap bit of a queue of two');
});
