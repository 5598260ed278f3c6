/**
 * Taking charge of the machine's translation services: Arm IHI 0069 5.2 (tables), 12.19 (GITS registers). Their nodes are
 * children of the interrupt controller's (Linux arm,gic-v3.yaml).
 *
 * What an ITS was given stays its own: it may read its tables at any time.
 */
import type { DeviceNode } from '../../firmware/tree.js';
import { highHalf, lowHalf, type Pa, pa } from '../../hw/address.js';
import { encode, get, put, putAddress } from '../../hw/bits.js';
import {
  ARCH_REV,
  BASER_COUNT,
  PAGE_SIZE as BASER_PAGE,
  COMMAND_BYTES,
  COMMAND_QUEUE_PAGE_BYTES,
  GITS,
  GITS_BASER,
  GITS_BASER_64K,
  GITS_CBASER,
  GITS_CTLR,
  GITS_PIDR2,
  GITS_TYPER,
  INNER_CACHE,
  ITS_BYTES,
  L1_ENTRY,
  L1_ENTRY_BYTES,
  OUTER_CACHE,
  PAGE_BYTES,
  SHAREABILITY,
  TABLE_TYPE,
} from '../../hw/gic/its/layout.js';
import { failure } from '../errno.js';
import { maddr, PAGE_SIZE } from '../frames.js';
import { type Gic, PATIENCE } from '../gic/driver.js';
import { allDevices } from '../passthrough/pci.js';
import { print, type Xen } from '../xen.js';
import type { HostIts } from './state.js';

/** Bytes of the command queue: one 64 KiB page, 2048 commands. */
const QUEUE_BYTES = 0x1_0000;
/** A device table up to this size is flat. */
const FLAT_BYTES = 0x1_0000;
/** Pages that a table can have (GITS_BASER.Size). */
const PAGES_MAX = 256;

/** Frames of `bytes`, as the order of a block that is aligned to its size. */
const orderOf = (bytes: number): number => Math.max(0, Math.ceil(Math.log2(bytes / PAGE_SIZE)));

/** Finds the translation services of the machine and takes charge of each. */
export function setup(xen: Xen): void {
  const { gic } = xen;
  if (gic?.version !== 3) return;
  for (const node of gic.node.children) {
    const its = node.isCompatible('arm,gic-v3-its') && node.enabled ? xen.steps.its.discover(xen, node) : undefined;
    if (its === undefined) continue;
    xen.its.services.push(its);
  }
  if (xen.its.services.length === 0) return;
  const error = xen.steps.its.setupLpis(xen, gic);
  if (error !== 0) print(xen, `GICv3: no LPIs (${error})`);
  for (const its of xen.its.services) {
    const failed = error || xen.steps.its.probe(xen, its, gic);
    its.disabled = failed !== 0;
    const events = `${its.deviceBits} bits of DeviceID, ${its.eventBits} of EventID`;
    print(xen, `ITS ${its.node.path}: ${failed === 0 ? events : `does not come up (${failed})`}`);
  }
}

/** The translation service of a node. Undefined: its registers cannot be found. */
export function discover(_xen: Xen, node: DeviceNode): HostIts | undefined {
  const [reg] = node.reg();
  const address = reg === undefined ? undefined : node.translate(reg.address);
  if (address === undefined || (reg?.size ?? 0) < ITS_BYTES) return undefined;
  return {
    node,
    base: pa(address),
    deviceBits: 0,
    eventBits: 0,
    ittEntryBytes: 1,
    redistributorByAddress: false,
    ownCollections: 0,
    deviceTable: undefined,
    queue: { base: pa(0), entries: 1, write: 0, read: 0 },
    devices: new Map(),
    disabled: true,
  };
}

/** Brings an ITS up, with a collection for each CPU. Returns 0 or a negative error code. */
export function probe(xen: Xen, its: HostIts, gic: Gic): number {
  const { its: steps } = xen.steps;
  const revision = get(Uint32Array.of(steps.readRegister(xen, its, GITS.PIDR2)), GITS_PIDR2.ARCH_REV);
  if (revision !== ARCH_REV.GICV3 && revision !== ARCH_REV.GICV4) return failure('ENODEV');
  if (!steps.readFeatures(xen, its)) return failure('ENODEV');
  const error = steps.disable(xen, its) || steps.allocateTables(xen, its, gic) || steps.allocateQueue(xen, its);
  if (error !== 0) return error;
  steps.writeRegister(xen, its, GITS.CTLR, encode(GITS_CTLR, 32, { ENABLED: 1 })[0] as number);
  return steps.mapCollections(xen, its, gic);
}

