/** Mistakes in delivering SPIs, whichever controller the machine has. */
import type { XenSteps } from '../../src/xen/index.js';
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_deliver_spis_to_dom~1'] };

mutant('interrupts of guests are acknowledged and forgotten', VIOLATES, (xen) => ({
  ...xen,
  irq: {
    ...xen.irq,
    handleForGuest: (state, cpu, _irq, acknowledged) => {
      state.steps.gic.eoi(state, cpu, acknowledged);
      state.steps.gic.deactivate(state, cpu, acknowledged);
    },
  },
}));

mutant('an interrupt is routed under the number of the one after it', VIOLATES, (xen) => ({
  ...xen,
  dom0less: {
    ...xen.dom0less,
    routeInterrupts: (state, domain, device) => {
      for (const { irq } of device.interrupts) {
        domain.irqs.add(irq, 1);
        const error = state.steps.irq.routeToGuest(state, domain, irq + 1, irq);
        if (error !== 0) return error;
      }
      return 0;
    },
  },
}));

/** Routes every interrupt as if it were of one type. */
function typed(xen: XenSteps, type: 'edge' | 'level'): XenSteps {
  return { ...xen, irq: { ...xen.irq, connect: (state, irq) => xen.irq.connect(state, { ...irq, type }) } };
}

mutant('level-sensitive interrupts are taken for edge-triggered ones', VIOLATES, (xen) => typed(xen, 'edge'));

mutant('an edge-triggered interrupt is signalled by its level', VIOLATES, (xen) => typed(xen, 'level'));

mutant('an interrupt goes to vCPU 0, wherever its domain routes it', VIOLATES, (xen) => ({
  ...xen,
  vgic: {
    ...xen.vgic,
    injectIrq: (state, domain, irq) => {
      const [first] = domain.vcpus;
      if (first !== undefined) state.steps.vgic.inject(state, first, irq);
    },
  },
}));

mutant('an interrupt goes to the CPU of the vCPU that it went to before', VIOLATES, (xen) => ({
  ...xen,
  vgic: {
    ...xen.vgic,
    retarget: (state, domain, irq, vcpu) => {
      const physical = irq.physical;
      irq.physical = -1;
      xen.vgic.retarget(state, domain, irq, vcpu);
      irq.physical = physical;
    },
  },
}));

mutant('an interrupt does not follow its vCPU to another CPU', VIOLATES, (xen) => ({
  ...xen,
  vgic: { ...xen.vgic, moveIrqs: () => {} },
}));

mutant('an interrupt that is pending while it is routed elsewhere does not go along', VIOLATES, (xen) => ({
  ...xen,
  vgic: {
    ...xen.vgic,
    retarget: (state, _domain, irq, vcpu) => {
      const before = irq.target;
      irq.target = vcpu;
      state.steps.vgic.followTarget(state, irq);
      if (irq.pending && before !== undefined) irq.target = before;
    },
  },
}));

mutant('interrupts are delivered though their domain has disabled them', VIOLATES, (xen) => ({
  ...xen,
  irq: {
    ...xen.irq,
    connect: (state, irq) => {
      xen.irq.connect(state, irq);
      state.steps.gic.enable(state, irq.irq, state.cpu);
    },
  },
  vgic: { ...xen.vgic, isDeliverable: () => true },
}));

mutant('an interrupt that its domain has disabled stays signalled', VIOLATES, (xen) => ({
  ...xen,
  vgic: {
    ...xen.vgic,
    disableIrq: (state, irq) => {
      irq.enabled = false;
      if (irq.physical >= 0) state.steps.gic.disable(state, irq.physical, state.cpu);
    },
  },
}));

mutant('an interrupt that stays pending is forgotten when it is enabled', VIOLATES, (xen) => ({
  ...xen,
  vgic: {
    ...xen.vgic,
    enableIrq: (state, irq) => {
      irq.enabled = true;
      if (irq.physical >= 0) state.steps.gic.enable(state, irq.physical, state.cpu);
    },
  },
}));

