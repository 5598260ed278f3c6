/**
 * LPIs of the machine: Arm IHI 0069 5.1 (property and pending tables), 12.11 (GICR_PROPBASER, GICR_PENDBASER). One property
 * table for all redistributors; a pending table for each.
 *
 * LPIs that events of a device raise are enabled for as long as the device is mapped: whether a guest wants them is looked
 * at when they come.
 */
import { pa } from '../../hw/address.js';
import { encode, get, put, putAddress } from '../../hw/bits.js';
import {
  GICD,
  GICD_TYPER,
  GICR,
  GICR_CTLR,
  GICR_PENDBASER,
  GICR_PROPBASER,
  LPI_CONFIGURATION,
} from '../../hw/gic/gicv3/layout.js';
import { INNER_CACHE, SHAREABILITY } from '../../hw/gic/its/layout.js';
import { failure } from '../errno.js';
import { frames, maddr } from '../frames.js';
import { FIRST_LPI, type Gic, PRIORITY, type Redistributor } from '../gic/driver.js';
import { print, type Xen } from '../xen.js';
import { LPI_BLOCK, LPI_ID_BITS } from './state.js';

/** A pending table begins at a multiple of 64 KiB (GICR_PENDBASER.Physical_Address). */
const PENDING_TABLE_ORDER = 4;
/** What a property byte can hold of a priority. */
const PRIORITY_MASK = LPI_CONFIGURATION.Priority.mask << LPI_CONFIGURATION.Priority.shift;

/** How many LPIs the machine has that Xen uses, and bits of INTID that tell them. 0: none. */
export function countLpis(xen: Xen): { idBits: number; count: number } {
  const typer = Uint32Array.of(xen.steps.gicv3.readDistributor(xen, GICD.TYPER));
  const idBits = Math.min(get(typer, GICD_TYPER.IDbits) + 1, LPI_ID_BITS);
  if (get(typer, GICD_TYPER.LPIS) === 0 || 2 ** idBits <= FIRST_LPI) return { idBits: 0, count: 0 };
  const told = get(typer, GICD_TYPER.num_LPIs);
  const count = Math.min(2 ** idBits - FIRST_LPI, told === 0 ? Infinity : 2 ** (told + 1));
  return { idBits, count: Math.floor(count / LPI_BLOCK) * LPI_BLOCK };
}

/**
 * Gives all redistributors their tables and enables LPIs.
 * @returns 0; -ENODEV if the machine has no LPIs; -ENOMEM; -EBUSY if LPIs are enabled already, with tables that are not ours
 */
export function setupLpis(xen: Xen, gic: Gic): number {
  const { idBits, count } = xen.steps.its.countLpis(xen);
  if (count === 0) return failure('ENODEV');
  const bytes = 2 ** idBits - FIRST_LPI;
  const table = xen.steps.heap.allocate(xen, Math.ceil(Math.log2(frames(bytes))));
  if (table === undefined) return failure('ENOMEM');
  const freeBlocks: number[] = [];
  for (let first = FIRST_LPI; first < FIRST_LPI + count; first += LPI_BLOCK) freeBlocks.unshift(first);
  xen.its.lpis = { idBits, properties: maddr(table), entries: [], freeBlocks };
  xen.steps.its.setProperty(xen, FIRST_LPI, bytes, false);
  for (const redistributor of gic.redistributors) {
    const error = redistributor === undefined ? 0 : xen.steps.its.initRedistributor(xen, redistributor);
    if (error !== 0) return error;
  }
  return 0;
}

/**
 * Gives a redistributor the property table and a pending table, and enables its LPIs.
 * @returns 0; -ENODEV if it has no LPIs; -ENOMEM; -EBUSY if they are enabled already
 */