/** Reads what an ITS offers (GITS_TYPER). Returns whether it has physical LPIs. */
export function readFeatures(xen: Xen, its: HostIts): boolean {
  const typer = xen.steps.its.readRegister64(xen, its, GITS.TYPER);
  its.deviceBits = get(typer, GITS_TYPER.DEVBITS) + 1;
  its.eventBits = get(typer, GITS_TYPER.ID_BITS) + 1;
  its.ittEntryBytes = get(typer, GITS_TYPER.ITT_ENTRY_SIZE) + 1;
  its.redistributorByAddress = get(typer, GITS_TYPER.PTA) === 1;
  its.ownCollections = get(typer, GITS_TYPER.HCC);
  return get(typer, GITS_TYPER.PHYSICAL) === 1;
}

/** Stops an ITS: its registers can be written when it is quiescent. Returns 0 or -EIO. */
export function disable(xen: Xen, its: HostIts): number {
  xen.steps.its.writeRegister(xen, its, GITS.CTLR, 0);
  for (let i = 0; i < PATIENCE; i++) {
    const control = Uint32Array.of(xen.steps.its.readRegister(xen, its, GITS.CTLR));
    if (get(control, GITS_CTLR.QUIESCENT) === 1) return 0;
  }
  return failure('EIO');
}

/** Gives an ITS the tables that it asks for: devices, collections. Returns 0 or a negative error code. */
export function allocateTables(xen: Xen, its: HostIts, gic: Gic): number {
  for (let index = 0; index < BASER_COUNT; index++) {
    const type = get(xen.steps.its.readRegister64(xen, its, GITS.BASER + index * 8), GITS_BASER.TYPE);
    const entries =
      type === TABLE_TYPE.DEVICES
        ? 2 ** its.deviceBits
        : type === TABLE_TYPE.COLLECTIONS
          ? Math.max(1, gic.redistributors.length - its.ownCollections)
          : 0;
    const error = entries === 0 ? 0 : xen.steps.its.allocateTable(xen, its, index, entries);
    if (error !== 0) return error;
  }
  return 0;
}

/** Writes a GITS_BASER; returns what the register makes of it. */
function writeBaser(xen: Xen, its: HostIts, index: number, words: Uint32Array): Uint32Array {
  xen.steps.its.writeRegister64(xen, its, GITS.BASER + index * 8, words);
  return xen.steps.its.readRegister64(xen, its, GITS.BASER + index * 8);
}

/** Puts the address of a table into a GITS_BASER: with pages of 64 KiB, bits 51:48 stand below bit 16. */
function putTable(words: Uint32Array, address: Pa, pageBytes: number): void {
  if (pageBytes < 0x1_0000) {
    putAddress(words, GITS_BASER.PHYSICAL_ADDRESS, address);
    return;
  }
  const low = Uint32Array.of(lowHalf(address), highHalf(address) % 0x1_0000);
  put(words, GITS_BASER.PHYSICAL_ADDRESS, 0);
  const at = encode(GITS_BASER_64K, 64, { PHYSICAL_ADDRESS_51_48: Math.floor(highHalf(address) / 0x1_0000) });
  putAddress(at, GITS_BASER_64K.PHYSICAL_ADDRESS_47_16, get(low, GITS_BASER_64K.PHYSICAL_ADDRESS_47_16) * 0x1_0000);
  words[0] = (words[0] as number) | (at[0] as number);
  words[1] = (words[1] as number) | (at[1] as number);
}

/** How an ITS accesses its tables. */
const ATTRIBUTES = {
  SHAREABILITY: SHAREABILITY.INNER,
  INNER_CACHE: INNER_CACHE.RAWAWB,
  OUTER_CACHE: OUTER_CACHE.AS_INNER,
} as const;

/**
 * Gives an ITS memory for the table of one GITS_BASER: of two levels if it would be large and the ITS takes it, else flat;
 * in the smallest pages that the register takes and that suffice.
 * @returns 0; -ENOMEM; -E2BIG if the register cannot tell a table of that size
 */
export function allocateTable(xen: Xen, its: HostIts, index: number, entries: number): number {
  for (const pageSize of Object.values(BASER_PAGE)) {
    const wanted = encode(GITS_BASER, 64, { ...ATTRIBUTES, PAGE_SIZE: pageSize, INDIRECT: 1 });
    const error = xen.steps.its.tryTable(xen, its, index, entries, writeBaser(xen, its, index, wanted));
    if (error !== failure('E2BIG')) return error;
  }
  return failure('E2BIG');
}

