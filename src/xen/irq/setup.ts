/** Taking charge of the interrupt controller, and interrupts of Xen's own. */
import { BootError } from '../boot/platform.js';
import { failure } from '../errno.js';
import { FIRST_SPI, type IrqType, PRIORITY } from '../gic/driver.js';
import { print, type Xen } from '../xen.js';

/**
 * Finds the interrupt controller and takes charge of it: nothing of it is enabled but what Xen uses itself. A machine whose
 * device tree has none goes without.
 * @throws BootError if the controller does not come up
 */
export function setup(xen: Xen): void {
  const gic = xen.steps.gic.find(xen);
  if (gic === undefined) return;
  xen.gic = gic;
  let error = xen.steps.gic.initDistributor(xen, gic);
  for (let cpu = 0; error === 0 && cpu < xen.machine.cpus.count; cpu++) {
    xen.cpu = cpu;
    error = xen.steps.gic.initCpu(xen, gic, cpu);
  }
  xen.cpu = 0;
  if (error !== 0) throw new BootError(`the interrupt controller ${gic.node.path} does not come up (${error})`);
  xen.steps.irq.discoverTypes(xen, gic.node);
  xen.steps.irq.requestForXen(xen, gic.maintenance, 'level', (at) => at.steps.irq.maintenance(at, at.cpu));
  print(xen, `GICv${gic.version}: ${gic.lines} lines, ${gic.listRegisters} list registers`);
}

/**
 * Takes an interrupt for Xen itself: an SPI comes to CPU 0, a PPI to every CPU. Without an interrupt controller nothing
 * will ever come.
 * @returns 0; -EINVAL if the controller does not have it; -EBUSY if Xen or a domain has it
 */
export function requestForXen(xen: Xen, irq: number, type: IrqType, handler: (xen: Xen) => void): number {
  const { gic } = xen;
  if (gic === undefined) return 0;
  if (irq >= gic.lines) return failure('EINVAL');
  const known = xen.steps.irq.descriptor(xen, irq);
  if (known.owner !== 'none') return failure('EBUSY');
  known.type = type;
  known.owner = 'xen';
  known.handler = handler;
  const before = xen.cpu;
  for (let cpu = 0; cpu < (irq < FIRST_SPI ? xen.machine.cpus.count : 1); cpu++) {
    xen.cpu = cpu;
    xen.steps.gic.setType(xen, irq, type);
    if (irq >= FIRST_SPI) {
      xen.steps.gic.setPriority(xen, irq, PRIORITY.IRQ);
      xen.steps.gic.setAffinity(xen, irq, cpu);
    }
    xen.steps.gic.enable(xen, irq, cpu);
  }
  xen.cpu = before;
  return 0;
}