mutant('enabling an interrupt does not reach the physical one', VIOLATES, (xen) => ({
  ...xen,
  vgic: {
    ...xen.vgic,
    enableIrq: (state, irq) => {
      irq.enabled = true;
      state.steps.vgic.reconsider(state, irq);
    },
  },
}));

mutant('an interrupt whose vCPU does not run is lost', VIOLATES, (xen) => ({
  ...xen,
  vgic: {
    ...xen.vgic,
    inject: (state, vcpu, irq) => {
      if ((vcpu.vgic?.cpu ?? -1) >= 0) xen.vgic.inject(state, vcpu, irq);
      else if (irq.physical >= 0) state.steps.gic.clearActive(state, irq.physical);
    },
  },
}));

mutant('what list registers hold is lost, in whatever state it is, when its vCPU does not run', VIOLATES, (xen) => ({
  ...xen,
  vgic: {
    ...xen.vgic,
    saveState: (state, cpu, vcpu) => {
      for (let lr = 0; lr < (vcpu.vgic?.lrs.length ?? 0); lr++) state.steps.gic.clearLr(state, cpu, lr);
      xen.vgic.saveState(state, cpu, vcpu);
    },
  },
}));

mutant('list registers hold an interrupt in the state that it had when its vCPU does not run', VIOLATES, (xen) => ({
  ...xen,
  vgic: {
    ...xen.vgic,
    unload: (state, own, irq) => {
      const steps = { ...state.steps, gic: { ...state.steps.gic, clearLr: () => {} } };
      xen.vgic.unload({ ...state, steps }, own, irq);
    },
  },
}));

mutant('an active interrupt comes back to its vCPU as a pending one', VIOLATES, (xen) => ({
  ...xen,
  vgic: {
    ...xen.vgic,
    unload: (state, own, irq) => {
      xen.vgic.unload(state, own, irq);
      irq.pending ||= irq.active;
      irq.active = false;
    },
  },
}));

mutant('more interrupts than there are list registers are lost', VIOLATES, (xen) => ({
  ...xen,
  vgic: {
    ...xen.vgic,
    deliver: (state, vcpu, irq) => {
      const own = vcpu.vgic;
      const isFull = own !== undefined && own.cpu >= 0 && own.lrs.every((listed) => listed !== undefined);
      if (!isFull) xen.vgic.deliver(state, vcpu, irq);
      else irq.pending = false;
    },
  },
}));

mutant('more interrupts than list registers ask for no maintenance interrupt', VIOLATES, (xen) => ({
  ...xen,
  gic: { ...xen.gic, enableVirtual: (state, cpu) => xen.gic.enableVirtual(state, cpu, false) },
}));

mutant('the maintenance interrupt of more interrupts than list registers is passed over', VIOLATES, (xen) => ({
  ...xen,
  irq: {
    ...xen.irq,
    maintenance: (state, cpu) => state.steps.gic.enableVirtual(state, cpu, false),
  },
}));

mutant('an urgent interrupt comes no earlier than those that are shown', VIOLATES, (xen) => ({
  ...xen,
  vgic: { ...xen.vgic, evict: () => -1 },
}));

mutant('urgent interrupts come no earlier than those that came first', VIOLATES, (xen) => ({
  ...xen,
  vgic: {
    ...xen.vgic,
    evict: () => -1,
    enqueue: (_state, vcpu, irq) => {
      vcpu.vgic?.queue.push(irq);
      irq.queued = true;
      irq.holder = vcpu;
    },
  },
}));

mutant('of two interrupts the priority is passed over', VIOLATES, (xen) => ({
  ...xen,
  vgic: { ...xen.vgic, setPriority: () => {} },
}));

mutant('the priority of an acknowledged interrupt is not dropped', VIOLATES, (xen) => ({
  ...xen,
  irq: {
    ...xen.irq,
    handleForGuest: (state, cpu, irq, acknowledged) => {
      const steps = { ...state.steps, gic: { ...state.steps.gic, eoi: () => {} } };
      xen.irq.handleForGuest({ ...state, steps }, cpu, irq, acknowledged);
    },
  },
}));
