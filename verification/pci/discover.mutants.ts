/** Mistakes in the discovery of PCI devices. */
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_discover_pci_devs_from_xen~1'] };

mutant('Xen waits to be told of devices', VIOLATES, (xen) => ({ ...xen, pci: { ...xen.pci, scan: () => {} } }));

mutant('the scan of a bus ends at the first hole', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    scanBus: (state, bridge, bus) => {
      let found = false;
      for (let device = 0; device < 32; device++) {
        const present = state.steps.pci.detect(state, { segment: bridge.segment, bus, device, function: 0 });
        if (found && !present) return;
        found ||= present;
        state.steps.pci.scanDevice(state, bridge, bus, device);
      }
    },
  },
}));

mutant('the scan of a bus leaves out its last device', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    scanBus: (state, bridge, bus) => {
      for (let device = 0; device < 31; device++) state.steps.pci.scanDevice(state, bridge, bus, device);
    },
  },
}));

mutant('functions 1 to 7 are looked for although function 0 says that it is alone', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, isMultiFunction: () => true },
}));

mutant('functions 1 to 7 are looked for nowhere', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, isMultiFunction: () => false },
}));

mutant('functions are looked for up to the first that is missing', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    scanDevice: (state, bridge, bus, device) => {
      const { detect, isMultiFunction, scanFunction } = state.steps.pci;
      const first = { segment: bridge.segment, bus, device, function: 0 };
      for (let fn = 0; fn < 8; fn++) {
        const sbdf = { ...first, function: fn };
        if (!detect(state, sbdf)) return;
        scanFunction(state, bridge, sbdf);
        if (fn === 0 && !isMultiFunction(state, first)) return;
      }
    },
  },
}));

mutant('no bridge is crossed', VIOLATES, (xen) => ({ ...xen, pci: { ...xen.pci, descend: () => {} } }));

mutant('behind a bridge that firmware left alone, the next bus is scanned', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    secondaryBus: (state, sbdf) => xen.pci.secondaryBus(state, sbdf) || sbdf.bus + 1,
  },
}));

mutant('a bridge that firmware left alone is given a bus', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    secondaryBus: (state, sbdf) => {
      const bus = xen.pci.secondaryBus(state, sbdf);
      if (bus !== 0) return bus;
      // Primary, secondary and subordinate bus: 0, 6, 6.
      state.steps.pci.configWrite(state, sbdf, 0x18, 4, 0x0006_0600);
      return 6;
    },
  },
}));

mutant('only the first host bridge is scanned', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    scan: (state) => {
      const [bridge] = state.platform.hostBridges;
      if (bridge !== undefined) state.steps.pci.scanBus(state, bridge, bridge.firstBus);
    },
  },
}));

mutant('an empty slot is taken for a device of one function', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, detect: (state, sbdf) => sbdf.function === 0 || xen.pci.detect(state, sbdf) },
}));

mutant('a device has two bits in a devfn', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, deviceKey: (_state, sbdf) => (sbdf.bus << 8) | (sbdf.device << 2) | sbdf.function },
}));

mutant('configuration space is addressed with devices four functions apart', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    ecamOffset: (_state, bridge, sbdf) =>
      (sbdf.bus - bridge.firstBus) * 2 ** 20 + sbdf.device * 2 ** 14 + sbdf.function * 2 ** 12,
  },
}));

mutant('decoding of memory stays off after the BARs were sized', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    readBars: (state, sbdf, headerType) => {
      const bars = xen.pci.readBars(state, sbdf, headerType);
      const command = state.steps.pci.configRead(state, sbdf, 0x04, 2);
      state.steps.pci.configWrite(state, sbdf, 0x04, 2, command & ~2);
      return bars;
    },
  },
}));

mutant('a BAR of 64 bits is restored in its lower half only', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    sizeBar: (state, sbdf, offset, last) => {
      const bar = xen.pci.sizeBar(state, sbdf, offset, last);
      if (bar.registers === 2) state.steps.pci.configWrite(state, sbdf, offset + 4, 4, 0xffff_ffff);
      return bar;
    },
  },
}));

mutant('the last bus behind a bridge is taken for the first', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, secondaryBus: (state, sbdf) => state.steps.pci.configRead(state, sbdf, 0x1a, 1) },
}));

mutant('base address registers are sized while the device answers', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    readBars: (state, sbdf, headerType) => {
      const { configWrite } = state.steps.pci;
      const quiet: typeof configWrite = (_state, to, offset, width, value) => {
        if (offset !== 0x04) configWrite(state, to, offset, width, value);
      };
      const steps = { ...state.steps, pci: { ...state.steps.pci, configWrite: quiet } };
      return xen.pci.readBars({ ...state, steps }, sbdf, headerType);
    },
  },
}));

mutant('the bit for several functions is taken for a part of the header type', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, readHeaderType: (state, sbdf) => state.steps.pci.configRead(state, sbdf, 0x0e, 1) },
}));

mutant('a function whose numbers segment 0 has already is passed over', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    scanFunction: (state, bridge, sbdf) => {
      if (state.steps.pci.findDevice(state, { ...sbdf, segment: 0 }) !== undefined) return;
      xen.pci.scanFunction(state, bridge, sbdf);
    },
  },
}));

mutant('the bus is left out of the key of a function', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, deviceKey: (_state, sbdf) => (sbdf.device << 3) | sbdf.function },
}));
