/**
 * The translation service that a domain sees: Arm IHI 0069 12.19, physical LPIs only. The first frame is emulated. The
 * second, with GITS_TRANSLATER, is the machine's own, so that devices reach it (`guest-devices.ts`).
 *
 * GITS_BASER0 is the device table and GITS_BASER1 the collection table, both flat; RDbase is a vCPU's number. CBASER and
 * BASER can be written while the service is disabled. The queue is worked on in pieces: a trap executes a bounded number
 * of commands, and the next access to the service goes on.
 */
import { encode, get, put } from '../../hw/bits.js';
import {
  ARCH_REV,
  BASER_COUNT,
  CMD,
  COMMAND,
  COMMAND_BYTES,
  COMMAND_QUEUE_PAGE_BYTES,
  GITS,
  GITS_BASER,
  GITS_CBASER,
  GITS_CREADR,
  GITS_CTLR,
  GITS_CWRITER,
  GITS_IIDR,
  GITS_PIDR2,
  GITS_TYPER,
  TABLE_TYPE,
  TRANSLATION_FRAME,
} from '../../hw/gic/its/layout.js';
import type { Value64 } from '../../hw/machine.js';
import type { MmioHandler } from '../mmio.js';
import { IMPLEMENTER_ARM } from '../vgic/distributor-v3.js';
import { type Domain, print, type Vcpu, type Xen } from '../xen.js';
import type { HostIts, VirtualIts } from './state.js';

type Width = 1 | 2 | 4 | 8;

/** Bits of an EventID, at most: as many messages as a PCI function can have. */
export const EVENT_BITS = 11;
/** Bits of a DeviceID of a domain that does not know the machine's. */
export const DEVICE_BITS = 16;
/** Bits of a collection's number (GITS_TYPER.CIDbits + 1). */
export const COLLECTION_BITS = 8;
/** Bytes of a table entry, as GITS_BASER tells it. */
export const TABLE_ENTRY_BYTES = 8;
/** What GITS_BASER0 and GITS_BASER1 are for. */
const TABLES = [TABLE_TYPE.DEVICES, TABLE_TYPE.COLLECTIONS] as const;
/** What a trap may spend on commands, and what those cost that look at many LPIs; others cost 1. */
const BUDGET = 128;
const WIDE_COST = 32;
const WIDE_COMMANDS: readonly number[] = [COMMAND.MAPD, COMMAND.MAPC, COMMAND.INVALL, COMMAND.MOVALL];
/** Bad commands that are printed for a domain. */
const ERRORS_PRINTED = 16;

const word = (value: number): Value64 => ({ hi: 0, lo: value >>> 0 });
const wordsOf = ({ hi, lo }: Value64): Uint32Array => Uint32Array.of(lo, hi);
const value64 = (words: Uint32Array): Value64 => ({ hi: words[1] as number, lo: words[0] as number });

/** A service after reset. */
export function makeService(_xen: Xen, domain: Domain, host: HostIts, address: number, deviceBits: number): VirtualIts {
  const table = (type: number): Value64 =>
    value64(encode(GITS_BASER, 64, { TYPE: type, ENTRY_SIZE: TABLE_ENTRY_BYTES - 1 }));
  return {
    domain,
    host,
    address,
    deviceBits,
    eventBits: EVENT_BITS,
    enabled: false,
    cbaser: { hi: 0, lo: 0 },
    cwriter: 0,
    creadr: 0,
    stalled: false,
    baser: [table(TABLES[0]), table(TABLES[1])],
    collections: new Map(),
    devices: new Map(),
    errors: 0,
  };
}

/** GITS_TYPER. */
function typer(vits: VirtualIts): Value64 {
  return value64(
    encode(GITS_TYPER, 64, {
      PHYSICAL: 1,
      ITT_ENTRY_SIZE: TABLE_ENTRY_BYTES - 1,
      ID_BITS: vits.eventBits - 1,
      DEVBITS: vits.deviceBits - 1,
      CIL: 1,
      CIDBITS: COLLECTION_BITS - 1,
    }),
  );
}

/** The table of a GITS_BASER. Undefined: the offset is none's. */
function tableAt(offset: number): 0 | 1 | undefined {
  return offset === GITS.BASER ? 0 : offset === GITS.BASER + 8 ? 1 : undefined;
}

/** Registers of 64 bits, at whose first byte `offset` is. Undefined: it is none of them. */
function read64(vits: VirtualIts, offset: number): Value64 | undefined {
  const table = tableAt(offset);
  if (table !== undefined) return vits.baser[table];
  // The other ones of the array are not implemented.
  if (offset >= GITS.BASER && offset < GITS.BASER + 8 * BASER_COUNT) return { hi: 0, lo: 0 };
  switch (offset) {
    case GITS.TYPER:
      return typer(vits);
    case GITS.CBASER:
      return vits.cbaser;
    case GITS.CWRITER:
      return value64(encode(GITS_CWRITER, 64, { OFFSET: vits.cwriter / COMMAND_BYTES }));
    case GITS.CREADR:
      return value64(encode(GITS_CREADR, 64, { OFFSET: vits.creadr / COMMAND_BYTES, STALLED: vits.stalled ? 1 : 0 }));
    default:
      return undefined;
  }
}

