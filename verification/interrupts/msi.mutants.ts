/** Mistakes in delivering messages to a domain: which interrupt, which vCPU, whether and when. */
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_deliver_msis_to_dom~1'] };

mutant('no event of a device is ever bound to an interrupt of the guest', VIOLATES, (xen) => ({
  ...xen,
  vits: { ...xen.vits, bindEvent: () => {} },
}));

mutant('the doorbell is not mapped', VIOLATES, (xen) => ({ ...xen, vits: { ...xen.vits, mapDoorbell: () => 0 } }));

mutant('every message comes to the first vCPU', VIOLATES, (xen) => ({
  ...xen,
  vits: { ...xen.vits, targetOf: (_state, event) => event.device.vits.domain.vcpus[0] },
}));

mutant('a message comes to the vCPU whose number is that of its collection', VIOLATES, (xen) => ({
  ...xen,
  vits: { ...xen.vits, targetOf: (_state, { device, icid }) => device.vits.domain.vcpus[icid] },
}));

mutant('an event is bound to the interrupt of the event behind it', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    hostLpiOf: (state, event) => xen.vits.hostLpiOf(state, { ...event, event: event.event + 1 }),
  },
}));

mutant('of several messages by MSI only the first is enabled', VIOLATES, (xen) => ({
  ...xen,
  vpci: { ...xen.vpci, limitVectors: () => 0 },
}));

mutant('an entry of MSI-X gets the data of the entry before it', VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    programEntry: (state, device, index) => {
      const msix = device.vpci?.msix;
      if (msix === undefined || index === 0) return xen.vpci.programEntry(state, device, index);
      const own = msix.entries[index * 4 + 2] as number;
      msix.entries[index * 4 + 2] = msix.entries[index * 4 - 2] as number;
      xen.vpci.programEntry(state, device, index);
      msix.entries[index * 4 + 2] = own;
    },
  },
}));

mutant('an entry of MSI-X that is masked is not masked at the device', VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    maskEntry: (state, device, index, masked) => {
      if (!masked) xen.vpci.maskEntry(state, device, index, masked);
    },
  },
}));

mutant('the mask of all entries is not given to the device', VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    enableMsix: (state, device, enabled) => xen.vpci.enableMsix(state, device, enabled, false),
  },
}));

mutant('masks of MSI are given to the device when messages are enabled, and never again', VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    maskMsi: (state, device) => {
      if (device.vpci?.msi?.enabled !== true) xen.vpci.maskMsi(state, device);
    },
  },
}));

mutant('an entry that is written while it is masked keeps its message at the device', VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    writeEntry: (state, device, offset, value) => {
      xen.vpci.writeEntry(state, device, offset, value);
      const msix = device.vpci?.msix;
      if (msix?.enabled === true && msix.touched.size > 0) msix.stale.clear();
    },
  },
}));

mutant('a message whose interrupt the guest has disabled is dropped', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    setPending: (state, vcpu, irq) => {
      if (irq.enabled) xen.vits.setPending(state, vcpu, irq);
    },
  },
}));

mutant('an interrupt that the guest disables is enabled all the same', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    readProperty: (state, vcpu, intid) => xen.vits.readProperty(state, vcpu, intid) | 1,
  },
}));

mutant('the priority that the guest has set is not looked at', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    readProperty: (state, vcpu, intid) => (xen.vits.readProperty(state, vcpu, intid) & 3) | 0xa0,
  },
}));

mutant('INV of the guest does nothing', VIOLATES, (xen) => ({ ...xen, vits: { ...xen.vits, inv: () => {} } }));

mutant('an interrupt that is pending when the guest moves it stays where it is', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    moveLpi: (state, irq, vcpu) => {
      if (irq.lr < 0 && !irq.queued && !irq.pending) xen.vits.moveLpi(state, irq, vcpu);
    },
  },
}));

mutant('an interrupt that is signalled when the guest moves it is taken by both vCPUs', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    moveLpi: (state, irq, vcpu) => {
      const own = irq.holder?.vgic;
      if (own === undefined || irq.lr < 0 || irq.target === vcpu) return xen.vits.moveLpi(state, irq, vcpu);
      // The list register keeps what it holds.
      own.lrs[irq.lr] = undefined;
      own.used &= ~(1 << irq.lr);
      irq.lr = -1;
      irq.holder = undefined;
      state.steps.vgic.inject(state, vcpu, irq);
    },
  },
}));

mutant('an interrupt that is moved is lost if it was pending', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    moveLpi: (state, irq, vcpu) => {
      state.steps.vgic.clearPending(state, irq);
      xen.vits.moveLpi(state, irq, vcpu);
    },
  },
}));

mutant('a collection that the guest moves takes no pending interrupt along', VIOLATES, (xen) => ({
  ...xen,
  vits: { ...xen.vits, eventsOf: () => [] },
}));

mutant('a message for a vCPU that does not run is dropped', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    setPending: (state, vcpu, irq) => {
      if ((vcpu.vgic?.cpu ?? -1) >= 0) xen.vits.setPending(state, vcpu, irq);
    },
  },
}));

mutant('a message is injected once more when the vCPU comes to a CPU', VIOLATES, (xen) => ({
  ...xen,
  vgic: {
    ...xen.vgic,
    restoreState: (state, cpu, vcpu) => {
      const waiting = [...(vcpu.vgic?.queue ?? [])];
      xen.vgic.restoreState(state, cpu, vcpu);
      for (const irq of waiting) if (irq.virq >= 8192) irq.pending = true;
    },
  },
}));

mutant('an event that the guest discards stays bound to its interrupt', VIOLATES, (xen) => ({
  ...xen,
  vits: { ...xen.vits, unbindEvent: () => {} },
}));

mutant('an interrupt whose event the guest discards stays pending', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    releaseLpi: (_state, domain, irq) => {
      const lpi = domain.its.lpis.get(irq.virq);
      if (lpi !== undefined && --lpi.users === 0) domain.its.lpis.delete(irq.virq);
    },
  },
}));
