/** Mistakes in mapping base address registers of PCI functions. */
import { gfn } from '../../src/xen/frames.js';
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_map_dev_mem_region~1'], features: ['pci'] };

mutant('only the first base address register is mapped', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    readBars: (state, sbdf, headerType) => xen.pci.readBars(state, sbdf, headerType).slice(0, 1),
  },
}));

mutant('of a base address register of 64 bits, the lower half is taken', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    sizeBar: (state, sbdf, offset, last) => {
      const bar = xen.pci.sizeBar(state, sbdf, offset, last);
      return { ...bar, bus: bar.bus % 2 ** 32 };
    },
  },
}));

mutant('PCI addresses are taken for those of the CPUs', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    readBars: (state, sbdf, headerType) =>
      xen.pci.readBars(state, sbdf, headerType).map((bar) => {
        const bridge = state.steps.pci.findHostBridge(state, sbdf);
        const window = bridge?.windows.find((w) => w.address <= bar.address && bar.address < w.address + w.size);
        return window === undefined ? bar : { ...bar, address: bar.address - window.address + window.bus };
      }),
  },
}));

mutant('a domain that loses a device keeps its registers', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, unmapBars: () => 0 },
}));

mutant('a domain that loses a device keeps its registers where it has them for a second time', VIOLATES, (xen) => ({
  ...xen,
  pci: {
    ...xen.pci,
    unmapBars: (state, domain, device) => {
      const elsewhere = domain.mmio.filter((run) => (run.gfn as number) !== run.mfn);
      domain.mmio = domain.mmio.filter((run) => (run.gfn as number) === run.mfn);
      const error = xen.pci.unmapBars(state, domain, device);
      domain.mmio = [...domain.mmio, ...elsewhere];
      return error;
    },
  },
}));

mutant(
  'base address registers are mapped where the device has them, whatever the configuration says',
  VIOLATES,
  (xen) => ({
    ...xen,
    pci: {
      ...xen.pci,
      barGuestFrame: (state, _domain, _device, bar) => gfn(state.steps.pci.barFrames(state, bar).first),
    },
  }),
);

mutant(
  'the place of a base address register goes to the device of the same numbers in another segment',
  VIOLATES,
  (xen) => ({
    ...xen,
    pci: {
      ...xen.pci,
      barGuestFrame: (state, domain, device, bar) => {
        const barPlaces = domain.barPlaces.map((place) => ({
          ...place,
          sbdf: { ...place.sbdf, segment: device.sbdf.segment },
        }));
        return xen.pci.barGuestFrame(state, { ...domain, barPlaces }, device, bar);
      },
    },
  }),
);