/** Reads a register. Undefined: it is not accessed in that width. */
export function readRegister(xen: Xen, vits: VirtualIts, offset: number, width: Width): Value64 | undefined {
  if (width !== 4 && width !== 8) return undefined;
  xen.steps.vits.runQueue(xen, vits);
  const value = read64(vits, offset - (offset % 8));
  if (value !== undefined && width === 8) return value;
  if (value !== undefined) return word(offset % 8 === 0 ? value.lo : value.hi);
  if (width === 8) return undefined;
  switch (offset) {
    case GITS.CTLR:
      return word(
        encode(GITS_CTLR, 32, { ENABLED: vits.enabled ? 1 : 0, QUIESCENT: vits.enabled ? 0 : 1 })[0] as number,
      );
    case GITS.IIDR:
      return word(encode(GITS_IIDR, 32, { IMPLEMENTER: IMPLEMENTER_ARM })[0] as number);
    case GITS.PIDR2:
      return word(encode(GITS_PIDR2, 32, { ARCH_REV: ARCH_REV.GICV3 })[0] as number);
    default:
      return word(0);
  }
}

/** Writes a register. False: it is not accessed in that width. */
export function writeRegister(xen: Xen, vits: VirtualIts, offset: number, width: Width, value: Value64): boolean {
  if (width !== 4 && width !== 8) return false;
  const first = offset - (offset % 8);
  const old = read64(vits, first);
  if (old !== undefined) {
    const merged = width === 8 ? value : offset % 8 === 0 ? { hi: old.hi, lo: value.lo } : { hi: value.lo, lo: old.lo };
    write64(xen, vits, first, wordsOf(merged));
  } else if (width === 8) {
    return false;
  } else if (offset === GITS.CTLR) {
    vits.enabled = get(Uint32Array.of(value.lo), GITS_CTLR.ENABLED) === 1;
  }
  xen.steps.vits.runQueue(xen, vits);
  return true;
}

function write64(xen: Xen, vits: VirtualIts, offset: number, words: Uint32Array): void {
  const table = tableAt(offset);
  if (offset === GITS.CWRITER) {
    vits.cwriter = get(words, GITS_CWRITER.OFFSET) * COMMAND_BYTES;
    if (get(words, GITS_CWRITER.RETRY) === 1) vits.stalled = false;
  } else if (offset === GITS.CBASER && !vits.enabled) {
    vits.cbaser = value64(words);
    vits.creadr = 0;
    vits.stalled = false;
  } else if (table !== undefined && !vits.enabled) {
    put(words, GITS_BASER.TYPE, TABLES[table]);
    put(words, GITS_BASER.ENTRY_SIZE, TABLE_ENTRY_BYTES - 1);
    put(words, GITS_BASER.INDIRECT, 0);
    vits.baser[table] = value64(words);
    if (get(words, GITS_BASER.VALID) === 0) xen.steps.vits.dropTable(xen, vits, table);
  }
}

/** The guest takes a table away: with it goes what it held (12.19, GITS_BASER<n>.Valid). */
export function dropTable(xen: Xen, vits: VirtualIts, table: 0 | 1): void {
  if (table === 1) {
    vits.collections.clear();
    return;
  }
  for (const device of vits.devices.values()) {
    xen.steps.vits.discardAll(xen, device);
    device.events = 0;
  }
}

/** Bytes of the command queue; 0 if the guest has given none. */
function queueBytes(vits: VirtualIts): number {
  const words = wordsOf(vits.cbaser);
  if (get(words, GITS_CBASER.VALID) === 0) return 0;
  return (get(words, GITS_CBASER.SIZE) + 1) * COMMAND_QUEUE_PAGE_BYTES;
}

/**
 * Executes commands until the queue is empty or the trap's share is spent. Nothing is executed while GITS_CWRITER lies
 * outside the queue; a command that is not in the guest's RAM stalls it.
 */
export function runQueue(xen: Xen, vits: VirtualIts): void {
  const bytes = queueBytes(vits);
  if (!vits.enabled || vits.stalled || vits.cwriter >= bytes) return;
  for (let spent = 0; vits.creadr !== vits.cwriter && spent < BUDGET; ) {
    const words = xen.steps.vits.readCommand(xen, vits);
    if (words === undefined) {
      vits.stalled = true;
      xen.steps.vits.reportError(xen, vits, 'EXTERNAL_ABORT');
      return;
    }
    const error = xen.steps.vits.execute(xen, vits, words);
    if (error !== undefined) xen.steps.vits.reportError(xen, vits, error);
    vits.creadr = (vits.creadr + COMMAND_BYTES) % bytes;
    spent += xen.steps.vits.costOf(xen, words);
  }
}

/** What a command costs of a trap's share. */
export function costOf(_xen: Xen, words: Uint32Array): number {
  return WIDE_COMMANDS.includes(get(words, CMD.COMMAND)) ? WIDE_COST : 1;
}

/** Tells of a command that could not be executed: the first ones of each domain. */
export function reportError(xen: Xen, vits: VirtualIts, error: string): void {
  vits.errors++;
  if (vits.errors > ERRORS_PRINTED) return;
  const last = vits.errors === ERRORS_PRINTED ? '; further ones are not told' : '';
  print(xen, `${vits.domain.name}: ITS command at 0x${vits.creadr.toString(16)}: ${error}${last}`);
}

/** The first frame of a service. */
export function makeHandler(_xen: Xen, vits: VirtualIts): MmioHandler {
  return {
    name: 'vITS',
    address: vits.address,
    size: TRANSLATION_FRAME,
    read: (xen: Xen, _vcpu: Vcpu, offset, width) => xen.steps.vits.readRegister(xen, vits, offset, width),
    write: (xen: Xen, _vcpu: Vcpu, offset, width, value) =>
      xen.steps.vits.writeRegister(xen, vits, offset, width, value),
  };
}
