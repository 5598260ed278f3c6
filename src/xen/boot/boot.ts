/**
 * Booting, in Xen's order: what machine this is, memory, IOMMUs, the form of the p2m, PCI devices, and then the hardware
 * domain with what is left to it. IOMMUs come before everything that could do DMA on behalf of somebody.
 */
import { TagBitmap } from '../tags.js';
import { print, type Xen } from '../xen.js';
import { BootError } from './platform.js';

/** Boots. Throws {@link BootError} if there can be no hardware domain. */
export function start(xen: Xen): void {
  const { boot, iommu, p2m, pci, domain } = xen.steps;
  const tree = boot.readDeviceTree(xen);
  xen.options = boot.readOptions(xen, tree);
  xen.platform = boot.discoverPlatform(xen, tree);
  boot.setupHeap(xen);
  if (xen.options.iommu) iommu.setup(xen);
  xen.format = p2m.chooseFormat(xen);
  xen.vmids = new TagBitmap(p2m.vmidBits(xen));
  domain.setupCpus(xen);
  boot.installVector(xen);
  if (xen.options.pciScan) pci.scan(xen);
  const error = domain.createHardwareDomain(xen);
  if (error !== 0) throw new BootError(`no hardware domain (${error})`);
  pci.setupHardwareDomain(xen);
  print(xen, `${xen.machine.name}: ${xen.platform.cpus} CPUs, ${xen.format.ipaBits}-bit guest addresses`);
}

/** From now on guests' traps arrive. */
export function installVector(xen: Xen): void {
  xen.machine.cpus.setVector((cpu) => xen.steps.trap.handle(xen, cpu));
}
