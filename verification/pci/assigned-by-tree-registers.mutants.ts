/** Mistakes in the configuration space that a domain has of the devices that its passthrough device tree names. */
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_assign_pci_dev_to_dom_arm64~1'] };
const BAR = 0x10;

mutant('registers of a device are shown and not mapped', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    mapBars: (state, domain, device) => (domain.domid === 0 ? xen.pci.mapBars(state, domain, device) : 0),
  },
}));

mutant('registers are mapped where the machine has them, wherever the domain is to see them', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    barGuestFrame: (state, domain, device, bar) =>
      xen.pci.barGuestFrame(state, { ...domain, barPlaces: [] }, device, bar),
  },
}));

mutant('base address registers show where the machine has the registers', VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    readBar: (state, device, index) => state.steps.pci.configRead(state, device.sbdf, BAR + index * 4, 4),
  },
}));

mutant("what a guest writes to a base address register moves the device's own", VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    writeBar: (state, device, index, value, mask) => {
      xen.vpci.writeBar(state, device, index, value, mask);
      if (device.vpci?.decoding === false) state.steps.pci.configWrite(state, device.sbdf, BAR + index * 4, 4, value);
    },
  },
}));

mutant('base address registers move while memory decode is on', VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    writeBar: (state, device, index, value, mask) => {
      const { vpci } = device;
      if (vpci === undefined) return;
      const { decoding } = vpci;
      vpci.decoding = false;
      xen.vpci.writeBar(state, device, index, value, mask);
      vpci.decoding = decoding;
    },
  },
}));

mutant('registers stay mapped while memory decode is off', VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    setMemoryDecode: (state, device, wanted) => {
      if (wanted || device.vpci?.isHardware !== false) return xen.vpci.setMemoryDecode(state, device, wanted);
      device.vpci.decoding = false;
      return true;
    },
  },
}));

mutant('only the first base address register is unmapped when memory decode goes off', VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    setMemoryDecode: (state, device, wanted) => {
      if (wanted) return xen.vpci.setMemoryDecode(state, device, wanted);
      const { bars } = device;
      device.bars = bars.slice(0, 1);
      const done = xen.vpci.setMemoryDecode(state, device, wanted);
      device.bars = bars;
      return done;
    },
  },
}));

mutant('a base address register tells a size of half the device', VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    initBars: (state, domain, device) => {
      const bars = xen.vpci.initBars(state, domain, device);
      for (const { index, size } of device.bars) (bars.masks[index] as number) |= size / 2;
      return bars;
    },
  },
}));

mutant('registers may be placed over memory of the guest', VIOLATES, (xen) => ({
  ...xen,
  p2m: { ...xen.p2m, isOccupied: () => false },
}));

mutant('registers may be placed over what Xen emulates', VIOLATES, (xen) => ({
  ...xen,
  domain: { ...xen.domain, isEmulated: () => false },
}));

mutant('memory decode that could not go on reads as if it had', VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    setMemoryDecode: (state, device, wanted) => {
      const done = xen.vpci.setMemoryDecode(state, device, wanted);
      if (!done && device.vpci !== undefined) device.vpci.decoding = wanted;
      return true;
    },
  },
}));

mutant('registers of configuration space that Xen does not know are written at the device', VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    writeWord: (state, device, offset, value, mask) => {
      const isTaken = xen.vpci.writeWord(state, device, offset, value, mask);
      const isKnown = offset < 0x28 || device.vpci?.capabilities.some((one) => offset >= one.offset);
      return isTaken && isKnown === true;
    },
  },
}));

mutant('Command of the guest is Command of the device', VIOLATES, (xen) => ({
  ...xen,
  vpci: { ...xen.vpci, hostCommand: (_state, _device, command) => command },
}));
