/**
 * Virtual interrupts on their way to a vCPU: list registers, the queue behind them, and what is held back
 * (xen/arch/arm/gic-vgic.c, vgic.c).
 *
 * Xen does not look at list registers when it need not. What it put there it takes to be there still, until the register is
 * wanted again: `ICH_ELRSR_EL2` then tells which the guest has done with. A physical interrupt that fires again tells the
 * same without being asked, as only the guest's deactivation makes that possible.
 */
import { LR_STATE, SGI } from '../gic/driver.js';
import { type Domain, print, type Vcpu, type Xen } from '../xen.js';
import type { PendingIrq, VgicCpu } from './state.js';

/** Whether the domain lets an interrupt through: it is enabled, and so is the distributor. */
export function isDeliverable(_xen: Xen, irq: PendingIrq): boolean {
  return irq.enabled && irq.target?.domain.vgic?.enabled === true;
}

/** A virtual interrupt that has fired goes to the vCPU that it is routed to. */
export function injectIrq(xen: Xen, domain: Domain, irq: PendingIrq): void {
  if (irq.target !== undefined) {
    xen.steps.vgic.inject(xen, irq.target, irq);
    return;
  }
  irq.pending = true;
  domain.vgic?.held.add(irq);
}

/**
 * Makes a virtual interrupt of any kind pending for a vCPU: into a list register if the vCPU runs here and one is free, into
 * its queue otherwise. One that is pending already stays so, once.
 */
export function inject(xen: Xen, vcpu: Vcpu, irq: PendingIrq): void {
  irq.target = vcpu;
  if (irq.lr >= 0 && xen.steps.vgic.absorb(xen, irq)) return;
  irq.pending = true;
  if (irq.queued && irq.holder !== vcpu) xen.steps.vgic.reconsider(xen, irq);
  xen.steps.vgic.deliver(xen, vcpu, irq);
}

/**
 * An interrupt has fired that Xen put into a list register before. Returns whether it is pending there now; otherwise the
 * register is its own no more.
 */
export function absorb(xen: Xen, irq: PendingIrq): boolean {
  const { holder } = irq;
  const own = holder?.vgic;
  if (holder === undefined || own === undefined) return false;
  if (irq.physical >= 0) {
    vacate(own, irq);
    return false;
  }
  if (own.cpu !== xen.cpu) {
    irq.pending = true;
    xen.steps.vgic.kick(xen, holder);
    return true;
  }
  const state = xen.steps.gic.readLrState(xen, own.cpu, irq.lr);
  if (state === LR_STATE.INVALID) {
    vacate(own, irq);
    return false;
  }
  if (state === LR_STATE.ACTIVE) {
    if (irq.target === holder && xen.steps.vgic.isDeliverable(xen, irq)) {
      xen.steps.gic.writeLr(xen, own.cpu, irq.lr, irq, LR_STATE.PENDING_ACTIVE);
    } else {
      irq.pending = true;
    }
  }
  return true;
}

/** The first list register that Xen has nothing in, -1 if there is none. */
function freeLr(own: VgicCpu): number {
  const free = ~own.used & ((1 << own.lrs.length) - 1);
  return free === 0 ? -1 : 31 - Math.clz32(free & -free);
}

/** Forgets that an interrupt is in a list register. */
export function vacate(own: VgicCpu, irq: PendingIrq): void {
  own.lrs[irq.lr] = undefined;
  own.used &= ~(1 << irq.lr);
  irq.lr = -1;
  irq.holder = undefined;
}

/**
 * Sees to an interrupt that is in no list register: pending and let through, or active, it goes to the vCPU; pending and
 * masked it is held.
 */
export function deliver(xen: Xen, vcpu: Vcpu, irq: PendingIrq): void {
  const own = vcpu.vgic;
  const held = vcpu.domain.vgic?.held;
  if (own === undefined || held === undefined || irq.queued) return;
  if (held.size !== 0) held.delete(irq);
  if (!irq.active && !xen.steps.vgic.isDeliverable(xen, irq)) {
    if (irq.pending) held.add(irq);
    return;
  }
  if (!irq.active && !irq.pending) return;
  if (own.cpu === xen.cpu && own.queue.length === 0) {
    const lr = freeLr(own);
    if (lr >= 0) {
      xen.steps.vgic.load(xen, vcpu, lr, irq);
      return;
    }
  }
  xen.steps.vgic.enqueue(xen, vcpu, irq);
  if (own.cpu === xen.cpu) xen.steps.vgic.refill(xen, vcpu);
  else if (own.cpu >= 0) xen.steps.vgic.kick(xen, vcpu);
}

