import t from 'tap';
import { PciFunction } from './pci-function.js';

function example(): PciFunction {
  return new PciFunction(
    {
      device: 3,
      function: 5,
      vendorId: 0x1234,
      deviceId: 0x5678,
      classCode: 0xff_0000,
      revision: 2,
      bars: [
        { index: 0, size: 0x4000, is64Bit: true, prefetchable: true },
        { index: 2, size: 0x10, is64Bit: false, prefetchable: false },
        { index: 4, size: 0x2_0000_0000, is64Bit: true, prefetchable: false },
      ],
      portType: 'endpoint',
    },
    undefined,
  );
}

t.test('the type 0 header tells who it is (PCI Express Base 7.5.1.1)', async (t) => {
  const fn = example();
  t.equal(fn.readConfig(0x00, 4), 0x5678_1234);
  t.equal(fn.readConfig(0x08, 4), 0xff00_0002, 'class code and revision');
  t.equal(fn.readConfig(0x0e, 1), 0);
  fn.writeConfig(0, 0x00, 4, 0);
  fn.writeConfig(0, 0x08, 4, 0);
  t.equal(fn.readConfig(0x00, 4), 0x5678_1234, 'read-only');
  t.equal(fn.readConfig(0x08, 4), 0xff00_0002);
  t.equal(fn.readConfig(0x30, 4), 0, 'no expansion ROM');
  t.equal(fn.readConfig(0x3d, 1), 0, 'no interrupt pin');
});

t.test('writing all ones to a base address register tells its size (PCI 3.0 6.2.5.1)', async (t) => {
  const fn = example();
  for (const offset of [0x10, 0x14, 0x18, 0x1c, 0x20, 0x24]) fn.writeConfig(0, offset, 4, 0xffff_ffff);
  t.equal(fn.readConfig(0x10, 4), 0xffff_c00c, '16 KiB, 64-bit, prefetchable');
  t.equal(fn.readConfig(0x14, 4), 0xffff_ffff);
  t.equal(fn.readConfig(0x18, 4), 0xffff_fff0, '16 bytes, 32-bit');
  t.equal(fn.readConfig(0x1c, 4), 0, 'not there');
  t.equal(fn.readConfig(0x20, 4), 0x0000_0004, '8 GiB: nothing of the lower half');
  t.equal(fn.readConfig(0x24, 4), 0xffff_fffe);
});

t.test('memory is decoded only with memory space enabled, at the address that was written', async (t) => {
  const fn = example();
  fn.writeConfig(0, 0x10, 4, 0x8000_4000);
  fn.writeConfig(0, 0x14, 4, 0x0000_0001);
  fn.writeConfig(0, 0x18, 4, 0x1000_0000);
  fn.writeConfig(0, 0x24, 4, 0x0000_0100);
  t.equal(fn.decode(0x1_8000_4000), undefined);
  fn.writeConfig(0, 0x04, 2, 0x2);
  t.same(fn.decode(0x1_8000_4000)?.bar.index, 0);
  t.same(fn.decode(0x1_8000_7fff)?.offset, 0x3fff);
  t.equal(fn.decode(0x1_8000_8000), undefined);
  t.equal(fn.decode(0x8000_4000), undefined, 'all 64 bits count');
  t.same(fn.decode(0x1000_000f)?.bar.index, 2);
  t.equal(fn.decode(0x1000_0010), undefined);
});

t.test('of the Command register only what is implemented can be set', async (t) => {
  const fn = example();
  fn.writeConfig(0, 0x04, 2, 0xffff);
  t.equal(fn.readConfig(0x04, 2), 0x0546, 'memory, bus master, parity, SERR, interrupt disable; no I/O');
  t.ok(fn.busMasterEnabled);
  fn.writeConfig(0, 0x04, 2, 0x0002);
  t.notOk(fn.busMasterEnabled);
});

t.test('the PCI Express capability (7.5.3) is the first of the list', async (t) => {
  const fn = example();
  t.equal(fn.readConfig(0x06, 2) & 0x10, 0x10);
  t.equal(fn.readConfig(0x34, 1), 0x40);
  t.equal(fn.readConfig(0x40, 1), 0x10);
  t.equal(fn.readConfig(0x41, 1), 0);
  t.equal(fn.readConfig(0x42, 2), 0x0002, 'version 2, endpoint');
  t.equal(fn.readConfig(0x44, 4) & 0x1000_0000, 0x1000_0000, 'function level reset');
});

t.test('a function level reset (6.6.2) brings the registers back, whatever width starts it', async (t) => {
  const fn = example();
  for (const [offset, width, value] of [
    [0x48, 2, 0x8000],
    [0x48, 4, 0x8000],
    [0x49, 1, 0x80],
  ] as const) {
    fn.writeConfig(7, 0x04, 2, 0x6);
    fn.writeConfig(7, offset, width, value);
    t.equal(fn.readConfig(0x04, 2), 0);
    t.equal(fn.readConfig(0x49, 1) & 0x80, 0, 'reads as 0');
  }
  fn.writeConfig(7, 0x04, 2, 0x6);
  fn.writeConfig(7, 0x48, 2, 0x0010);
  fn.writeConfig(7, 0x48, 1, 0x80);
  t.equal(fn.readConfig(0x04, 2), 0x6, 'other bits reset nothing');
});

t.test('a function learns its bus number from configuration writes (2.2.6.2)', async (t) => {
  const fn = example();
  t.equal(fn.capturedBus, 0);
  fn.readConfig(0, 4);
  fn.writeConfig(5, 0x3c, 1, 0);
  t.equal(fn.capturedBus, 5);
});

t.test('base address registers that cannot be are refused', async (t) => {
  const make = (index: number, size: number, is64Bit: boolean) =>
    new PciFunction({ ...example().description, bars: [{ index, size, is64Bit, prefetchable: false }] }, undefined);
  t.throws(() => make(0, 8, false), /cannot be of size 8/);
  t.throws(() => make(0, 0x3000, false), RangeError);
  t.throws(() => make(0, 0x1_0000_0000, false), RangeError);
  t.throws(() => make(5, 0x1000, true), /does not exist or is taken/);
  t.throws(() => make(6, 0x1000, false), RangeError);
});
