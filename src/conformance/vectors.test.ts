/** Reading vector files: what is taken, and that whatever is not of the format is an error with its place. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { parseVectors, readVectors, VectorFileError } from './vectors.js';

const CASE = {
  name: 'n-1',
  class: 'n',
  device: 'smmuv3',
  requester: '0x300',
  steps: [
    { mem: '0x41000000', hex: '00ff' },
    { reg: '0x80', width: 8, write: '0xfedcba9876543210' },
    { reg: '0x24', width: 4, expect: '0x8', mask: '0xffffffff' },
    { dma: 'write', iova: '0x123456789abc', hex: '01020304', expect: { landed: '0x41000000' }, stale: true },
    { dma: 'read', iova: '0x4000', length: 4, requester: '0x20', expect: { fault: true } },
    { event: '0400', mask: 'ff00' },
    { noevent: true },
    { frcd: { lo: '0x0', hi: '0x0' } },
  ],
};

t.test('every kind of step is read', async (t) => {
  const [vector] = parseVectors('f.jsonl', `\n${JSON.stringify(CASE)}\n`);
  t.match(vector, { file: 'f.jsonl', line: 2, name: 'n-1', class: 'n', device: 'smmuv3', requester: 0x300 });
  t.match(vector?.steps, [
    { kind: 'store', address: { hi: 0, lo: 0x4100_0000 }, bytes: Uint8Array.of(0, 255) },
    { kind: 'write register', offset: 0x80, width: 8, value: { hi: 0xfedc_ba98, lo: 0x7654_3210 } },
    { kind: 'read register', offset: 0x24, width: 4, value: { hi: 0, lo: 8 } },
    { kind: 'dma', write: true, stale: true, expect: { outcome: 'landed' }, requester: undefined },
    { kind: 'dma', write: false, length: 4, stale: false, requester: 0x20, expect: { outcome: 'fault' } },
    { kind: 'event', record: Uint8Array.of(4, 0) },
    { kind: 'no event' },
    { kind: 'other' },
  ]);
});

const WRONG: readonly (readonly [string, unknown])[] = [
  ['steps', { ...CASE, steps: undefined }],
  ['"requester"', { ...CASE, requester: 768 }],
  ['step 1: "mem"', { ...CASE, steps: [{ mem: 'xyz', hex: '' }] }],
  ['step 1: "hex"', { ...CASE, steps: [{ mem: '0x0', hex: '0' }] }],
  ['step 1: "width"', { ...CASE, steps: [{ reg: '0x0', width: 2, write: '0x0' }] }],
  ['step 1: "dma"', { ...CASE, steps: [{ dma: 'move', iova: '0x0' }] }],
  ['step 1: "expect"', { ...CASE, steps: [{ dma: 'read', iova: '0x0', length: 4 }] }],
  ['step 1: "length"', { ...CASE, steps: [{ dma: 'read', iova: '0x0', length: 0, expect: { fault: true } }] }],
  ['step 1: "event"', { ...CASE, steps: [{ event: '00', mask: '' }] }],
  ['step 1: a step', { ...CASE, steps: [null] }],
  ['the line', []],
];

t.test('a line that is no case is an error with file and line', async (t) => {
  for (const [reason, json] of WRONG) {
    const source = `${JSON.stringify(CASE)}\n${JSON.stringify(json)}`;
    t.throws(() => parseVectors('f.jsonl', source), { message: new RegExp(`^f\\.jsonl:2: .*${reason}`) });
  }
  t.throws(() => parseVectors('f.jsonl', '{"name":'), { name: 'VectorFileError', line: 1 });
  t.throws(() => parseVectors('f.jsonl', '\n'), { message: 'f.jsonl: holds no case' });
});

t.test('plain and compressed files are read; what cannot be is an error', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vectors-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const plain = join(folder, 'a.jsonl');
  const packed = join(folder, 'a.jsonl.gz');
  writeFileSync(plain, JSON.stringify(CASE));
  writeFileSync(packed, gzipSync(JSON.stringify(CASE)));
  t.equal(readVectors(plain).length, 1);
  t.equal(readVectors(packed).length, 1);
  writeFileSync(packed, 'not compressed');
  t.throws(() => readVectors(packed), VectorFileError);
  t.throws(() => readVectors(join(folder, 'missing')), VectorFileError);
});

t.test('no text makes the reader fail otherwise', async () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (source) => {
      try {
        parseVectors('f', source);
      } catch (error) {
        if (!(error instanceof VectorFileError)) throw error;
      }
    }),
    { seed: 3, numRuns: 500 },
  );
});
