/**
 * The MSI-X capability as a domain sees it, and what its table does (PCI Express Base 7.7.2; xen/drivers/vpci/msix.c).
 * Messages go to the device as the domain writes them, as those of MSI do.
 *
 * An entry is written to the device when it can be used: address and data before it is unmasked. What a domain writes to one
 * that is in use takes effect when it is masked; the specification leaves open what happens meanwhile.
 */

import { pa } from '../../hw/address.js';
import { encode, get } from '../../hw/bits.js';
import {
  MSIX,
  MSIX_CONTROL,
  MSIX_ENTRY,
  MSIX_LOCATION,
  MSIX_VECTOR_CONTROL,
} from '../../hw/pci/capabilities-layout.js';
import { CAPABILITY } from '../../hw/pci/layout.js';
import type { PciDevice, Xen } from '../xen.js';
import type { VpciLocation, VpciMsix } from './state.js';

/** Words of an entry. */
const WORDS = MSIX_ENTRY.BYTES / 4;
const CONTROL_WORD = MSIX_ENTRY.VECTOR_CONTROL / 4;

const isMasked = (msix: VpciMsix, index: number): boolean =>
  get(msix.entries.subarray(index * WORDS + CONTROL_WORD), MSIX_VECTOR_CONTROL.MASK) === 1;

/** Whether an entry is in use: a device may send its message at any time. */
const isLive = (msix: VpciMsix, index: number): boolean => msix.enabled && !msix.functionMask && !isMasked(msix, index);

function placeOf({ bar, offset }: VpciLocation): number {
  return encode(MSIX_LOCATION, 32, { BIR: bar, OFFSET: offset / MSIX_LOCATION.OFFSET.weight })[0] as number;
}

function controlOf(msix: VpciMsix): number {
  return encode(MSIX_CONTROL, 32, {
    TABLE_SIZE: msix.count - 1,
    FUNCTION_MASK: msix.functionMask ? 1 : 0,
    ENABLE: msix.enabled ? 1 : 0,
  })[0] as number;
}

/** A word of the capability. */
export function readMsix(_xen: Xen, device: PciDevice, offset: number): number {
  const { msix, capabilities } = device.vpci ?? {};
  if (msix === undefined) return 0;
  if (offset === MSIX.TABLE) return placeOf(msix.table);
  if (offset === MSIX.PENDING_BIT_ARRAY) return placeOf(msix.pending);
  const next = capabilities?.find(({ id }) => id === CAPABILITY.MSIX)?.next ?? 0;
  return ((controlOf(msix) << 16) | (next << 8) | CAPABILITY.MSIX) >>> 0;
}

/** Writes Message Control: enables messages, unless those of MSI are (6.1.4), masks all of them. */
export function writeMsixControl(xen: Xen, device: PciDevice, value: number, mask: number): void {
  const { msix } = device.vpci ?? {};
  if (msix === undefined) return;
  const words = Uint32Array.of((controlOf(msix) & ~mask) | (value & mask));
  const enabled = get(words, MSIX_CONTROL.ENABLE) === 1 && device.vpci?.msi?.enabled !== true;
  const functionMask = get(words, MSIX_CONTROL.FUNCTION_MASK) === 1;
  const wasLive = msix.enabled && !msix.functionMask;
  msix.enabled = enabled;
  msix.functionMask = functionMask;
  xen.steps.vpci.enableMsix(xen, device, enabled, functionMask);
  if (!wasLive || (enabled && !functionMask)) return;
  for (const index of [...msix.stale]) if (!isMasked(msix, index)) xen.steps.vpci.programEntry(xen, device, index);
}

/** Lets the device send messages, or not; masks all of them, or leaves that to each entry. */
export function enableMsix(xen: Xen, device: PciDevice, enabled: boolean, functionMask: boolean): void {
  const { msix } = device.vpci ?? {};
  if (msix === undefined) return;
  const control = encode(MSIX_CONTROL, 32, { ENABLE: enabled ? 1 : 0, FUNCTION_MASK: functionMask ? 1 : 0 });
  xen.steps.pci.configWrite(xen, device.sbdf, msix.offset + MSIX.CONTROL, 2, control[0] as number);
}

/** Reads a word of the table. */
export function readEntry(_xen: Xen, device: PciDevice, offset: number): number {
  return device.vpci?.msix?.entries[offset / 4] ?? 0xffff_ffff;
}

/** Writes a word of the table. */
export function writeEntry(xen: Xen, device: PciDevice, offset: number, value: number): void {
  const { msix } = device.vpci ?? {};
  if (msix === undefined) return;
  const index = Math.floor(offset / MSIX_ENTRY.BYTES);
  const at = offset / 4;
  if (at % WORDS !== CONTROL_WORD) {
    msix.entries[at] = value;
    msix.stale.add(index);
    if (!isMasked(msix, index) && !isLive(msix, index)) xen.steps.vpci.programEntry(xen, device, index);
    return;
  }
  const wasMasked = isMasked(msix, index);
  msix.entries[at] = get(Uint32Array.of(value), MSIX_VECTOR_CONTROL.MASK);
  const masked = isMasked(msix, index);
  if (masked === wasMasked) return;
  if (masked) xen.steps.vpci.maskEntry(xen, device, index, true);
  if (msix.stale.has(index)) xen.steps.vpci.programEntry(xen, device, index);
  if (!masked) xen.steps.vpci.maskEntry(xen, device, index, false);
}

/** Machine address of an entry of the device's table. */
function entryAddress(xen: Xen, device: PciDevice, msix: VpciMsix, index: number): number | undefined {
  const table = xen.steps.vpci.locate(xen, device, msix.table);
  return table === undefined ? undefined : table + index * MSIX_ENTRY.BYTES;
}

/** Gives the device the address and the data of an entry. */
export function programEntry(xen: Xen, device: PciDevice, index: number): void {
  const { msix } = device.vpci ?? {};
  if (msix === undefined) return;
  const at = entryAddress(xen, device, msix, index);
  if (at === undefined) return;
  for (const register of [MSIX_ENTRY.ADDRESS, MSIX_ENTRY.ADDRESS_UPPER, MSIX_ENTRY.DATA]) {
    xen.machine.mmio.write(pa(at + register), 4, msix.entries[index * WORDS + register / 4] as number);
  }
  msix.stale.delete(index);
}

/** Masks an entry at the device, or unmasks it: what it wanted to send meanwhile, it sends. */
export function maskEntry(xen: Xen, device: PciDevice, index: number, masked: boolean): void {
  const { msix } = device.vpci ?? {};
  if (msix === undefined) return;
  const at = entryAddress(xen, device, msix, index);
  if (at === undefined) return;
  xen.machine.mmio.write(pa(at + MSIX_ENTRY.VECTOR_CONTROL), 4, masked ? 1 : 0);
  if (masked) msix.touched.delete(index);
  else msix.touched.add(index);
}
