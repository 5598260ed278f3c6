/** The machine's interrupt controller, whichever it is: each step is that of its driver. */
import type { DeviceNode } from '../../firmware/tree.js';
import type { PendingIrq, VgicCpu } from '../vgic/state.js';
import type { Xen } from '../xen.js';
import type { Gic, GicDriver, IrqType } from './driver.js';

/** The driver of the controller. */
const driver = (xen: Xen): GicDriver => (xen.gic?.version === 2 ? xen.steps.gicv2 : xen.steps.gicv3);

/** Finds the controller in the device tree. Undefined: there is none that Xen knows. */
function find(xen: Xen): Gic | undefined {
  const { tree } = xen.platform;
  const first = (...models: string[]): DeviceNode | undefined =>
    models.flatMap((model) => tree.compatible(model)).find((node) => node.enabled);
  const v3 = first('arm,gic-v3');
  if (v3 !== undefined) return xen.steps.gicv3.discover(xen, v3);
  const v2 = first('arm,gic-400', 'arm,cortex-a15-gic');
  return v2 === undefined ? undefined : xen.steps.gicv2.discover(xen, v2);
}

export const gicSteps = {
  find,
  initDistributor: (xen: Xen, gic: Gic): number => driver(xen).initDistributor(xen, gic),
  initCpu: (xen: Xen, gic: Gic, cpu: number): number => driver(xen).initCpu(xen, gic, cpu),
  readIar: (xen: Xen, cpu: number): number => driver(xen).readIar(xen, cpu),
  eoi: (xen: Xen, cpu: number, acknowledged: number): void => driver(xen).eoi(xen, cpu, acknowledged),
  deactivate: (xen: Xen, cpu: number, acknowledged: number): void => driver(xen).deactivate(xen, cpu, acknowledged),
  sendSgi: (xen: Xen, to: number, sgi: number): void => driver(xen).sendSgi(xen, to, sgi),
  enable: (xen: Xen, irq: number, cpu: number): void => driver(xen).enable(xen, irq, cpu),
  disable: (xen: Xen, irq: number, cpu: number): void => driver(xen).disable(xen, irq, cpu),
  setType: (xen: Xen, irq: number, type: IrqType): void => driver(xen).setType(xen, irq, type),
  setPriority: (xen: Xen, irq: number, priority: number): void => driver(xen).setPriority(xen, irq, priority),
  setAffinity: (xen: Xen, irq: number, cpu: number): void => driver(xen).setAffinity(xen, irq, cpu),
  isPending: (xen: Xen, irq: number): boolean => driver(xen).isPending(xen, irq),
  setPending: (xen: Xen, irq: number): void => driver(xen).setPending(xen, irq),
  clearPending: (xen: Xen, irq: number): void => driver(xen).clearPending(xen, irq),
  setActive: (xen: Xen, irq: number): void => driver(xen).setActive(xen, irq),
  clearActive: (xen: Xen, irq: number): void => driver(xen).clearActive(xen, irq),
  writeLr: (xen: Xen, cpu: number, lr: number, irq: PendingIrq, state: number): void =>
    driver(xen).writeLr(xen, cpu, lr, irq, state),
  clearLr: (xen: Xen, cpu: number, lr: number): void => driver(xen).clearLr(xen, cpu, lr),
  readLrState: (xen: Xen, cpu: number, lr: number): number => driver(xen).readLrState(xen, cpu, lr),
  emptyLrs: (xen: Xen, cpu: number): number => driver(xen).emptyLrs(xen, cpu),
  enableVirtual: (xen: Xen, cpu: number, underflow: boolean): void => driver(xen).enableVirtual(xen, cpu, underflow),
  disableVirtual: (xen: Xen, cpu: number): void => driver(xen).disableVirtual(xen, cpu),
  saveInterface: (xen: Xen, cpu: number, own: VgicCpu): void => driver(xen).saveInterface(xen, cpu, own),
  restoreInterface: (xen: Xen, cpu: number, own: VgicCpu): void => driver(xen).restoreInterface(xen, cpu, own),
} as const;
