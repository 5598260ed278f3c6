import t from 'tap';
import type { MsiDescription } from './msi.js';
import { segment } from './pci.test-support.js';

/** An endpoint at 00:01.0 with MSI: the PCI Express capability is at 0x40, MSI behind it at 0x7c. */
function example(msi: MsiDescription, maximumLatency = 0) {
  const made = segment(maximumLatency);
  const endpoint = made.endpoint(made.rootComplex.bus, 1, { msi });
  const read = (offset: number, width: 1 | 2 | 4) => made.config.read(0, 8, offset, width);
  const write = (offset: number, width: 1 | 2 | 4, value: number) => made.config.write(0, 8, offset, width, value);
  write(0x04, 2, 6);
  return { ...made, endpoint, read, write };
}

const FULL: MsiDescription = { vectors: 8, is64Bit: true, isMaskable: true };

t.test('the capability has the forms of 7.7.1: 10, 14, 20 and 24 bytes', async (t) => {
  // Message Control: Multiple Message Capable 3:1, 64 bit 7, per-vector masking 8.
  for (const [vectors, is64Bit, isMaskable, control, bytes] of [
    [1, false, false, 0x0000, 10],
    [2, true, false, 0x0082, 14],
    [16, false, true, 0x0108, 20],
    [32, true, true, 0x018a, 24],
  ] as const) {
    const { read, write } = example({ vectors, is64Bit, isMaskable });
    t.equal(read(0x41, 1), 0x7c, 'next behind the PCI Express capability');
    t.equal(read(0x7c, 2), 0x0005, 'id 5, the last');
    t.equal(read(0x7e, 2), control);
    const mask = isMaskable ? bytes - 8 : 0;
    for (let offset = 4; offset < 24; offset += 4) {
      const before = read(0x7c + offset, 4);
      write(0x7c + offset, 4, 0xffff_ffff);
      const data = is64Bit ? 12 : 8;
      const expected =
        offset === 4
          ? 0xffff_fffc
          : offset === 8 && is64Bit
            ? 0xffff_ffff
            : offset === data
              ? 0xffff
              : offset === mask && isMaskable
                ? 2 ** vectors - 1
                : before;
      t.equal(read(0x7c + offset, 4), expected, `${bytes} bytes, offset ${offset}`);
    }
  }
});

t.test('a vector is a write of 32 bits under the requester id, its upper half 0', async (t) => {
  const { endpoint, write, requests, bytes, events } = example(FULL);
  t.equal(endpoint.signal(0), 'disabled', 'MSI is not enabled');
  write(0x80, 4, 0x4000_0040);
  write(0x84, 4, 0);
  write(0x88, 2, 0xabc0);
  write(0x7e, 2, 0x0001);
  t.equal(endpoint.signal(0), 'sent');
  t.same(bytes(0x4000_0040, 6), [0xc0, 0xab, 0, 0, 0, 0]);
  t.match(requests[0], {
    requester: 0x0008,
    write: true,
    addressType: 'untranslated',
    pasid: undefined,
    lo: 0x4000_0040,
  });
  t.equal(endpoint.signal(1), 'disabled', 'one message is enabled');
  t.same(events.at(-1), {
    kind: 'interrupt',
    device: '0000:00:01.0',
    name: 'MSI',
    text: 'vector 0: 0xabc0 to 0x40000040: okay',
  });
});

t.test('with 2^n messages enabled the low n bits of the data are the vector (6.1.4.1)', async (t) => {
  const { endpoint, write, requests } = example(FULL);
  write(0x80, 4, 0x4000_0000);
  write(0x88, 2, 0xffff);
  write(0x7e, 2, 0x0021); // 4 messages
  t.equal(endpoint.signal(2), 'sent');
  t.same([...(requests[0]?.data ?? [])], [0xfe, 0xff, 0, 0]);
  t.equal(endpoint.signal(4), 'disabled');
  t.equal(endpoint.signal(-1), 'disabled');
  write(0x7e, 2, 0x0031); // 8 messages
  t.equal(endpoint.signal(5), 'sent');
  t.same([...(requests[1]?.data ?? [])], [0xfd, 0xff, 0, 0]);
});

t.test('more messages enabled than there are is misuse, and enables what there is', async (t) => {
  const { endpoint, write, problems } = example({ vectors: 2, is64Bit: true, isMaskable: false });
  write(0x80, 4, 0x4000_0000);
  write(0x7e, 2, 0x0051);
  t.same(problems, [{ channel: 'misuse', actor: 'xen', text: '0000:00:01.0: MSI with 32 messages enabled of 2' }]);
  t.equal(endpoint.signal(1), 'sent');
  t.equal(endpoint.signal(2), 'disabled');
});

