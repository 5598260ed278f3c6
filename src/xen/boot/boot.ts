/**
 * Booting, in Xen's order: what machine this is, memory, IOMMUs, the form of the p2m, PCI devices, and then the hardware
 * domain with what is left to it. IOMMUs come before everything that could do DMA on behalf of somebody.
 */
import { TagBitmap } from '../tags.js';
import { print, type Xen } from '../xen.js';
import { BootError } from './platform.js';

/** Boots. Throws {@link BootError} if there can be no hardware domain. */
export function start(xen: Xen): void {
  const { boot, irq, its, iommu, p2m, pci, dt, dom0less, domain } = xen.steps;
  const tree = boot.readDeviceTree(xen);
  xen.options = boot.readOptions(xen, tree);
  xen.platform = boot.discoverPlatform(xen, tree);
  boot.setupHeap(xen);
  irq.setup(xen);
  its.setup(xen);
  if (xen.options.iommu) iommu.setup(xen);
  xen.format = p2m.chooseFormat(xen);
  xen.vmids = new TagBitmap(p2m.vmidBits(xen));
  domain.setupCpus(xen);
  boot.installVector(xen);
  dt.setup(xen);
  if (xen.options.pciScan) pci.scan(xen);
  its.prepareDevices(xen);
  const error = domain.createHardwareDomain(xen);
  if (error !== 0) throw new BootError(`no hardware domain (${error})`);
  pci.setupHardwareDomain(xen);
  dt.setupHardwareDomain(xen);
  dom0less.createDomains(xen);
  print(xen, `${xen.machine.name}: ${xen.platform.cpus} CPUs, ${xen.format.ipaBits}-bit guest addresses`);
}

/** From now on guests' traps and devices' interrupts arrive. */
export function installVector(xen: Xen): void {
  xen.machine.cpus.setVector((cpu) => xen.steps.trap.handle(xen, cpu));
  xen.machine.cpus.setInterruptVector((cpu) => xen.steps.irq.handle(xen, cpu));
}
