/**
 * Pages of a device's memory that hold its MSI-X table or its pending bits (PCI Express Base 7.7.2; xen/drivers/vpci/msix.c,
 * msix_read, msix_write, adjacent_read, adjacent_write). They are not mapped: Xen answers for the table, lets pending bits
 * be read, and passes on what is beside both.
 */
import { pa } from '../../hw/address.js';
import type { Value64 } from '../../hw/machine.js';
import { failure } from '../errno.js';
import { type Gfn, type Mfn, maddr, PAGE_SIZE } from '../frames.js';
import type { MmioHandler } from '../mmio.js';
import type { Bar, Domain, PciDevice, Xen } from '../xen.js';
import type { VpciLocation } from './state.js';

type Width = 1 | 2 | 4 | 8;

const ZERO: Value64 = { hi: 0, lo: 0 };
const ALL_ONES: Value64 = { hi: 0xffff_ffff, lo: 0xffff_ffff };

/** Makes the handler of pages that a domain has at a guest frame. */
export function makeTable(_xen: Xen, device: PciDevice, at: Gfn, frame: Mfn, count: number): MmioHandler {
  const from = maddr(frame);
  return {
    name: 'vMSI-X',
    address: at * PAGE_SIZE,
    size: count * PAGE_SIZE,
    read: (xen, { domain }, offset, width) =>
      device.vpci?.domain === domain ? xen.steps.vpci.readPage(xen, device, from + offset, width) : undefined,
    write(xen, { domain }, offset, width, value) {
      if (device.vpci?.domain !== domain) return false;
      xen.steps.vpci.writePage(xen, device, from + offset, width, value);
      return true;
    },
  };
}

/**
 * Has a domain's accesses to pages of a base address register trap.
 * @returns 0; -EBUSY if the domain has something else there
 */
export function trapTable(
  xen: Xen,
  domain: Domain,
  device: PciDevice,
  bar: Bar,
  at: Gfn,
  frame: Mfn,
  count: number,
): number {
  if (xen.steps.p2m.isOccupied(xen, domain, at, count)) return failure('EBUSY');
  const handler = xen.steps.vpci.makeTable(xen, device, at, frame, count);
  device.vpci?.traps.push({ bar: bar.index, handler });
  domain.mmioHandlers.push(handler);
  return 0;
}

/** Has a domain's accesses to pages of a base address register trap no more. */
export function untrapTable(_xen: Xen, domain: Domain, device: PciDevice, bar: Bar): void {
  const traps = device.vpci?.traps ?? [];
  for (const trap of traps.filter((one) => one.bar === bar.index)) {
    traps.splice(traps.indexOf(trap), 1);
    const at = domain.mmioHandlers.indexOf(trap.handler);
    if (at >= 0) domain.mmioHandlers.splice(at, 1);
  }
}

/** Offset of an access in a place; undefined if it touches none of it. */
function within(xen: Xen, device: PciDevice, place: VpciLocation, address: number, width: Width): number | undefined {
  const from = xen.steps.vpci.locate(xen, device, place);
  if (from === undefined || address + width <= from || address >= from + place.size) return undefined;
  return address - from;
}

/** Reads from a device's memory. */
function load(xen: Xen, address: number, width: Width): Value64 {
  if (width === 8) return xen.machine.mmio.read64(pa(address));
  return { hi: 0, lo: xen.machine.mmio.read(pa(address), width) };
}

/** A domain's read at a machine address. The table is read in words and pairs of them only (7.7.2). */
export function readPage(xen: Xen, device: PciDevice, address: number, width: Width): Value64 {
  const { msix } = device.vpci ?? {};
  if (msix === undefined) return ALL_ONES;
  const entry = within(xen, device, msix.table, address, width);
  if (entry !== undefined) {
    if (width < 4) return { ...ZERO, lo: 2 ** (width * 8) - 1 };
    const lo = xen.steps.vpci.readEntry(xen, device, entry);
    return { hi: width === 8 ? xen.steps.vpci.readEntry(xen, device, entry + 4) : 0, lo };
  }
  return load(xen, address, width);
}

/** A domain's write at a machine address. Pending bits are the device's own: nothing is written there. */
export function writePage(xen: Xen, device: PciDevice, address: number, width: Width, value: Value64): void {
  const { msix } = device.vpci ?? {};
  if (msix === undefined) return;
  const entry = within(xen, device, msix.table, address, width);
  if (entry !== undefined) {
    if (width < 4) return;
    xen.steps.vpci.writeEntry(xen, device, entry, value.lo);
    if (width === 8) xen.steps.vpci.writeEntry(xen, device, entry + 4, value.hi);
    return;
  }
  if (within(xen, device, msix.pending, address, width) !== undefined) return;
  if (width === 8) xen.machine.mmio.write64(pa(address), value.hi, value.lo);
  else xen.machine.mmio.write(pa(address), width, value.lo);
}
