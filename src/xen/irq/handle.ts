/**
 * What a CPU does when it takes an interrupt (xen/arch/arm/gic.c, gic_interrupt; irq.c, do_IRQ). EOIR only drops the
 * priority. Xen's own interrupts are deactivated when they are handled, a guest's when the guest deactivates the virtual one.
 */
import { FIRST_LPI, FIRST_PPI, SGI, SPECIAL } from '../gic/driver.js';
import { print, type Xen } from '../xen.js';
import type { IrqDescriptor } from './descriptor.js';

/** How often an interrupt may come in a row before it is disabled: Xen does not get it to stop. */
const STORM = 1024;

/** Takes interrupts until none is left. */
export function handle(xen: Xen, cpu: number): void {
  const { gic } = xen;
  if (gic === undefined) return;
  const before = xen.cpu;
  xen.cpu = cpu;
  let last = SPECIAL.LAST as number;
  for (let repeats = 0; ; ) {
    const acknowledged = xen.steps.gic.readIar(xen, cpu);
    const intid = acknowledged & gic.intidMask;
    if (intid >= SPECIAL.FIRST && intid <= SPECIAL.LAST) break;
    xen.steps.irq.handleOne(xen, cpu, intid, acknowledged);
    repeats = intid === last ? repeats + 1 : 0;
    last = intid;
    if (repeats >= STORM) calm(xen, cpu, intid);
  }
  xen.cpu = before;
}

/** Disables an interrupt that does not stop. */
function calm(xen: Xen, cpu: number, intid: number): void {
  if (intid < FIRST_PPI || intid >= FIRST_LPI) return;
  print(xen, `irq ${intid} on CPU ${cpu} does not stop: disabled`);
  xen.steps.gic.disable(xen, intid, cpu);
}

/** One interrupt, acknowledged. */
export function handleOne(xen: Xen, cpu: number, intid: number, acknowledged: number): void {
  if (intid >= FIRST_LPI) {
    xen.steps.gic.eoi(xen, cpu, acknowledged);
    xen.steps.irq.handleLpi(xen, cpu, intid);
    return;
  }
  if (intid < FIRST_PPI) {
    xen.steps.gic.eoi(xen, cpu, acknowledged);
    xen.steps.gic.deactivate(xen, cpu, acknowledged);
    xen.steps.irq.handleSgi(xen, cpu, intid);
    return;
  }
  const known = xen.irqs.get(intid);
  if (known?.owner === 'guest') {
    xen.steps.irq.handleForGuest(xen, cpu, known, acknowledged);
  } else if (known?.owner === 'xen') {
    xen.steps.irq.handleForXen(xen, cpu, known, acknowledged);
  } else {
    xen.steps.irq.handleUnexpected(xen, cpu, intid, acknowledged);
  }
}

/** An SGI of another CPU. */
export function handleSgi(xen: Xen, cpu: number, sgi: number): void {
  if (sgi === SGI.EVENT_CHECK) xen.steps.vgic.sync(xen, cpu);
  else if (sgi === SGI.CALL_FUNCTION) xen.steps.irq.runCalls(xen, cpu);
}

/** An interrupt that a domain has: it becomes a virtual one, which the guest deactivates. */
export function handleForGuest(xen: Xen, cpu: number, irq: IrqDescriptor, acknowledged: number): void {
  xen.steps.gic.eoi(xen, cpu, acknowledged);
  if (irq.domain !== undefined && irq.virtual !== undefined) xen.steps.vgic.injectIrq(xen, irq.domain, irq.virtual);
}

/** An interrupt of Xen's own. */
export function handleForXen(xen: Xen, cpu: number, irq: IrqDescriptor, acknowledged: number): void {
  irq.handler?.(xen);
  xen.steps.gic.eoi(xen, cpu, acknowledged);
  xen.steps.gic.deactivate(xen, cpu, acknowledged);
}

/** An interrupt that nobody has: it is disabled, lest it come again at once. */
export function handleUnexpected(xen: Xen, cpu: number, intid: number, acknowledged: number): void {
  print(xen, `unexpected irq ${intid} on CPU ${cpu}`);
  xen.steps.gic.disable(xen, intid, cpu);
  xen.steps.gic.eoi(xen, cpu, acknowledged);
  xen.steps.gic.deactivate(xen, cpu, acknowledged);
}

/** The list registers of a CPU have run empty. */
export function maintenance(xen: Xen, cpu: number): void {
  xen.steps.vgic.sync(xen, cpu);
}