/**
 * Puts an interrupt into a list register of the CPU that its vCPU runs on. One that is masked keeps its pending state here;
 * and so does one with a physical interrupt behind it that is active, for a list register must not hold both then (Arm IHI
 * 0069 12.4, ICH_LR<n>_EL2.State).
 */
export function load(xen: Xen, vcpu: Vcpu, lr: number, irq: PendingIrq): void {
  const own = vcpu.vgic;
  if (own === undefined) return;
  const isBoth = irq.active && irq.physical >= 0;
  const isPending = irq.pending && !isBoth && xen.steps.vgic.isDeliverable(xen, irq);
  const state = (irq.active ? LR_STATE.ACTIVE : 0) | (isPending ? LR_STATE.PENDING : 0);
  if (isPending) irq.pending = false;
  if (!irq.active) irq.listedPriority = irq.priority;
  irq.active = false;
  irq.lr = lr;
  irq.holder = vcpu;
  own.lrs[lr] = irq;
  own.used |= 1 << lr;
  xen.steps.gic.writeLr(xen, own.cpu, lr, irq, state);
}

/** Whether one interrupt goes before another: the guest must be able to deactivate what is active; then by priority. */
function precedes(irq: PendingIrq, other: PendingIrq): boolean {
  return irq.active === other.active ? irq.priority < other.priority : irq.active;
}

/** Puts an interrupt into a vCPU's queue, behind those of the same priority. */
export function enqueue(_xen: Xen, vcpu: Vcpu, irq: PendingIrq): void {
  const queue = vcpu.vgic?.queue ?? [];
  let at = queue.length;
  while (at > 0 && precedes(irq, queue[at - 1] as PendingIrq)) at--;
  queue.splice(at, 0, irq);
  irq.queued = true;
  irq.holder = vcpu;
}

function dequeue(irq: PendingIrq): void {
  const queue = irq.holder?.vgic?.queue ?? [];
  const at = queue.indexOf(irq);
  if (at >= 0) queue.splice(at, 1);
  irq.queued = false;
  irq.holder = undefined;
}

/** Sends the CPU of a vCPU an SGI, to have the vCPU's interrupts looked at there. */
export function kick(xen: Xen, vcpu: Vcpu): void {
  const own = vcpu.vgic;
  if (own === undefined || own.cpu < 0 || own.kicked) return;
  own.kicked = true;
  xen.steps.gic.sendSgi(xen, own.cpu, SGI.EVENT_CHECK);
}

/** Looks at the interrupts of the vCPU that runs on a CPU, on that CPU. */
export function sync(xen: Xen, cpu: number): void {
  const vcpu = xen.running[cpu];
  const own = vcpu?.vgic;
  if (vcpu === undefined || own === undefined || own.cpu !== cpu) return;
  own.kicked = false;
  for (const irq of own.lrs) if (irq?.pending === true) xen.steps.vgic.reconsider(xen, irq);
  xen.steps.vgic.refill(xen, vcpu);
}

/**
 * Fills the list registers of a vCPU from its queue, on the CPU that it runs on, and asks for the maintenance interrupt if
 * anything is left.
 */
export function refill(xen: Xen, vcpu: Vcpu): void {
  const own = vcpu.vgic;
  if (own === undefined || own.cpu < 0) return;
  while (own.queue.length > 0) {
    let lr = freeLr(own);
    if (lr < 0) {
      xen.steps.vgic.reclaim(xen, vcpu);
      lr = freeLr(own);
    }
    const next = own.queue[0];
    if (next === undefined) break;
    if (lr < 0) lr = xen.steps.vgic.evict(xen, vcpu, next);
    if (lr < 0) break;
    dequeue(next);
    xen.steps.vgic.load(xen, vcpu, lr, next);
  }
  const more = own.queue.length > 0;
  if (more === own.underflow) return;
  own.underflow = more;
  xen.steps.gic.enableVirtual(xen, own.cpu, more);
}