/** The same in the pages that a GITS_BASER has taken. Returns 0, -ENOMEM or -E2BIG. */
export function tryTable(xen: Xen, its: HostIts, index: number, entries: number, offered: Uint32Array): number {
  const pageSize = get(offered, GITS_BASER.PAGE_SIZE);
  const pageBytes = PAGE_BYTES[pageSize] as number;
  const entryBytes = get(offered, GITS_BASER.ENTRY_SIZE) + 1;
  const flat = entries * entryBytes;
  const isIndirect = get(offered, GITS_BASER.INDIRECT) === 1 && flat > Math.max(FLAT_BYTES, pageBytes);
  const perPage = Math.floor(pageBytes / entryBytes);
  const bytes = isIndirect ? Math.ceil(entries / perPage) * L1_ENTRY_BYTES : flat;
  const pages = Math.ceil(bytes / pageBytes);
  if (pages > PAGES_MAX) return failure('E2BIG');
  const table = xen.steps.heap.allocate(xen, orderOf(pages * pageBytes));
  if (table === undefined) return failure('ENOMEM');
  const words = encode(GITS_BASER, 64, {
    ...ATTRIBUTES,
    PAGE_SIZE: pageSize,
    SIZE: pages - 1,
    INDIRECT: isIndirect ? 1 : 0,
    VALID: 1,
  });
  putTable(words, maddr(table), pageBytes);
  const taken = writeBaser(xen, its, index, words);
  if (get(taken, GITS_BASER.SHAREABILITY) === 0) {
    put(words, GITS_BASER.SHAREABILITY, 0);
    put(words, GITS_BASER.INNER_CACHE, INNER_CACHE.NON_CACHEABLE);
    writeBaser(xen, its, index, words);
  }
  const isDevices = get(taken, GITS_BASER.TYPE) === TABLE_TYPE.DEVICES;
  if (isIndirect && isDevices) {
    its.deviceTable = { level1: maddr(table), pageBytes, devicesPerPage: perPage, pages: new Set() };
  }
  return 0;
}

/**
 * Sees to it that the device table has an entry for a device: of a table of two levels, the page that holds it.
 * @returns 0 or -ENOMEM
 */
export function ensureDeviceEntry(xen: Xen, its: HostIts, deviceId: number): number {
  const table = its.deviceTable;
  if (table === undefined) return 0;
  const index = Math.floor(deviceId / table.devicesPerPage);
  if (table.pages.has(index)) return 0;
  const page = xen.steps.heap.allocate(xen, orderOf(table.pageBytes));
  if (page === undefined) return failure('ENOMEM');
  const words = encode(L1_ENTRY, 64, { VALID: 1 });
  putAddress(words, L1_ENTRY.PHYSICAL_ADDRESS, maddr(page));
  xen.machine.memory.store64(pa(table.level1 + index * L1_ENTRY_BYTES), words[1] as number, words[0] as number);
  table.pages.add(index);
  return 0;
}

/** Makes room in the device tables for the functions that are there, before domains come and go. */
export function prepareDevices(xen: Xen): void {
  for (const device of allDevices(xen)) {
    const id = xen.steps.its.deviceIdOf(xen, device);
    if (typeof id !== 'object' || id.its.disabled || id.deviceId >= 2 ** id.its.deviceBits) continue;
    xen.steps.its.ensureDeviceEntry(xen, id.its, id.deviceId);
  }
}

/** Gives an ITS its command queue. Returns 0 or -ENOMEM. */
export function allocateQueue(xen: Xen, its: HostIts): number {
  const { writeRegister64, readRegister64 } = xen.steps.its;
  const queue = xen.steps.heap.allocate(xen, orderOf(QUEUE_BYTES));
  if (queue === undefined) return failure('ENOMEM');
  its.queue = { base: maddr(queue), entries: QUEUE_BYTES / COMMAND_BYTES, write: 0, read: 0 };
  const words = encode(GITS_CBASER, 64, {
    SIZE: QUEUE_BYTES / COMMAND_QUEUE_PAGE_BYTES - 1,
    ...ATTRIBUTES,
    VALID: 1,
  });
  putAddress(words, GITS_CBASER.PHYSICAL_ADDRESS, maddr(queue));
  writeRegister64(xen, its, GITS.CBASER, words);
  if (get(readRegister64(xen, its, GITS.CBASER), GITS_CBASER.SHAREABILITY) === 0) {
    put(words, GITS_CBASER.SHAREABILITY, 0);
    put(words, GITS_CBASER.INNER_CACHE, INNER_CACHE.NON_CACHEABLE);
    writeRegister64(xen, its, GITS.CBASER, words);
  }
  writeRegister64(xen, its, GITS.CWRITER, new Uint32Array(2));
  return 0;
}

/** Makes a collection for each CPU, of its number. Returns 0 or -EIO. */
export function mapCollections(xen: Xen, its: HostIts, gic: Gic): number {
  for (const redistributor of gic.redistributors) {
    if (redistributor === undefined) continue;
    const { cpu } = redistributor;
    const error =
      xen.steps.its.sendCommand(xen, its, xen.steps.its.encodeMapc(xen, its, cpu, cpu)) ||
      xen.steps.its.sync(xen, its, cpu);
    if (error !== 0) return error;
  }
  return 0;
}
