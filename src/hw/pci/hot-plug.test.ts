import t from 'tap';
import { configureBridge, placeEndpoint, segment } from './pci.test-support.js';

const MEMORY = 0x1010_0000;
const write = { write: true, hi: 0, lo: 0x4000_0000, data: Uint8Array.of(1) };

/** A root port 00:01.0, behind it an endpoint 01:00.0 with MSI and INTA, running. */
function example(maximumLatency = 0) {
  const made = segment(maximumLatency);
  const { rootComplex, bridge, endpoint, config } = made;
  const port = bridge(rootComplex.bus, 1, 'root port');
  const device = endpoint(port.bus, 0, { interruptPin: 1, msi: { vectors: 1, is64Bit: true, isMaskable: false } });
  const lines: boolean[] = [];
  rootComplex.onIntx((_device, _pin, level) => lines.push(level));
  const configure = () => {
    configureBridge(made, { bus: 0, devfn: 8 }, { secondary: 1, subordinate: 1 }, { base: MEMORY, limit: MEMORY });
    placeEndpoint(made, { bus: 1, devfn: 0 }, MEMORY);
  };
  configure();
  config.write(1, 0, 0x80, 4, 0x4000_0000);
  return { ...made, port, device, lines, configure };
}

t.test('a function out of its slot answers nothing, decodes nothing and sends nothing', async (t) => {
  const { rootComplex, device, config, mmio, lines, requests } = example();
  config.write(1, 0, 0x7e, 2, 1);
  rootComplex.unplug(device.fn);
  t.equal(config.read(1, 0, 0x00, 4), 0xffff_ffff);
  t.equal(config.read(1, 0, 0x0e, 1), 0xff);
  config.write(1, 0, 0x04, 2, 6);
  t.equal(mmio.read(MEMORY), 0xffff_ffff);
  mmio.write(MEMORY + 0x1000, 1);
  t.equal(device.run(write).ok, false);
  t.equal(device.signal(0), 'disabled');
  device.setIntx(true);
  t.same(lines, []);
  t.same(requests, []);
  t.same(
    [...rootComplex.functions()].map(({ fn }) => fn.devfn),
    [8],
  );
});

t.test('an INTx that it asserted is gone with it', async (t) => {
  const { rootComplex, device, lines } = example();
  device.setIntx(true);
  rootComplex.unplug(device.fn);
  t.same(lines, [true, false]);
});

t.test('what was on its way lands, and its command ends unseen', async (t) => {
  const { rootComplex, device, latency, memory } = example(20);
  const result = device.start(write);
  rootComplex.unplug(device.fn);
  latency.settle();
  t.same(result(), { ok: true, data: undefined });
  t.same(memory.changed(), [{ address: 0x4000_0000, length: 1 }]);
});

t.test('back in its slot it is as out of reset, and knows no bus number until it is told', async (t) => {
  const { rootComplex, device, config, mmio, configure, requests } = example();
  mmio.write(MEMORY + 0x1000, 0x55);
  rootComplex.unplug(device.fn);
  t.equal(rootComplex.slot({ segment: 0, bus: 1, device: 0, function: 0 }), device.fn, 'the slot is still there');
  rootComplex.plug(device.fn);
  t.equal(config.read(1, 0, 0x00, 4), 0x0001_5457);
  t.equal(device.fn.capturedBus, 0);
  t.equal(config.read(1, 0, 0x04, 2), 0);
  t.equal(config.read(1, 0, 0x10, 4), 0);
  t.equal(config.read(1, 0, 0x80, 4), 0, 'the message address');
  t.equal(device.run(write).ok, false);
  configure();
  t.equal(mmio.read(MEMORY + 0x1000), 0, 'its buffer');
  t.equal(device.run(write).ok, true);
  t.equal(requests[0]?.requester, 0x0100);
});

t.test('a bridge goes and comes with all that is behind it', async (t) => {
  const { rootComplex, port, device, config, configure } = example();
  rootComplex.unplug(port);
  t.equal(config.read(0, 8, 0, 4), 0xffff_ffff);
  t.equal(config.read(1, 0, 0, 4), 0xffff_ffff);
  t.equal(device.run(write).ok, false);
  rootComplex.plug(port);
  t.equal(config.read(0, 8, 0x18, 4), 0, 'its bus numbers are 0');
  configure();
  t.equal(device.run(write).ok, true);
});

t.test('slots are saved', async (t) => {
  const [one, other] = [example(), example()];
  one.rootComplex.unplug(one.device.fn);
  other.rootComplex.load(one.rootComplex.save());
  t.equal(other.config.read(1, 0, 0, 4), 0xffff_ffff);
  other.rootComplex.load(example().rootComplex.save());
  t.equal(other.config.read(1, 0, 0, 4), 0x0001_5457);
});