export function initRedistributor(xen: Xen, { address, lpis, cpu }: Redistributor): number {
  const { readRedistributor, writeRedistributor } = xen.steps.gicv3;
  const own = xen.its.lpis;
  if (!lpis || own === undefined) return failure('ENODEV');
  const control = Uint32Array.of(readRedistributor(xen, address, GICR.CTLR));
  if (get(control, GICR_CTLR.EnableLPIs) === 1) {
    print(xen, `GICv3: LPIs of CPU ${cpu} are enabled already`);
    return failure('EBUSY');
  }
  const pending = xen.steps.heap.allocate(xen, PENDING_TABLE_ORDER);
  if (pending === undefined) return failure('ENOMEM');
  const cached = { InnerCache: INNER_CACHE.RAWAWB, Shareability: SHAREABILITY.INNER };
  const propbaser = encode(GICR_PROPBASER, 64, { ...cached, IDbits: own.idBits - 1 });
  putAddress(propbaser, GICR_PROPBASER.Physical_Address, own.properties);
  writeBase(xen, address + GICR.PROPBASER, propbaser, GICR_PROPBASER);
  const pendbaser = encode(GICR_PENDBASER, 64, { ...cached, PTZ: 1 });
  putAddress(pendbaser, GICR_PENDBASER.Physical_Address, maddr(pending));
  writeBase(xen, address + GICR.PENDBASER, pendbaser, GICR_PENDBASER);
  put(control, GICR_CTLR.EnableLPIs, 1);
  writeRedistributor(xen, address, GICR.CTLR, control[0] as number);
  return 0;
}

/** Writes the base of a table; where the redistributor cannot share the caches, as non-cacheable. */
function writeBase(
  xen: Xen,
  register: number,
  words: Uint32Array,
  form: {
    readonly Shareability: typeof GICR_PROPBASER.Shareability;
    readonly InnerCache: typeof GICR_PROPBASER.InnerCache;
  },
): void {
  const write = () => xen.machine.mmio.write64(pa(register), words[1] as number, words[0] as number, xen.cpu);
  write();
  const { hi, lo } = xen.machine.mmio.read64(pa(register), xen.cpu);
  if (get(Uint32Array.of(lo, hi), form.Shareability) !== 0) return;
  put(words, form.Shareability, 0);
  put(words, form.InnerCache, INNER_CACHE.NON_CACHEABLE);
  write();
}

/** Takes LPIs, in whole blocks. Returns their INTIDs in order, or undefined if there are not as many. */
export function allocateLpis(xen: Xen, count: number): number[] | undefined {
  const free = xen.its.lpis?.freeBlocks ?? [];
  const blocks = Math.ceil(count / LPI_BLOCK);
  if (free.length < blocks) return undefined;
  const taken = free.splice(free.length - blocks, blocks).reverse();
  return taken.flatMap((first) => Array.from({ length: LPI_BLOCK }, (_, n) => first + n)).slice(0, count);
}

/** Gives LPIs back that no device can raise any more. */
export function freeLpis(xen: Xen, intids: readonly number[]): void {
  const own = xen.its.lpis;
  if (own === undefined) return;
  for (const intid of intids) {
    own.entries[intid - FIRST_LPI] = undefined;
    if ((intid - FIRST_LPI) % LPI_BLOCK === 0) own.freeBlocks.push(intid);
  }
}

/**
 * Writes the property bytes of adjacent LPIs: of Xen's priority, enabled or not. A redistributor may go by what it read
 * before, until INV or INVALL.
 */
export function setProperty(xen: Xen, first: number, count: number, enabled: boolean): void {
  const own = xen.its.lpis;
  if (own === undefined) return;
  const words = encode(LPI_CONFIGURATION, 32, { Enable: enabled ? 1 : 0, RES1: 1 });
  const byte = (words[0] as number) | (PRIORITY.IRQ & PRIORITY_MASK);
  xen.machine.memory.write(pa(own.properties + first - FIRST_LPI), new Uint8Array(count).fill(byte));
}

/** What a CPU does when it has taken an LPI: Xen's own is handled, a guest's becomes the guest's. */
export function handleLpi(xen: Xen, cpu: number, intid: number): void {
  const lpi = xen.its.lpis?.entries[intid - FIRST_LPI];
  if (lpi === undefined) {
    print(xen, `unexpected LPI ${intid} on CPU ${cpu}`);
    return;
  }
  if (lpi.handler !== undefined) lpi.handler(xen);
  for (const event of lpi.bindings) xen.steps.vits.deliver(xen, event);
}
