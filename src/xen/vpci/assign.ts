/** A device comes into a domain's view, and leaves it (xen/drivers/vpci/vpci.c, vpci_assign_device, vpci_deassign_device). */
import { encode } from '../../hw/bits.js';
import { formatSbdf } from '../../hw/machine.js';
import { COMMAND, HEADER } from '../../hw/pci/layout.js';
import { failure } from '../errno.js';
import { type Domain, type PciDevice, print, type Xen } from '../xen.js';
import { seesHost } from './slots.js';
import type { VpciDevice } from './state.js';

const MEMORY = encode(COMMAND, 32, { MEMORY_SPACE_ENABLE: 1 })[0] as number;
const HEADER_ENDPOINT = 0;

/**
 * Shows a device to a domain. Its messages are off; its registers are not mapped yet.
 * @returns 0, also for a domain without a host bridge; -EOPNOTSUPP for a bridge and a guest; -EINVAL if its MSI-X table is
 *   nowhere, for a guest: the hardware domain is not shown that; -ENOSPC: no slot is free
 */
export function assignDevice(xen: Xen, domain: Domain, device: PciDevice): number {
  const { steps } = xen;
  if (!steps.vpci.hasBridge(xen, domain)) return 0;
  const isHardware = seesHost(domain);
  if (!isHardware && device.headerType !== HEADER_ENDPOINT) return failure('EOPNOTSUPP');
  const list = steps.vpci.listCapabilities(xen, device);
  const found = steps.vpci.initMsix(xen, device, list);
  const msix = found !== undefined && steps.vpci.checkMsix(xen, device, found) ? found : undefined;
  if (msix !== found && !isHardware) return failure('EINVAL');
  const sbdf = steps.vpci.assignVirtualSbdf(xen, domain, device);
  if (sbdf === undefined) {
    print(xen, `${domain.name}: no slot is free for ${formatSbdf(device.sbdf)}`);
    return failure('ENOSPC');
  }
  const hostCommand = steps.pci.configRead(xen, device.sbdf, HEADER.COMMAND, 2);
  const command = isHardware ? hostCommand : steps.vpci.firstCommand(xen, device, hostCommand);
  const shown = msix === undefined ? list.filter(({ offset }) => offset !== found?.offset) : list;
  const view: VpciDevice = {
    domain,
    sbdf,
    isHardware,
    hostCommand,
    command,
    interruptLine: 0,
    decoding: (command & MEMORY) !== 0,
    bars: steps.vpci.initBars(xen, domain, device),
    capabilities: steps.vpci.showCapabilities(xen, shown, isHardware),
    msi: steps.vpci.initMsi(xen, list),
    msix,
    traps: [],
  };
  device.vpci = view;
  steps.vpci.quiesce(xen, device);
  if (isHardware) return 0;
  steps.pci.configWrite(xen, device.sbdf, HEADER.COMMAND, 2, steps.vpci.hostCommand(xen, device, command));
  print(xen, `${domain.name}: ${formatSbdf(device.sbdf)} is ${formatSbdf(sbdf)}`);
  return 0;
}

/**
 * Ends the messages of a device: MSI and MSI-X are off, no entry of the table is left unmasked. When it returns, all that the
 * device had sent before has arrived: the read comes back behind it.
 */
export function quiesce(xen: Xen, device: PciDevice): void {
  const { vpci } = device;
  if (vpci === undefined) return;
  const { steps } = xen;
  if (vpci.msi !== undefined) {
    vpci.msi.enabled = false;
    steps.vpci.enableMsi(xen, device, false);
  }
  const { msix } = vpci;
  if (msix !== undefined) {
    msix.enabled = false;
    steps.vpci.enableMsix(xen, device, false, false);
  }
  const present = steps.pci.configRead(xen, device.sbdf, HEADER.VENDOR_ID, 4) !== 0xffff_ffff;
  if (msix === undefined || msix.touched.size === 0 || !present) return;
  const command = steps.pci.configRead(xen, device.sbdf, HEADER.COMMAND, 2);
  // The table is memory of the device.
  if ((command & MEMORY) === 0) steps.pci.configWrite(xen, device.sbdf, HEADER.COMMAND, 2, command | MEMORY);
  for (const index of [...msix.touched]) steps.vpci.maskEntry(xen, device, index, true);
  if ((command & MEMORY) === 0) steps.pci.configWrite(xen, device.sbdf, HEADER.COMMAND, 2, command);
}

/**
 * Hides a device: its messages are off, its place is free, it is as its domain got it. What is mapped of its registers stays.
 * @returns 0, also if it is not shown
 */
export function removeDevice(xen: Xen, domain: Domain, device: PciDevice): number {
  const { vpci } = device;
  if (vpci?.domain !== domain) return 0;
  const { steps } = xen;
  steps.vpci.quiesce(xen, device);
  for (const bar of device.bars) steps.vpci.untrapTable(xen, domain, device, bar);
  if (!vpci.isHardware) steps.pci.configWrite(xen, device.sbdf, HEADER.COMMAND, 2, vpci.hostCommand);
  device.vpci = undefined;
  return 0;
}
