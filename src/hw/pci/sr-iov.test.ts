import t from 'tap';
import { BAR, configureBridge, segment } from './pci.test-support.js';
import type { SriovDescription } from './sr-iov.js';

const VFS: SriovDescription = {
  totalVfs: 4,
  firstOffset: 8,
  stride: 2,
  vfDeviceId: 0x0077,
  vfBars: [
    { index: 0, size: 0x2000, is64Bit: false, prefetchable: false },
    { index: 2, size: 0x1000, is64Bit: true, prefetchable: true },
  ],
};
const msix = { vectors: 2, table: { bar: 2, offset: 0 }, pendingBits: { bar: 2, offset: 0x800 } };

/** A PF at 01:00.0 below a root port; its capability is at 0x100, its VFs have routing ids 01:01.0, 01:01.2, ... */
function example() {
  const made = segment();
  const { rootComplex, bridge, endpoint, config } = made;
  const port = bridge(rootComplex.bus, 1, 'root port');
  const pf = endpoint(port.bus, 0, { sriov: { ...VFS, msix } });
  configureBridge(
    made,
    { bus: 0, devfn: 0x08 },
    { secondary: 1, subordinate: 1 },
    { base: 0x1010_0000, limit: 0x1020_0000 },
  );
  config.write(1, 0, 0x10, 4, 0x1020_0000);
  config.write(1, 0, 0x04, 2, 6);
  config.write(1, 0, 0x124, 4, 0x1010_0000); // VF BAR 0
  config.write(1, 0, 0x12c, 4, 0x1018_0000); // VF BAR 2
  const enable = (vfs = 4) => {
    config.write(1, 0, 0x110, 2, vfs);
    config.write(1, 0, 0x108, 2, 0x9); // VF Enable, VF MSE
  };
  const [first, second, , last] = pf.virtualFunctions;
  if (first === undefined || second === undefined || last === undefined) throw new Error('four virtual functions');
  return { ...made, pf, first, second, last, enable };
}

t.test('the capability has the registers of 9.3.3', async (t) => {
  const { config } = example();
  const read = (offset: number, width: 1 | 2 | 4) => config.read(1, 0, 0x100 + offset, width);
  t.equal(read(0x00, 4), 0x0001_0010, 'id 0x10, version 1, the last');
  t.equal(read(0x04, 4), 0, 'no VF migration');
  t.equal(read(0x0c, 2), 4, 'InitialVFs');
  t.equal(read(0x0e, 2), 4, 'TotalVFs');
  t.equal(read(0x10, 2), 0, 'NumVFs');
  t.equal(read(0x12, 2), 0, 'depends on itself');
  t.equal(read(0x14, 2), 8, 'First VF Offset');
  t.equal(read(0x16, 2), 2, 'VF Stride');
  t.equal(read(0x1a, 2), 0x77, 'VF Device ID');
  t.equal(read(0x1c, 4), 0x553, '4K 8K 64K 256K 1M 4M');
  t.equal(read(0x20, 4), 1, '4K');
  config.write(1, 0, 0x108, 2, 0xfffe);
  t.equal(read(0x08, 2), 0x8, 'VF MSE; neither migration nor ARI');
});

t.test('a VF BAR sizes the memory of one VF, whole system pages of it', async (t) => {
  const { config } = example();
  const size = (offset: number) => {
    config.write(1, 0, offset, 4, 0xffff_ffff);
    return config.read(1, 0, offset, 4);
  };
  t.equal(size(0x124), 0xffff_e000, '8 KiB');
  t.equal(size(0x128), 0, 'not there');
  t.equal(size(0x12c), 0xffff_f00c, '4 KiB, 64-bit, prefetchable');
  t.equal(size(0x130), 0xffff_ffff);
  config.write(1, 0, 0x120, 4, 0x10); // 64 KiB pages
  t.equal(size(0x124), 0xffff_0000);
  t.equal(size(0x12c), 0xffff_000c);
});

t.test('VFs are there while VF Enable says so, under their routing ids (9.2.1.2)', async (t) => {
  const { config, rootComplex, enable } = example();
  const list = () => [...rootComplex.functions()].map(({ sbdf }) => `${sbdf.bus}:${sbdf.device}.${sbdf.function}`);
  t.equal(config.read(1, 0x08, 0x04, 4), 0xffff_ffff, 'nothing answers');
  enable(3);
  t.same(list(), ['0:1.0', '1:0.0', '1:1.0', '1:1.2', '1:1.4']);
  t.equal(config.read(1, 0x0e, 0x04, 4), 0xffff_ffff, 'the fourth');
  t.equal(config.read(1, 0x00, 0x0e, 1), 0, 'the PF is no multi-function device');
  config.write(1, 0, 0x108, 2, 0);
  t.same(list(), ['0:1.0', '1:0.0']);
});

t.test('the header of a VF is mostly zero (9.3.4.1)', async (t) => {
  const { config, enable } = example();
  enable();
  t.equal(config.read(1, 0x08, 0x00, 4), 0xffff_ffff, 'Vendor ID and Device ID');
  t.equal(config.read(1, 0x08, 0x08, 4), 0xff00_0000, 'the class of its PF');
  config.write(1, 0x08, 0x04, 2, 0xffff);
  t.equal(config.read(1, 0x08, 0x04, 2), 0x0004, 'bus master alone');
  config.write(1, 0x08, 0x10, 4, 0xffff_ffff);
  t.equal(config.read(1, 0x08, 0x10, 4), 0);
  t.equal(config.read(1, 0x08, 0x3d, 1), 0, 'no pin');
  t.equal(config.read(1, 0x08, 0x34, 1), 0x40);
  t.equal(config.read(1, 0x08, 0x40, 2), 0x7c10, 'PCI Express, then MSI-X');
  t.equal(config.read(1, 0x08, 0x44, 4) & 0x1000_0000, 0x1000_0000, 'function level reset');
});

