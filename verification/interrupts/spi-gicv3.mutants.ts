/** Mistakes in delivering SPIs that a driver of a GICv3 makes. */
import { put } from '../../src/hw/bits.js';
import { ICH_LR } from '../../src/hw/gic/gicv3/layout.js';
import { FIRST_SPI } from '../../src/xen/gic/driver.js';
import type { XenSteps } from '../../src/xen/index.js';
import type { PendingIrq } from '../../src/xen/vgic/state.js';
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_deliver_spis_to_dom~1'], features: ['gicv3'] };

/** List registers of SPIs are written otherwise. */
function encoding(xen: XenSteps, change: (words: Uint32Array, irq: PendingIrq) => void): XenSteps {
  return {
    ...xen,
    gicv3: {
      ...xen.gicv3,
      encodeLr: (state, irq, lrState, out) => {
        xen.gicv3.encodeLr(state, irq, lrState, out);
        if (irq.physical >= 0) change(out, irq);
      },
    },
  };
}

mutant('ICH_LR.HW is not set', VIOLATES, (xen) =>
  encoding(xen, (words) => {
    put(words, ICH_LR.HW, 0);
    put(words, ICH_LR.pINTID, 0);
  }),
);

mutant('ICH_LR.vINTID is too large by the number of the first SPI', VIOLATES, (xen) =>
  encoding(xen, (words, irq) => put(words, ICH_LR.vINTID, irq.virq + FIRST_SPI)),
);

mutant('the guest deactivates another physical interrupt: ICH_LR.pINTID counts from the first SPI', VIOLATES, (xen) =>
  encoding(xen, (words, irq) => put(words, ICH_LR.pINTID, irq.physical - FIRST_SPI)),
);

mutant('of two interrupts neither is the more urgent: ICH_LR.Priority is 0', VIOLATES, (xen) =>
  encoding(xen, (words) => put(words, ICH_LR.Priority, 0)),
);

mutant('ICH_LR.Group is of the interrupts that nobody enables', VIOLATES, (xen) =>
  encoding(xen, (words) => put(words, ICH_LR.Group, 0)),
);

mutant('GICD_IROUTER of every interrupt is CPU 0', VIOLATES, (xen) => ({
  ...xen,
  gicv3: { ...xen.gicv3, setAffinity: (state, irq) => xen.gicv3.setAffinity(state, irq, 0) },
}));

mutant('GICD_ICFGR has no edge', VIOLATES, (xen) => ({
  ...xen,
  gicv3: { ...xen.gicv3, setType: () => {} },
}));

mutant('GICD_ICFGR has one bit for each interrupt', VIOLATES, (xen) => ({
  ...xen,
  gicv3: { ...xen.gicv3, setType: (state, irq, type) => xen.gicv3.setType(state, Math.floor(irq / 2), type) },
}));

mutant('GICD_ICENABLER is not written: the next domain finds its interrupt enabled', VIOLATES, (xen) => ({
  ...xen,
  gicv3: {
    ...xen.gicv3,
    disable: (state, irq, cpu) => {
      if (state.irqs.get(irq)?.owner !== 'guest') xen.gicv3.disable(state, irq, cpu);
    },
  },
}));

mutant('ICC_EOIR1_EL1 is not written for interrupts of guests', VIOLATES, (xen) => ({
  ...xen,
  gicv3: {
    ...xen.gicv3,
    eoi: (state, cpu, acknowledged) => {
      if (acknowledged < FIRST_SPI || state.irqs.get(acknowledged)?.owner !== 'guest')
        xen.gicv3.eoi(state, cpu, acknowledged);
    },
  },
}));

mutant('ICH_AP1R<n>_EL2 do not come back with their vCPU', VIOLATES, (xen) => ({
  ...xen,
  gicv3: {
    ...xen.gicv3,
    restoreInterface: (state, cpu, own) =>
      xen.gicv3.restoreInterface(state, cpu, { ...own, activePriorities: own.activePriorities.map(() => 0) }),
  },
}));

mutant('ICH_VMCR_EL2 does not come back with its vCPU', VIOLATES, (xen) => ({
  ...xen,
  gicv3: {
    ...xen.gicv3,
    restoreInterface: (state, cpu, own) => xen.gicv3.restoreInterface(state, cpu, { ...own, vmcr: 0 }),
  },
}));
