import t from 'tap';
import { ConfigSpace } from './config-space.js';

t.test('read-only, writable and write-1-to-clear bits of one register', async (t) => {
  const config = new ConfigSpace();
  config.define(0x44, 2, { reset: 0x8421, writable: 0x0ff0, writeOneToClear: 0x8000 });
  t.equal(config.read(0x44, 2), 0x8421);
  config.write(0x44, 2, 0x7fff);
  t.equal(config.read(0x44, 2), 0x8ff1, 'the read-only 1 stays, the clearable bit was written 0');
  config.write(0x44, 2, 0x8000);
  t.equal(config.read(0x44, 2), 0x0001);
  config.reset();
  t.equal(config.read(0x44, 2), 0x8421);
});

t.test('accesses of 1, 2 and 4 bytes touch the bytes that they name', async (t) => {
  const config = new ConfigSpace();
  config.define(0x50, 4, { writable: 0xffff_ffff });
  config.write(0x50, 4, 0x1234_5678);
  config.write(0x51, 1, 0xaa);
  config.write(0x52, 2, 0xbbcc);
  t.equal(config.read(0x50, 4), 0xbbcc_aa78);
  t.equal(config.read(0x53, 1), 0xbb);
  t.equal(config.read(0x50, 2), 0xaa78);
});

t.test('a write to a neighbour does not clear a write-1-to-clear bit', async (t) => {
  const config = new ConfigSpace();
  config.define(0x04, 2, { writable: 0x0007 });
  config.define(0x06, 2, { reset: 0x2000, writeOneToClear: 0xf900 });
  config.write(0x04, 2, 0xffff);
  t.equal(config.read(0x06, 2), 0x2000);
  config.write(0x04, 4, 0x2000_0000);
  t.equal(config.read(0x06, 2), 0);
});

t.test('capabilities form a list from 0x34, and Status says that there is one', async (t) => {
  const config = new ConfigSpace();
  t.equal(config.read(0x06, 2) & 0x10, 0);
  t.equal(config.addCapability(0x10, 0x3c), 0x40);
  t.equal(config.addCapability(0x05, 14), 0x7c);
  t.equal(config.read(0x06, 2) & 0x10, 0x10);
  t.equal(config.read(0x34, 1), 0x40);
  t.equal(config.read(0x40, 2), 0x7c10, 'id and next');
  t.equal(config.read(0x7c, 2), 0x0005, 'the last one');
  t.throws(() => config.addCapability(0x11, 0x100), /no room/);
});

t.test('extended configuration space without capabilities says that it holds nothing (7.6.3)', async (t) => {
  const config = new ConfigSpace();
  config.write(0x100, 4, 0xffff_ffff);
  t.equal(config.read(0x100, 4), 0);
  t.equal(config.read(0xffc, 4), 0);
});

t.test('extended capabilities form a list from 0x100: id 15:0, version 19:16, next 31:20', async (t) => {
  const config = new ConfigSpace();
  config.define(0x0c, 1, { reset: 0x10 });
  t.equal(config.addExtendedCapability(0x000d, 1, 8), 0x100);
  t.equal(config.read(0x100, 4), 0x0001_000d);
  t.equal(config.addExtendedCapability(0x0010, 2, 0x40), 0x108);
  t.equal(config.read(0x100, 4), 0x1081_000d);
  t.equal(config.read(0x108, 4), 0x0002_0010);
  t.equal(config.read(0x0c, 1), 0x10, 'the first 256 bytes are as they were');
  config.define(0x10c, 2, { reset: 3, writable: 0xff });
  config.write(0x10c, 2, 0xffff);
  t.equal(config.read(0x10c, 4), 0xff);
  config.reset();
  t.equal(config.read(0x10c, 4), 3);
  t.equal(config.read(0x100, 4), 0x1081_000d);
  t.throws(() => config.addExtendedCapability(1, 1, 0xf00), /no room/);
});

t.test('what the function sets itself is not for software to write', async (t) => {
  const config = new ConfigSpace();
  config.define(0x50, 4, {});
  config.set(0x51, 1, 0xab);
  config.write(0x50, 4, 0);
  t.equal(config.read(0x50, 4), 0xab00);
});

t.test('a saved configuration space is loaded as it was', async (t) => {
  const config = new ConfigSpace();
  config.define(0x0c, 1, { writable: 0xff });
  config.write(0x0c, 1, 0x10);
  const saved = config.save();
  config.write(0x0c, 1, 0x20);
  config.load(saved);
  t.equal(config.read(0x0c, 1), 0x10);
});
