/**
 * Which register of a function's configuration space is whose: the header's, a capability's, nobody's. Registers are taken
 * as aligned words; a narrower write says by its mask which bytes of the word it means.
 *
 * A guest finds of a function what is here and no more: the rest, extended configuration space too, reads as zeros and takes
 * no writes. Not shown: the PCI Express capability, expansion ROMs, I/O space, and INTx, which is not routed to guests.
 * The hardware domain finds the function itself, but for Command, base address registers and the capabilities of messages.
 */
import { HEADER, TYPE_0_BARS } from '../../hw/pci/layout.js';
import type { PciDevice, Xen } from '../xen.js';

/** The header (7.5.1). */
const HEADER_BYTES = 0x40;
const COMMAND_STATUS = HEADER.COMMAND;
/** BARs of a bridge. */
const TYPE_1_BARS = 2;

const isBar = (device: PciDevice, offset: number): boolean => {
  const count = device.headerType === 0 ? TYPE_0_BARS : device.headerType === 1 ? TYPE_1_BARS : 0;
  return offset >= HEADER.BAR0 && offset < HEADER.BAR0 + count * 4;
};

/** Reads a word for the domain that sees the device. Undefined: it reads the device's own register. */
export function readWord(xen: Xen, device: PciDevice, offset: number): number | undefined {
  const { vpci } = device;
  if (vpci === undefined) return 0xffff_ffff;
  const { steps } = xen;
  const { msi, msix } = vpci;
  if (msi !== undefined && covers(device, msi.offset, offset)) {
    return steps.vpci.readMsi(xen, device, offset - msi.offset);
  }
  if (msix !== undefined && covers(device, msix.offset, offset)) {
    return steps.vpci.readMsix(xen, device, offset - msix.offset);
  }
  if (vpci.isHardware) return undefined;
  return offset < HEADER_BYTES ? steps.vpci.readHeader(xen, device, offset) : 0;
}

/** Whether a word is of the capability at an offset. */
function covers(device: PciDevice, capability: number, offset: number): boolean {
  const shown = device.vpci?.capabilities.find((one) => one.offset === capability);
  return shown !== undefined && offset >= capability && offset < capability + shown.bytes;
}

/** Writes the bytes of a word that `mask` names. False: the domain writes the device's own register. */
export function writeWord(xen: Xen, device: PciDevice, offset: number, value: number, mask: number): boolean {
  const { vpci } = device;
  if (vpci === undefined) return true;
  const { steps } = xen;
  const { msi, msix } = vpci;
  if (msi !== undefined && covers(device, msi.offset, offset)) {
    steps.vpci.writeMsi(xen, device, offset - msi.offset, value, mask);
    return true;
  }
  if (msix !== undefined && covers(device, msix.offset, offset)) {
    if (offset === msix.offset) steps.vpci.writeMsixControl(xen, device, value >>> 16, mask >>> 16);
    return true;
  }
  if (offset === COMMAND_STATUS) {
    if ((mask & 0xffff) !== 0) steps.vpci.writeCommand(xen, device, value & 0xffff, mask & 0xffff);
    if (mask >>> 16 !== 0) steps.vpci.writeStatus(xen, device, value >>> 16);
    return true;
  }
  if (isBar(device, offset)) {
    steps.vpci.writeBar(xen, device, (offset - HEADER.BAR0) / 4, value, mask);
    return true;
  }
  if (vpci.isHardware) return false;
  if (offset === (HEADER.INTERRUPT_LINE & ~3) && (mask & 0xff) !== 0) vpci.interruptLine = value & 0xff;
  return true;
}
