/**
 * Base address registers as guests see them (PCI Express Base 7.5.1.2.1; xen/drivers/vpci/header.c): an address in the
 * guest's own space. Where the registers really are stays as firmware, or the hardware domain, has placed them.
 *
 * They can be written while memory decode is off, and are mapped where they are when it goes on. Pages that hold an MSI-X
 * table or its pending bits are never mapped: Xen answers there.
 */
import { formatSbdf } from '../../hw/machine.js';
import { EXTENDED_CAPABILITY, SRIOV } from '../../hw/pci/capabilities-layout.js';
import { HEADER, TYPE_0_BARS } from '../../hw/pci/layout.js';
import { failure } from '../errno.js';
import { type Gfn, gaddrToGfn, gfn, gfnAdd, mfn, PAGE_SIZE } from '../frames.js';
import { sbdfOf } from '../passthrough/pci.js';
import type { Run } from '../range-set.js';
import { type Bar, type Domain, type PciDevice, print, type Xen } from '../xen.js';
import type { VpciBars } from './state.js';

/** BAR.TYPE of 64 bits, in place. */
const IS_64_BIT = 4;
/** Low bits of a memory BAR. */
const FLAGS = 0xf;
const TWO_32 = 2 ** 32;

/** The base address registers that a guest finds: at the places where they are about to be mapped. */
export function initBars(xen: Xen, domain: Domain, device: PciDevice): VpciBars {
  const values = new Uint32Array(TYPE_0_BARS);
  const masks = new Uint32Array(TYPE_0_BARS);
  const flags = new Uint32Array(TYPE_0_BARS);
  for (const bar of device.bars) {
    const { index, size, address } = bar;
    flags[index] = xen.steps.vpci.readBarFlags(xen, device, index);
    const at = xen.steps.pci.barGuestFrame(xen, domain, device, bar) * PAGE_SIZE + (address % PAGE_SIZE);
    masks[index] = size >= TWO_32 ? 0 : TWO_32 - size;
    values[index] = at % TWO_32;
    if (((flags[index] as number) & IS_64_BIT) === 0) continue;
    masks[index + 1] = size <= TWO_32 ? TWO_32 - 1 : TWO_32 - size / TWO_32;
    values[index + 1] = Math.floor(at / TWO_32);
  }
  return { values, masks, flags };
}

/** The low bits of a base address register. Those of a virtual function are in its physical one (9.3.3.14). */
export function readBarFlags(xen: Xen, device: PciDevice, index: number): number {
  const { configRead, findExtendedCapability } = xen.steps.pci;
  const { physicalFunction } = device.info;
  if (physicalFunction === undefined) return configRead(xen, device.sbdf, HEADER.BAR0 + index * 4, 4) & FLAGS;
  const physical = sbdfOf(device.sbdf.segment, physicalFunction.bus, physicalFunction.devfn);
  const at = findExtendedCapability(xen, physical, EXTENDED_CAPABILITY.SRIOV);
  return at === undefined ? 0 : configRead(xen, physical, at + SRIOV.VF_BAR0 + index * 4, 4) & FLAGS;
}

/** A base address register as a guest reads it: after all ones were written, its size. */
export function readBar(_xen: Xen, device: PciDevice, index: number): number {
  if (device.vpci === undefined) return 0;
  const { values, masks, flags } = device.vpci.bars;
  return (((values[index] as number) & (masks[index] as number)) | (flags[index] as number)) >>> 0;
}

/**
 * Writes a base address register. While memory decode is on, nothing happens. The hardware domain moves the device's own
 * register.
 */
export function writeBar(xen: Xen, device: PciDevice, index: number, value: number, mask: number): void {
  const { vpci } = device;
  if (vpci === undefined || vpci.decoding) return;
  if (!vpci.isHardware) {
    const { values } = vpci.bars;
    values[index] = ((values[index] as number) & ~mask) | (value & mask);
    return;
  }
  // Those of virtual functions are not there: their memory is placed by the physical one.
  if (device.info.physicalFunction !== undefined) return;
  const offset = HEADER.BAR0 + index * 4;
  const { configRead, configWrite, readBars } = xen.steps.pci;
  for (const bar of device.bars) xen.steps.vpci.unmapBar(xen, vpci.domain, device, bar);
  const before = mask === 0xffff_ffff ? 0 : configRead(xen, device.sbdf, offset, 4);
  configWrite(xen, device.sbdf, offset, 4, ((before & ~mask) | value) >>> 0);
  device.bars = readBars(xen, device.sbdf, device.headerType);
}

/** Guest address of a base address register. */
function guestAddress(xen: Xen, device: PciDevice, bar: Bar): number {
  const { readBar } = xen.steps.vpci;
  const low = readBar(xen, device, bar.index);
  const high = (low & IS_64_BIT) === 0 ? 0 : readBar(xen, device, bar.index + 1);
  return high * TWO_32 + ((low & ~FLAGS) >>> 0);
}

