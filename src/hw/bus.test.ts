import t from 'tap';
import { pa } from './address.js';
import { Bus, BusMapError, type RegisterDevice } from './bus.js';
import { PhysicalMemory } from './memory.js';

/** A device that remembers 16 words and takes no bytes. */
class Words implements RegisterDevice {
  readonly log: string[] = [];
  readonly words = new Uint32Array(16);
  readRegister(offset: number, width: 1 | 2 | 4): number | undefined {
    this.log.push(`read ${offset} ${width}`);
    return width === 1 ? undefined : this.words[offset >>> 2];
  }
  writeRegister(offset: number, width: 1 | 2 | 4, value: number): boolean {
    this.log.push(`write ${offset} ${width} ${value}`);
    if (width === 1) return false;
    this.words[offset >>> 2] = value;
    return true;
  }
}

function example(): { bus: Bus; device: Words } {
  const memory = new PhysicalMemory();
  memory.addRange(pa(0x4000_0000), 0x1_0000);
  const bus = new Bus(memory);
  const device = new Words();
  bus.add('device', pa(0x900_0000), 64, device);
  return { bus, device };
}

t.test('accesses reach a device relative to its region', async (t) => {
  const { bus, device } = example();
  t.equal(bus.write(0x900_0008, 4, 0xdead_beef), undefined);
  t.same(bus.read(0x900_0008, 4), { value: 0xdead_beef, hi: 0 });
  t.same(device.log, ['write 8 4 3735928559', 'read 8 4']);
});

t.test('8 bytes reach a device as two words, the lower first', async (t) => {
  const { bus, device } = example();
  t.equal(bus.write(0x900_0010, 8, 1, 2), undefined);
  t.same(bus.read(0x900_0010, 8), { value: 1, hi: 2 });
  t.same(device.log, ['write 16 4 1', 'write 20 4 2', 'read 16 4', 'read 20 4']);
});

t.test('RAM is part of the map', async (t) => {
  const { bus } = example();
  t.equal(bus.write(0x4000_0008, 8, 0x1122_3344, 0x5566_7788), undefined);
  t.same(bus.read(0x4000_000a, 2), { value: 0x1122, hi: 0 });
  t.same(bus.read(0x4000_000f, 1), { value: 0x55, hi: 0 });
  t.same(bus.read(0x4000_0008, 8), { value: 0x1122_3344, hi: 0x5566_7788 });
});

t.test('the two errors on the wire', async (t) => {
  const { bus } = example();
  t.equal(bus.read(0x1000, 4), 'device not found');
  t.equal(bus.write(0x1000, 4, 0), 'device not found');
  t.equal(bus.read(0x900_0001, 2), 'invalid access length', 'not aligned');
  t.equal(bus.read(0x900_0000, 1), 'invalid access length', 'the device takes no bytes');
  t.equal(bus.write(0x900_0000, 1, 0), 'invalid access length');
  t.equal(bus.read(0x4000_0001, 4), 'invalid access length');
});

t.test('the two errors of who builds the machine', async (t) => {
  const { bus, device } = example();
  const code = (build: () => void): string => {
    try {
      build();
    } catch (error) {
      if (error instanceof BusMapError) return `${error.code}: ${error.message}`;
    }
    return 'nothing';
  };
  t.match(
    code(() => bus.add('x', pa(0x900_003f), 4, device)),
    /^device overlap: x at 0x900003f, size 0x4, overlaps device at 0x9000000/,
  );
  t.match(
    code(() => bus.add('x', pa(0x3fff_0000), 0x2_0000, device)),
    /^device overlap: .*overlaps RAM at 0x40000000/,
  );
  t.match(
    code(() => bus.add('x', pa(0x1000), 0, device)),
    /^invalid range/,
  );
  t.match(
    code(() => bus.add('x', pa(2 ** 52 - 4), 8, device)),
    /^invalid range/,
  );
  t.equal(
    code(() => bus.add('x', pa(0x900_0040), 4, device)),
    'nothing',
    'right behind is fine',
  );
});

t.test('a device can be taken off, and the map tells what is where', async (t) => {
  const { bus } = example();
  t.same(bus.map, [
    { name: 'device', base: 0x900_0000, size: 64 },
    { name: 'RAM', base: 0x4000_0000, size: 0x1_0000 },
  ]);
  t.equal(bus.nameAt(0x900_003f), 'device');
  t.equal(bus.nameAt(0x4000_ffff), 'RAM');
  t.equal(bus.nameAt(0x900_0040), undefined);
  bus.remove(pa(0x900_0000));
  t.equal(bus.read(0x900_0000, 4), 'device not found');
});

t.test('a transfer moves bytes to RAM at once and to registers in aligned pieces', async (t) => {
  const { bus, device } = example();
  const bytes = Uint8Array.from({ length: 10 }, (_, i) => i + 1);
  t.ok(bus.transfer(0x4000_0ffc, bytes, true));
  const read = new Uint8Array(10);
  t.ok(bus.transfer(0x4000_0ffc, read, false));
  t.same(read, bytes);
  t.ok(bus.transfer(0x900_0002, bytes.subarray(0, 8), true));
  t.same(device.log, ['write 2 2 513', `write 4 4 ${0x0605_0403}`, 'write 8 2 2055']);
  t.notOk(bus.transfer(0x900_0001, bytes.subarray(0, 1), true), 'the device takes no bytes');
  t.notOk(bus.transfer(0x900_003c, read, false), 'the end has no target');
  t.notOk(bus.transfer(0x1000, bytes, true));
});