t.test('a masked vector is pending, and is sent when its mask is cleared', async (t) => {
  const { endpoint, read, write, requests } = example(FULL);
  write(0x80, 4, 0x4000_0000);
  write(0x8c, 4, 0x6); // vectors 1 and 2 masked
  write(0x7e, 2, 0x0031);
  t.equal(endpoint.signal(2), 'pending');
  t.equal(endpoint.signal(2), 'pending');
  t.equal(read(0x90, 4), 0x4);
  write(0x90, 4, 0);
  t.equal(read(0x90, 4), 0x4, 'read-only');
  write(0x8c, 4, 0x4);
  t.equal(requests.length, 0, 'vector 1 was not pending');
  write(0x8c, 1, 0);
  t.equal(requests.length, 1, 'once, however often it was wanted');
  t.equal(requests[0]?.data[0], 2);
  t.equal(read(0x90, 4), 0);
});

t.test('a vector masked without MSI enabled is sent when both have changed', async (t) => {
  const { endpoint, write, requests } = example(FULL);
  write(0x80, 4, 0x4000_0000);
  write(0x8c, 4, 0xff);
  write(0x7e, 2, 0x0001);
  endpoint.signal(0);
  write(0x7e, 2, 0x0000);
  write(0x8c, 4, 0);
  t.equal(requests.length, 0);
  write(0x7e, 2, 0x0001);
  t.equal(requests.length, 1);
});

t.test('a message needs bus master, and memory that takes it', async (t) => {
  const { endpoint, write, requests } = example(FULL);
  write(0x80, 4, 0x4000_0000);
  write(0x7e, 2, 0x0001);
  write(0x04, 2, 2);
  t.equal(endpoint.signal(0), 'aborted');
  t.equal(requests.length, 0, 'it never left');
  write(0x04, 2, 6);
  write(0x84, 4, 1);
  t.equal(endpoint.signal(0), 'aborted');
  t.match(requests[0], { hi: 1, lo: 0x4000_0000 });
});

t.test('a message does not pass the writes before it (2.4.1)', async (t) => {
  const { endpoint, write, bytes, events } = example(FULL, 50);
  write(0x80, 4, 0x4000_0000);
  write(0x7e, 2, 0x0001);
  endpoint.start({ write: true, hi: 0, lo: 0x4000_1000, data: Uint8Array.of(7) });
  t.same(bytes(0x4000_1000, 1), [0], 'still on its way');
  t.equal(endpoint.signal(0), 'sent');
  t.same(bytes(0x4000_1000, 1), [7]);
  t.same(
    events.map(({ kind }) => kind),
    ['dma', 'interrupt'],
  );
});

t.test('a function level reset leaves nothing of it', async (t) => {
  const { endpoint, read, write, requests } = example(FULL);
  write(0x80, 4, 0x4000_0000);
  write(0x8c, 4, 1);
  write(0x7e, 2, 0x0031);
  endpoint.signal(0);
  write(0x48, 2, 0x8000);
  t.equal(read(0x7e, 2), 0x0186);
  t.equal(read(0x80, 4), 0);
  t.equal(read(0x8c, 4), 0);
  t.equal(read(0x90, 4), 0, 'nothing is pending');
  t.equal(endpoint.signal(0), 'disabled');
  t.equal(requests.length, 0);
});

t.test('a secondary bus reset leaves nothing of it either', async (t) => {
  const { rootComplex, bridge, endpoint, config } = segment();
  const device = endpoint(bridge(rootComplex.bus, 1, 'root port').bus, 0, { msi: FULL });
  config.write(0, 8, 0x18, 4, 0x01_01_00);
  config.write(1, 0, 0x7e, 2, 1);
  config.write(1, 0, 0x8c, 4, 1);
  t.equal(device.signal(0), 'pending');
  config.write(0, 8, 0x3e, 2, 0x40);
  config.write(0, 8, 0x3e, 2, 0);
  t.equal(config.read(1, 0, 0x7e, 2), 0x0186);
  t.equal(config.read(1, 0, 0x90, 4), 0);
  t.equal(device.signal(0), 'disabled');
});

t.test('the number of vectors is a power of two up to 32', async (t) => {
  t.throws(() => example({ ...FULL, vectors: 3 }), /1, 2, 4, 8, 16 or 32 vectors, not 3/);
  t.throws(() => example({ ...FULL, vectors: 64 }), RangeError);
  t.throws(() => example({ ...FULL, vectors: 0 }), RangeError);
});
