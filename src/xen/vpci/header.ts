/**
 * The header of a function as a guest sees it (PCI Express Base 7.5.1; xen/drivers/vpci/header.c): who it is, what it may do,
 * where its registers are.
 */
import { encode, get } from '../../hw/bits.js';
import { EXTENDED_CAPABILITY, SRIOV } from '../../hw/pci/capabilities-layout.js';
import { COMMAND, HEADER, STATUS, TYPE_0 } from '../../hw/pci/layout.js';
import { sbdfOf } from '../passthrough/pci.js';
import type { PciDevice, Xen } from '../xen.js';

const bitsOf = (...names: readonly (keyof typeof COMMAND)[]): number =>
  encode(COMMAND, 32, Object.fromEntries(names.map((name) => [name, 1])))[0] as number;
/** Command bits that a guest has in its hands. */
const GUEST_COMMAND = bitsOf('MEMORY_SPACE_ENABLE', 'BUS_MASTER_ENABLE', 'INTERRUPT_DISABLE');
const MEMORY = bitsOf('MEMORY_SPACE_ENABLE');
const BUS_MASTER = bitsOf('BUS_MASTER_ENABLE');
const INTERRUPT_DISABLE = bitsOf('INTERRUPT_DISABLE');

/** Status bits that are cleared by writing 1: the errors. */
const ERRORS = encode(STATUS, 32, {
  MASTER_DATA_PARITY_ERROR: 1,
  SIGNALED_TARGET_ABORT: 1,
  RECEIVED_TARGET_ABORT: 1,
  RECEIVED_MASTER_ABORT: 1,
  SIGNALED_SYSTEM_ERROR: 1,
  DETECTED_PARITY_ERROR: 1,
})[0] as number;
const CAPABILITIES_LIST = encode(STATUS, 32, { CAPABILITIES_LIST: 1 })[0] as number;

/** Vendor and device id. A virtual function has its vendor from its physical one, its device id from there too (9.3.4.1). */
export function readIdentity(xen: Xen, device: PciDevice): number {
  const { configRead, findExtendedCapability } = xen.steps.pci;
  const { physicalFunction } = device.info;
  if (physicalFunction === undefined) return configRead(xen, device.sbdf, HEADER.VENDOR_ID, 4);
  const physical = sbdfOf(device.sbdf.segment, physicalFunction.bus, physicalFunction.devfn);
  const at = findExtendedCapability(xen, physical, EXTENDED_CAPABILITY.SRIOV);
  const id = at === undefined ? 0 : configRead(xen, physical, at + SRIOV.VF_DEVICE_ID, 2);
  return ((id << 16) | configRead(xen, physical, HEADER.VENDOR_ID, 2)) >>> 0;
}

/** Status: the device's own, with the list of capabilities that is shown. */
export function readStatus(xen: Xen, device: PciDevice): number {
  const status = xen.steps.pci.configRead(xen, device.sbdf, HEADER.STATUS, 2) & ERRORS;
  return (device.vpci?.capabilities.length ?? 0) > 0 ? status | CAPABILITIES_LIST : status;
}

/** A word of the header. */
export function readHeader(xen: Xen, device: PciDevice, offset: number): number {
  const { vpci } = device;
  if (vpci === undefined) return 0xffff_ffff;
  switch (offset) {
    case HEADER.VENDOR_ID:
      return xen.steps.vpci.readIdentity(xen, device);
    case HEADER.COMMAND:
      return ((xen.steps.vpci.readStatus(xen, device) << 16) | vpci.command) >>> 0;
    case HEADER.REVISION_ID:
    case TYPE_0.SUBSYSTEM_VENDOR_ID:
      return xen.steps.pci.configRead(xen, device.sbdf, offset, 4);
    case HEADER.CAPABILITIES_POINTER:
      return vpci.capabilities[0]?.offset ?? 0;
    case HEADER.INTERRUPT_LINE:
      return vpci.interruptLine;
    default: {
      const index = (offset - HEADER.BAR0) / 4;
      return index >= 0 && index < vpci.bars.values.length ? xen.steps.vpci.readBar(xen, device, index) : 0;
    }
  }
}

/** Writes Status: errors are cleared. */
export function writeStatus(xen: Xen, device: PciDevice, value: number): void {
  const cleared = device.vpci?.isHardware === true ? value : value & ERRORS;
  if (cleared !== 0) xen.steps.pci.configWrite(xen, device.sbdf, HEADER.STATUS, 2, cleared);
}

/** The Command register that a device gets for what its guest has set: never INTx, which would come to nobody. */
export function hostCommand(_xen: Xen, device: PciDevice, command: number): number {
  const kept = (device.vpci?.hostCommand ?? 0) & ~GUEST_COMMAND;
  return kept | (command & (MEMORY | BUS_MASTER)) | INTERRUPT_DISABLE;
}

/**
 * Writes Command. Memory decode goes on when the base address registers could be mapped where they are now, and off when they
 * are unmapped; else the bit keeps its value.
 */
export function writeCommand(xen: Xen, device: PciDevice, value: number, mask: number): void {
  const { vpci } = device;
  if (vpci === undefined) return;
  const { steps } = xen;
  const before = vpci.isHardware ? steps.pci.configRead(xen, device.sbdf, HEADER.COMMAND, 2) : vpci.command;
  let command = (before & ~mask) | (value & mask);
  const wanted = get(Uint32Array.of(command), COMMAND.MEMORY_SPACE_ENABLE) === 1;
  if (wanted !== vpci.decoding && !steps.vpci.setMemoryDecode(xen, device, wanted)) command ^= MEMORY;
  if (!vpci.isHardware) {
    vpci.command = command & GUEST_COMMAND;
    command = steps.vpci.hostCommand(xen, device, vpci.command);
  }
  steps.pci.configWrite(xen, device.sbdf, HEADER.COMMAND, 2, command);
}

/** The Command register that a guest finds, of the one that its device has: as firmware or the hardware domain left it. */
export function firstCommand(_xen: Xen, device: PciDevice, hostCommand: number): number {
  return (hostCommand & BUS_MASTER) | (device.bars.length > 0 ? MEMORY : 0);
}