t.test('the memory of VFs lies one behind the other, as VF MSE says', async (t) => {
  const { config, mmio, enable } = example();
  enable();
  t.equal(mmio.read(0x1010_0000), 0x3144_5754);
  t.equal(mmio.read(0x1010_6000), 0x3144_5754, 'the fourth');
  t.equal(mmio.read(0x1010_8000), 0xffff_ffff, 'no fifth');
  mmio.write(0x1010_2010, 0x1234_5678);
  t.equal(mmio.read(0x1010_2010), 0x1234_5678);
  t.equal(mmio.read(0x1010_0010), 0, 'each has its own registers');
  t.equal(mmio.read(0x1018_100c), 1, 'MSI-X entry 0 of the second');
  config.write(1, 0, 0x108, 2, 0x1);
  t.equal(mmio.read(0x1010_0000), 0xffff_ffff);
});

t.test('with larger system pages the memory of VFs lies further apart (9.3.3.13)', async (t) => {
  const { config, mmio, enable } = example();
  config.write(1, 0, 0x120, 4, 0x4); // 16 KiB is none of the sizes: read-only 0
  t.equal(config.read(1, 0, 0x120, 4), 0);
  config.write(1, 0, 0x120, 4, 0x10);
  enable();
  t.equal(mmio.read(0x1010_0000), 0x3144_5754);
  t.equal(mmio.read(0x1010_2000), 0xffff_ffff);
  t.equal(mmio.read(0x1013_0000), 0x3144_5754, 'the fourth, 3 times 64 KiB on');
});

t.test('a VF moves data and sends messages under its own requester id', async (t) => {
  const { config, mmio, enable, first, second, requests } = example();
  enable();
  const write = { write: true, hi: 0, lo: 0x4000_0000, data: Uint8Array.of(1) };
  t.equal(second.run(write).ok, false, 'no bus master');
  config.write(1, 0x0a, 0x04, 2, 4);
  t.equal(second.run(write).ok, true);
  t.equal(first.run(write).ok, false);
  mmio.write(0x1018_1000, 0x4000_0040);
  mmio.write(0x1018_100c, 0);
  config.write(1, 0x0a, 0x7e, 2, 0x8000);
  t.equal(second.signal(0), 'sent');
  t.same(
    requests.map(({ requester, lo }) => [requester, lo]),
    [
      [0x010a, 0x4000_0000],
      [0x010a, 0x4000_0040],
    ],
  );
});

t.test('VFs that were gone come back as out of reset; a reset of the PF takes them away', async (t) => {
  const { config, mmio, enable, last } = example();
  enable();
  config.write(1, 0x0e, 0x04, 2, 4);
  mmio.write(0x1010_6010, 7);
  config.write(1, 0, 0x108, 2, 0);
  t.equal(last.run({ write: false, hi: 0, lo: 0x4000_0000, length: 1 }).ok, false);
  t.equal(last.signal(0), 'disabled');
  enable();
  t.equal(config.read(1, 0x0e, 0x04, 2), 0);
  t.equal(mmio.read(0x1010_6010), 0);
  config.write(1, 0x0e, 0x04, 2, 4);
  config.write(1, 0x0e, 0x48, 2, 0x8000);
  t.equal(config.read(1, 0x0e, 0x04, 2), 0, 'function level reset of the VF');
  t.equal(config.read(1, 0x0c, 0x04, 2), 0, 'the others are still there');
  config.write(1, 0, 0x48, 2, 0x8000);
  t.equal(config.read(1, 0x0e, 0x04, 2), 0xffff, 'function level reset of the PF');
  t.equal(config.read(1, 0, 0x110, 2), 0);
});

t.test('NumVFs that are no number of VFs, or change under them, are misuse', async (t) => {
  const { config, problems, enable, rootComplex } = example();
  enable(5);
  t.equal([...rootComplex.functions()].length, 6, 'all there are');
  config.write(1, 0, 0x110, 2, 1);
  t.equal([...rootComplex.functions()].length, 6);
  config.write(1, 0, 0x108, 2, 0);
  config.write(1, 0, 0x120, 4, 0x3);
  t.same(
    problems.map(({ text }) => text),
    [
      '0000:01:00.0: VF Enable set with NumVFs 5 of 4',
      '0000:01:00.0: NumVFs or System Page Size written while virtual functions are enabled',
      '0000:01:00.0: System Page Size 0x3 is no single size',
    ],
  );
});

t.test('VFs are saved with their PF', async (t) => {
  const [one, other] = [example(), example()];
  one.enable(2);
  one.config.write(1, 0x0a, 0x04, 2, 4);
  other.rootComplex.load(one.rootComplex.save());
  t.equal(other.config.read(1, 0x0a, 0x04, 2), 4);
  t.equal(other.config.read(1, 0x0c, 0x04, 2), 0xffff);
});

t.test('VFs that do not fit are refused', async (t) => {
  const make = (change: Partial<SriovDescription>) => () => {
    const { rootComplex, endpoint } = segment();
    return endpoint(rootComplex.bus, 0, { sriov: { ...VFS, ...change } });
  };
  t.doesNotThrow(make({}));
  t.throws(make({ totalVfs: 125 }), /do not fit on the bus/);
  t.throws(make({ stride: 0 }), RangeError);
  t.throws(make({ vfBars: [{ ...BAR, size: 0x800 }] }), /cannot be of size 2048/);
  t.throws(make({ vfBars: [BAR, BAR] }), /taken/);
});
