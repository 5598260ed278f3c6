import t from 'tap';
import { configureBridge, segment } from './pci.test-support.js';
import type { PciFunction } from './pci-function.js';

/** A root complex that notes every change of a line as `device.pin level`. */
function example(maximumLatency = 0) {
  const made = segment(maximumLatency);
  const lines: string[] = [];
  made.rootComplex.onIntx((device, pin, level) => lines.push(`${device}.${'_ABCD'[pin]} ${level ? 1 : 0}`));
  return { ...made, lines: () => lines.splice(0) };
}

t.test('the pin is told, and driven at the root bus as it is', async (t) => {
  const { rootComplex, endpoint, config, lines } = example();
  const device = endpoint(rootComplex.bus, 3, { interruptPin: 2 });
  t.equal(config.read(0, 0x18, 0x3d, 1), 2, 'INTB');
  t.equal(config.read(0, 0x18, 0x06, 2) & 0x8, 0);
  device.setIntx(true);
  device.setIntx(true);
  t.equal(config.read(0, 0x18, 0x06, 2) & 0x8, 0x8, 'Interrupt Status');
  device.setIntx(false);
  t.same(lines(), ['3.B 1', '3.B 0']);
  t.equal(config.read(0, 0x18, 0x06, 2) & 0x8, 0);
  const without = endpoint(rootComplex.bus, 4);
  t.throws(() => without.setIntx(true), /0000:00:04.0 has no interrupt pin/);
  t.throws(() => endpoint(rootComplex.bus, 5, { interruptPin: 5 }), RangeError);
});

t.test('Interrupt Disable holds the pin, and Interrupt Status does not mind (7.5.1.1.3, 7.5.1.1.4)', async (t) => {
  const { rootComplex, endpoint, config, lines } = example();
  const device = endpoint(rootComplex.bus, 3, { interruptPin: 1 });
  config.write(0, 0x18, 0x04, 2, 0x400);
  device.setIntx(true);
  t.same(lines(), []);
  t.equal(config.read(0, 0x18, 0x06, 2) & 0x8, 0x8);
  config.write(0, 0x18, 0x04, 2, 0);
  t.same(lines(), ['3.A 1']);
  config.write(0, 0x18, 0x04, 2, 0x400);
  t.same(lines(), ['3.A 0']);
});

t.test('a function with messages enabled does not use its pin (6.1.4)', async (t) => {
  const { rootComplex, endpoint, config, lines } = example();
  const device = endpoint(rootComplex.bus, 3, {
    interruptPin: 1,
    msi: { vectors: 1, is64Bit: false, isMaskable: false },
  });
  device.setIntx(true);
  config.write(0, 0x18, 0x7e, 2, 1);
  t.same(lines(), ['3.A 1', '3.A 0']);
  t.equal(config.read(0, 0x18, 0x06, 2) & 0x8, 0);
  config.write(0, 0x18, 0x7e, 2, 0);
  t.same(lines(), ['3.A 1'], 'the device still wants it');
});

t.test('several functions on one line are a wired OR', async (t) => {
  const { rootComplex, endpoint, lines } = example();
  const [first, second] = [0, 1].map((fn) => endpoint(rootComplex.bus, 3, { function: fn, interruptPin: 1 }));
  first?.setIntx(true);
  second?.setIntx(true);
  first?.setIntx(false);
  t.same(lines(), ['3.A 1'], 'the second still asserts it');
  second?.setIntx(false);
  t.same(lines(), ['3.A 0']);
});

