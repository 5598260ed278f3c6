/**
 * LPIs of guests: what an event of a device comes to, which vCPU it goes to, whether the guest wants it (Arm IHI 0069 5.1,
 * 5.2.10). What the guest has disabled stays pending until it is enabled.
 */
import { get } from '../../hw/bits.js';
import { LPI_CONFIGURATION } from '../../hw/gic/gicv3/layout.js';
import { makePendingIrq, type PendingIrq } from '../vgic/state.js';
import type { Domain, Vcpu, Xen } from '../xen.js';
import type { VirtualEvent, VirtualIts, VirtualLpi } from './state.js';

/** The vCPU that an event goes to. Undefined: its collection is mapped to none. */
export function targetOf(_xen: Xen, { device, icid }: VirtualEvent): Vcpu | undefined {
  return device.vits.collections.get(icid);
}

/**
 * An event has happened: its LPI is pending at the vCPU of its collection. Nothing happens while the guest's service is
 * off, the collection is mapped to no vCPU, or that vCPU's LPIs are not enabled.
 */
export function deliver(xen: Xen, event: VirtualEvent): void {
  const { vits } = event.device;
  const vcpu = vits.enabled ? xen.steps.vits.targetOf(xen, event) : undefined;
  if (vcpu !== undefined) xen.steps.vits.setPending(xen, vcpu, event.irq);
}

/** Makes an LPI pending at a vCPU, if that has its LPIs enabled, and this one among them. */
export function setPending(xen: Xen, vcpu: Vcpu, irq: PendingIrq): void {
  if (irq.virq < (vcpu.domain.its.limits[vcpu.vcpu] ?? 0)) xen.steps.vgic.inject(xen, vcpu, irq);
}

/** The LPI of an INTID; one that the domain did not have yet comes into being, as its property byte says. */
export function lpiOf(xen: Xen, domain: Domain, intid: number, vcpu: Vcpu | undefined): VirtualLpi {
  const known = domain.its.lpis.get(intid);
  if (known !== undefined) return known;
  const lpi: VirtualLpi = { irq: makePendingIrq(intid, vcpu), users: 0 };
  lpi.irq.edge = true;
  domain.its.lpis.set(intid, lpi);
  if (vcpu !== undefined) xen.steps.vits.updateProperty(xen, vcpu, lpi.irq);
  return lpi;
}

/** Reads the property byte of an LPI again: one that was disabled and is pending is delivered now. */
export function updateProperty(xen: Xen, vcpu: Vcpu, irq: PendingIrq): void {
  const byte = Uint32Array.of(xen.steps.vits.readProperty(xen, vcpu, irq.virq));
  const priority = get(byte, LPI_CONFIGURATION.Priority) << LPI_CONFIGURATION.Priority.shift;
  xen.steps.vgic.setPriority(xen, vcpu.domain, irq, priority);
  if (get(byte, LPI_CONFIGURATION.Enable) === 1) xen.steps.vgic.enableIrq(xen, irq);
  else xen.steps.vgic.disableIrq(xen, irq);
}

/** An LPI goes to another vCPU. Its pending state goes along, wherever it is, and nothing of it stays behind. */
export function moveLpi(xen: Xen, irq: PendingIrq, vcpu: Vcpu): void {
  if (irq.target === vcpu) return;
  xen.steps.vgic.retarget(xen, vcpu.domain, irq, vcpu);
  if (irq.lr >= 0) xen.steps.vgic.reconsider(xen, irq);
}

/** An event is not mapped to its LPI any more. The last one takes the pending state with it. */
export function releaseLpi(xen: Xen, domain: Domain, irq: PendingIrq): void {
  const lpi = domain.its.lpis.get(irq.virq);
  if (lpi === undefined) return;
  lpi.users--;
  if (lpi.users > 0) return;
  xen.steps.vgic.forget(xen, irq);
  domain.its.lpis.delete(irq.virq);
}

/** All events that go to a collection. */
export function eventsOf(_xen: Xen, vits: VirtualIts, icid: number): VirtualEvent[] {
  const found: VirtualEvent[] = [];
  for (const device of vits.devices.values()) {
    for (const event of device.mapped.values()) if (event.icid === icid) found.push(event);
  }
  return found;
}

/**
 * A vCPU has enabled its LPIs (GICR_CTLR.EnableLPIs): from now on its property table counts, and what its pending table
 * holds is pending.
 */
export function enableLpis(xen: Xen, vcpu: Vcpu): void {
  const { domain } = vcpu;
  domain.its.limits[vcpu.vcpu] = xen.steps.vits.readLimit(xen, vcpu);
  for (const { irq } of domain.its.lpis.values()) {
    if (irq.target === vcpu) xen.steps.vits.updateProperty(xen, vcpu, irq);
  }
  for (const intid of xen.steps.vits.readPendingTable(xen, vcpu)) {
    xen.steps.vits.setPending(xen, vcpu, xen.steps.vits.lpiOf(xen, domain, intid, vcpu).irq);
  }
}
