/** Mistakes in delivering SPIs that a driver of a GICv2 makes. */
import { put } from '../../src/hw/bits.js';
import { GICH_LR } from '../../src/hw/gic/gicv2/layout.js';
import { FIRST_SPI } from '../../src/xen/gic/driver.js';
import type { XenSteps } from '../../src/xen/index.js';
import type { PendingIrq } from '../../src/xen/vgic/state.js';
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_deliver_spis_to_dom~1'], features: ['gicv2'] };

/** List registers of SPIs are written otherwise. */
function encoding(xen: XenSteps, change: (words: Uint32Array, irq: PendingIrq) => void): XenSteps {
  return {
    ...xen,
    gicv2: {
      ...xen.gicv2,
      encodeLr: (state, irq, lrState, out) => {
        xen.gicv2.encodeLr(state, irq, lrState, out);
        if (irq.physical >= 0) change(out, irq);
      },
    },
  };
}

mutant('GICH_LR.HW is not set', VIOLATES, (xen) =>
  encoding(xen, (words) => {
    put(words, GICH_LR.HW, 0);
    put(words, GICH_LR.PhysicalID, 0);
  }),
);

mutant('GICH_LR.VirtualID is too large by the number of the first SPI', VIOLATES, (xen) =>
  encoding(xen, (words, irq) => put(words, GICH_LR.VirtualID, irq.virq + FIRST_SPI)),
);

mutant(
  'the guest deactivates another physical interrupt: GICH_LR.PhysicalID counts from the first SPI',
  VIOLATES,
  (xen) => encoding(xen, (words, irq) => put(words, GICH_LR.PhysicalID, irq.physical - FIRST_SPI)),
);

mutant('of two interrupts neither is the more urgent: GICH_LR.Priority is 0', VIOLATES, (xen) =>
  encoding(xen, (words) => put(words, GICH_LR.Priority, 0)),
);

mutant('of two interrupts the wrong one is urgent: GICH_LR.Priority has the lower bits', VIOLATES, (xen) =>
  encoding(xen, (words, irq) => put(words, GICH_LR.Priority, irq.listedPriority & GICH_LR.Priority.mask)),
);

mutant('every list register is of CPU 0', VIOLATES, (xen) => ({
  ...xen,
  gicv2: {
    ...xen.gicv2,
    writeHypervisorInterface: (state, _cpu, offset, value) =>
      xen.gicv2.writeHypervisorInterface(state, 0, offset, value),
  },
}));

mutant('GICD_ITARGETSR of every interrupt is CPU 0', VIOLATES, (xen) => ({
  ...xen,
  gicv2: { ...xen.gicv2, setAffinity: (state, irq) => xen.gicv2.setAffinity(state, irq, 0) },
}));

mutant('GICD_ITARGETSR holds the number of the CPU', VIOLATES, (xen) => ({
  ...xen,
  gicv2: {
    ...xen.gicv2,
    setAffinity: (state, irq, cpu) => {
      const gic = state.gic && { ...state.gic, targets: state.gic.targets.map((_, number) => number) };
      xen.gicv2.setAffinity({ ...state, gic }, irq, cpu);
    },
  },
}));

mutant('GICD_ICFGR of a GICv2 has no edge', VIOLATES, (xen) => ({
  ...xen,
  gicv2: { ...xen.gicv2, setType: () => {} },
}));

mutant('GICD_ICFGR of a GICv2 has one bit for each interrupt', VIOLATES, (xen) => ({
  ...xen,
  gicv2: { ...xen.gicv2, setType: (state, irq, type) => xen.gicv2.setType(state, Math.floor(irq / 2), type) },
}));

mutant('GICD_ICENABLER of a GICv2 is not written: the next domain finds its interrupt enabled', VIOLATES, (xen) => ({
  ...xen,
  gicv2: {
    ...xen.gicv2,
    disable: (state, irq, cpu) => {
      if (state.irqs.get(irq)?.owner !== 'guest') xen.gicv2.disable(state, irq, cpu);
    },
  },
}));

mutant('GICC_EOIR is not written for interrupts of guests', VIOLATES, (xen) => ({
  ...xen,
  gicv2: {
    ...xen.gicv2,
    eoi: (state, cpu, acknowledged) => {
      if (acknowledged < FIRST_SPI || state.irqs.get(acknowledged)?.owner !== 'guest')
        xen.gicv2.eoi(state, cpu, acknowledged);
    },
  },
}));

mutant('GICH_APR does not come back with its vCPU', VIOLATES, (xen) => ({
  ...xen,
  gicv2: {
    ...xen.gicv2,
    restoreInterface: (state, cpu, own) =>
      xen.gicv2.restoreInterface(state, cpu, { ...own, activePriorities: own.activePriorities.map(() => 0) }),
  },
}));

mutant('GICH_VMCR does not come back with its vCPU', VIOLATES, (xen) => ({
  ...xen,
  gicv2: {
    ...xen.gicv2,
    restoreInterface: (state, cpu, own) => xen.gicv2.restoreInterface(state, cpu, { ...own, vmcr: 0 }),
  },
}));