/** Machine frames of a device that are not mapped: those of its MSI-X table and pending bits. */
export function holes(xen: Xen, device: PciDevice): Run[] {
  const { msix } = device.vpci ?? {};
  if (msix === undefined) return [];
  return [msix.table, msix.pending].flatMap((location) => {
    const address = xen.steps.vpci.locate(xen, device, location);
    if (address === undefined) return [];
    const start = Math.floor(address / PAGE_SIZE);
    return [{ start, count: Math.ceil((address + location.size) / PAGE_SIZE) - start }];
  });
}

/** Cuts a run into what holes leave of it and what they take, in order. */
function cut(run: Run, taken: readonly Run[]): (Run & { readonly isHole: boolean })[] {
  const end = run.start + run.count;
  const edges = new Set([run.start]);
  for (const { start, count } of taken) {
    for (const edge of [start, start + count]) if (edge > run.start && edge < end) edges.add(edge);
  }
  const starts = [...edges].sort((a, b) => a - b);
  return starts.map((start, index) => ({
    start,
    count: (starts[index + 1] ?? end) - start,
    isHole: taken.some((hole) => start >= hole.start && start < hole.start + hole.count),
  }));
}

/**
 * Maps a base address register of a device, but for its holes, at a guest frame, and traps those.
 * @returns 0; -EBUSY if the domain has something else there; another negative error code
 */
export function mapBar(xen: Xen, domain: Domain, device: PciDevice, bar: Bar, at: Gfn): number {
  const { first, count } = xen.steps.pci.barFrames(xen, bar);
  const { p2m, vpci, domain: domains } = xen.steps;
  vpci.untrapTable(xen, domain, device, bar);
  if (domains.isEmulated(xen, domain, at, count)) return failure('EBUSY');
  for (const { start, count: length, isHole } of cut({ start: first, count }, vpci.holes(xen, device))) {
    const from = gfn(at + start - first);
    const error = isHole
      ? vpci.trapTable(xen, domain, device, bar, from, mfn(start), length)
      : p2m.mapMmio(xen, domain, from, mfn(start), length);
    if (error !== 0) return error;
  }
  return 0;
}

/** Unmaps a base address register, wherever its frames are mapped, and its holes with it. Returns 0 or the first error. */
export function unmapBar(xen: Xen, domain: Domain, device: PciDevice, bar: Bar): number {
  let firstError = 0;
  const { first, count } = xen.steps.pci.barFrames(xen, bar);
  xen.steps.vpci.untrapTable(xen, domain, device, bar);
  for (const run of [...domain.mmio]) {
    const from = Math.max(run.mfn, first);
    const end = Math.min(run.mfn + run.count, first + count);
    if (from >= end) continue;
    const error = xen.steps.p2m.unmapMmio(xen, domain, gfnAdd(run.gfn, from - run.mfn), mfn(from), end - from);
    if (firstError === 0) firstError = error;
  }
  return firstError;
}

/**
 * Turns memory decode on or off: maps all base address registers where they are now, or unmaps them.
 * @returns whether it is as wanted now; what could not be mapped as a whole is not mapped
 */
export function setMemoryDecode(xen: Xen, device: PciDevice, wanted: boolean): boolean {
  const { vpci } = device;
  if (vpci === undefined) return false;
  const unmapAll = () => device.bars.map((bar) => xen.steps.vpci.unmapBar(xen, vpci.domain, device, bar));
  const error = wanted ? xen.steps.vpci.mapBars(xen, device) : (unmapAll().find((one) => one !== 0) ?? 0);
  if (error === 0) {
    vpci.decoding = wanted;
    return true;
  }
  if (wanted) unmapAll();
  const what = wanted ? 'on' : 'off';
  print(xen, `${vpci.domain.name}: ${formatSbdf(vpci.sbdf)}: memory decode cannot go ${what} (${error})`);
  return false;
}

/** Maps the base address registers of a device where its domain has placed them. Returns 0 or a negative error code. */
export function mapBars(xen: Xen, device: PciDevice): number {
  const { vpci } = device;
  if (vpci === undefined) return failure('ENODEV');
  if (vpci.isHardware) return xen.steps.pci.mapBars(xen, vpci.domain, device);
  for (const bar of device.bars) {
    const at = guestAddress(xen, device, bar);
    // A page holds the same bytes wherever it is mapped.
    if (at % PAGE_SIZE !== bar.address % PAGE_SIZE) return failure('EINVAL');
    const error = xen.steps.vpci.mapBar(xen, vpci.domain, device, bar, gaddrToGfn(at));
    if (error !== 0) return error;
  }
  return 0;
}