t.test('every bridge turns a pin by the device number below it (2.2.8.1)', async (t) => {
  const { rootComplex, endpoint, bridge, lines } = example();
  const port = bridge(rootComplex.bus, 2, 'root port');
  const upper = bridge(port.bus, 0, 'upstream port');
  const lower = bridge(upper.bus, 3, 'downstream port');
  const pciBridge = bridge(lower.bus, 0, 'pcie-to-pci bridge');
  const drive = (fn: { setIntx(level: boolean): void }) => {
    fn.setIntx(true);
    fn.setIntx(false);
    return lines();
  };
  // Behind device 0 of a link the pin is the same; INTA of device 3 below the switch is INTD above it.
  t.same(drive(endpoint(lower.bus, 1, { interruptPin: 1 })), ['2.A 1', '2.A 0'], '(0 + 1 + 3) mod 4');
  t.same(drive(endpoint(upper.bus, 1, { interruptPin: 4 })), ['2.A 1', '2.A 0'], '(3 + 1) mod 4');
  // Device 6 of the conventional bus, INTC: (2 + 6) mod 4 = INTA there, (0 + 0), (0 + 3), (3 + 0): INTD.
  t.same(drive(endpoint(pciBridge.bus, 6, { interruptPin: 3 })), ['2.D 1', '2.D 0']);
  t.same(drive(endpoint(pciBridge.bus, 7, { interruptPin: 3 })), ['2.A 1', '2.A 0']);
});

t.test('bridges need nothing to be configured to pass a pin on, and a reset lets go of it', async (t) => {
  const made = example();
  const { rootComplex, endpoint, bridge, config, lines } = made;
  const port = bridge(rootComplex.bus, 2, 'root port');
  const device = endpoint(port.bus, 0, { interruptPin: 1 });
  device.setIntx(true);
  t.same(lines(), ['2.A 1']);
  configureBridge(made, { bus: 0, devfn: 0x10 }, { secondary: 1, subordinate: 1 }, { base: 0xfff0_0000, limit: 0 });
  config.write(1, 0, 0x48, 2, 0x8000);
  t.same(lines(), ['2.A 0'], 'function level reset');
  device.setIntx(true);
  config.write(0, 0x10, 0x3e, 2, 0x40);
  t.same(lines(), ['2.A 1', '2.A 0'], 'secondary bus reset');
});

t.test('the engine of an endpoint uses its pin, or message 0', async (t) => {
  const { rootComplex, endpoint, config, mmio, lines, requests } = example();
  const msi = { vectors: 1, is64Bit: false, isMaskable: false };
  endpoint(rootComplex.bus, 3, { interruptPin: 1, msi });
  config.write(0, 0x18, 0x10, 4, 0x1000_0000);
  config.write(0, 0x18, 0x04, 2, 6);
  const store = () => {
    mmio.write(0x1000_0018, 0x4000_0000); // DESTINATION
    mmio.write(0x1000_0020, 1); // LENGTH
    mmio.write(0x1000_0034, 2); // INTERRUPT_ENABLE: DONE
    mmio.write(0x1000_002c, 2); // COMMAND: STORE
  };
  store();
  t.same(lines(), ['3.A 1']);
  mmio.write(0x1000_0038, 2); // INTERRUPT_STATUS: DONE
  t.same(lines(), ['3.A 0']);
  config.write(0, 0x18, 0x80, 4, 0x4000_8000);
  config.write(0, 0x18, 0x84, 2, 0x77);
  config.write(0, 0x18, 0x7e, 2, 1);
  store();
  t.same(lines(), []);
  t.same(
    requests.map(({ lo, data }) => [lo, data.length]),
    [
      [0x4000_0000, 1],
      [0x4000_0000, 1],
      [0x4000_8000, 4],
    ],
  );
});

t.test('the state of pins is saved, and lines follow what is loaded', async (t) => {
  const plugged = () => {
    const made = example();
    return { ...made, device: made.endpoint(made.rootComplex.bus, 3, { interruptPin: 1 }) };
  };
  const [one, other] = [plugged(), plugged()];
  const idle = one.rootComplex.save();
  one.device.setIntx(true);
  const busy = one.rootComplex.save();
  other.rootComplex.load(busy);
  t.same(other.lines(), ['3.A 1']);
  other.rootComplex.load(busy);
  t.same(other.lines(), []);
  other.rootComplex.load(idle);
  t.same(other.lines(), ['3.A 0']);
  const fn: PciFunction = other.device.fn;
  t.equal(fn.readConfig(0x06, 2) & 0x8, 0);
});
