/** Mistakes in who has an SPI, and in what is left of it when its device goes. */
import { FIRST_SPI } from '../../src/xen/gic/driver.js';
import type { XenSteps } from '../../src/xen/index.js';
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_deliver_spis_to_dom~1'] };

/** An interrupt may go to a domain that does not have it, as `transfer` says. */
function withTransfer(xen: XenSteps, transfer: boolean): XenSteps {
  return {
    ...xen,
    dt: { ...xen.dt, sharesInterrupt: () => false },
    irq: {
      ...xen.irq,
      routeToGuest: (state, domain, virq, irq) => {
        const known = state.irqs.get(irq);
        if (known?.owner !== 'guest' || known.domain === domain) return xen.irq.routeToGuest(state, domain, virq, irq);
        if (transfer) {
          known.domain = domain;
          known.virtual = domain.vgic?.spis[virq - FIRST_SPI];
          state.steps.irq.connect(state, known);
        }
        return 0;
      },
    },
  };
}

mutant('an interrupt that one domain must have can be had by another', VIOLATES, (xen) => withTransfer(xen, false));

mutant('an interrupt must have the domain that asks for it last', VIOLATES, (xen) => withTransfer(xen, true));

mutant('a domain needs no permission to be given an interrupt', VIOLATES, (xen) => ({
  ...xen,
  irq: { ...xen.irq, isPermitted: () => true },
}));

mutant('what is no SPI but of one CPU is routed silently', VIOLATES, (xen) => ({
  ...xen,
  irq: {
    ...xen.irq,
    routeToGuest: (state, domain, virq, irq) => (irq < FIRST_SPI ? 0 : xen.irq.routeToGuest(state, domain, virq, irq)),
  },
}));

mutant('an interrupt beyond the last line of the machine is routed on record', VIOLATES, (xen) => ({
  ...xen,
  irq: {
    ...xen.irq,
    routeToGuest: (state, domain, virq, irq) =>
      irq >= (state.gic?.lines ?? 0) ? 0 : xen.irq.routeToGuest(state, domain, virq, irq),
  },
}));

/** Unties interrupts with one step left out. */
function disconnecting(xen: XenSteps, gic: Partial<XenSteps['gic']>, vgic: Partial<XenSteps['vgic']> = {}): XenSteps {
  return {
    ...xen,
    irq: {
      ...xen.irq,
      disconnect: (state, irq) => {
        const steps = { ...state.steps, gic: { ...state.steps.gic, ...gic }, vgic: { ...state.steps.vgic, ...vgic } };
        xen.irq.disconnect({ ...state, steps }, irq);
      },
    },
  };
}

mutant('the next domain of a device finds its interrupt enabled', VIOLATES, (xen) =>
  disconnecting(xen, { disable: () => {} }),
);

mutant('an interrupt that was pending for its last domain is pending for the next', VIOLATES, (xen) =>
  disconnecting(xen, { clearPending: () => {} }),
);

mutant('an interrupt that was active comes to the next domain of its device active', VIOLATES, (xen) =>
  disconnecting(xen, { clearActive: () => {} }),
);

mutant('an interrupt is left at its vCPU when its device is taken from its domain', VIOLATES, (xen) =>
  disconnecting(xen, {}, { forget: () => {} }),
);

mutant('a domain that its device is taken from is left with turning its interrupt on and off', VIOLATES, (xen) => ({
  ...xen,
  irq: {
    ...xen.irq,
    disconnect: (state, irq) => {
      const { virtual } = irq;
      xen.irq.disconnect(state, irq);
      if (virtual !== undefined) virtual.physical = irq.irq;
    },
  },
}));

mutant('nothing of an interrupt is released at the end of its domain', VIOLATES, (xen) => ({
  ...xen,
  dt: { ...xen.dt, releaseInterrupts: () => 0 },
  irq: { ...xen.irq, releaseAll: () => 0 },
}));