/** Finds the list registers that the guest has done with. What has fired again in the meantime is queued again. */
export function reclaim(xen: Xen, vcpu: Vcpu): void {
  const own = vcpu.vgic;
  if (own === undefined) return;
  const done = xen.steps.gic.emptyLrs(xen, own.cpu) & own.used;
  for (let lr = 0; lr < own.lrs.length; lr++) {
    const irq = own.lrs[lr];
    if (irq === undefined || (done & (1 << lr)) === 0) continue;
    vacate(own, irq);
    if (irq.pending) xen.steps.vgic.deliver(xen, irq.target ?? vcpu, irq);
  }
}

/**
 * Makes room for an interrupt: takes the least urgent one that is only pending out of its list register, if it is less urgent.
 * @returns the register, or -1
 */
export function evict(xen: Xen, vcpu: Vcpu, next: PendingIrq): number {
  const own = vcpu.vgic;
  let least: PendingIrq | undefined;
  for (const irq of own?.lrs ?? []) {
    if (own === undefined || irq === undefined || irq.listedPriority <= (least?.listedPriority ?? next.priority))
      continue;
    if (xen.steps.gic.readLrState(xen, own.cpu, irq.lr) === LR_STATE.PENDING) least = irq;
  }
  if (own === undefined || least === undefined) return -1;
  const { lr } = least;
  vacate(own, least);
  least.pending = true;
  xen.steps.vgic.enqueue(xen, vcpu, least);
  return lr;
}

/** Takes an interrupt out of the queue or list register that it is in; its state is in its flags then. */
export function withdraw(xen: Xen, irq: PendingIrq): void {
  if (irq.queued) dequeue(irq);
  const own = irq.holder?.vgic;
  if (own === undefined || irq.lr < 0) return;
  if (own.cpu === xen.cpu) {
    xen.steps.vgic.unload(xen, own, irq);
  } else {
    const isDone = xen.steps.irq.callOn(xen, own.cpu, (on) => {
      if (irq.lr >= 0) on.steps.vgic.unload(on, own, irq);
    });
    if (!isDone) print(xen, `virtual irq ${irq.virq} stays in a list register of CPU ${own.cpu}`);
  }
}

/** Empties the list register of an interrupt, on the CPU that has it. */
export function unload(xen: Xen, own: VgicCpu, irq: PendingIrq): void {
  const state = xen.steps.gic.readLrState(xen, own.cpu, irq.lr);
  xen.steps.gic.clearLr(xen, own.cpu, irq.lr);
  vacate(own, irq);
  irq.pending ||= (state & LR_STATE.PENDING) !== 0;
  irq.active ||= (state & LR_STATE.ACTIVE) !== 0;
}

/** Sees anew to an interrupt whose masking, route or state has changed. An active one stays with its vCPU. */
export function reconsider(xen: Xen, irq: PendingIrq): void {
  const { holder } = irq;
  xen.steps.vgic.withdraw(xen, irq);
  const vcpu = irq.active ? (holder ?? irq.target) : irq.target;
  if (vcpu !== undefined) xen.steps.vgic.deliver(xen, vcpu, irq);
  else if (irq.pending) holder?.domain.vgic?.held.add(irq);
}

/** Removes every trace of an interrupt: it is neither pending nor active, wherever it was. */
export function forget(xen: Xen, irq: PendingIrq): void {
  const domain = (irq.holder ?? irq.target)?.domain;
  xen.steps.vgic.withdraw(xen, irq);
  domain?.vgic?.held.delete(irq);
  irq.pending = false;
  irq.active = false;
}

/** State of an interrupt as the guest's registers show it: {@link LR_STATE}. */
export function stateOf(xen: Xen, irq: PendingIrq): number {
  let state = (irq.pending ? LR_STATE.PENDING : 0) | (irq.active ? LR_STATE.ACTIVE : 0);
  const own = irq.holder?.vgic;
  if (own !== undefined && irq.lr >= 0) {
    const { lr } = irq;
    xen.steps.irq.callOn(xen, own.cpu, (on) => {
      state |= on.steps.gic.readLrState(on, own.cpu, lr);
    });
  }
  if (irq.physical >= 0 && state === LR_STATE.INVALID && xen.steps.gic.isPending(xen, irq.physical)) {
    state = LR_STATE.PENDING;
  }
  return state;
}
