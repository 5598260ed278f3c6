/**
 * The command queue of an ITS: Arm IHI 0069 5.3 (commands), 12.19 (GITS_CWRITER, GITS_CREADR).
 *
 * Commands are put into the queue; the ITS is told of them when somebody waits, or when the queue is full. A command that
 * was consumed promises nothing to redistributors until the SYNC behind it was consumed too.
 */
import { type Pa, pa } from '../../hw/address.js';
import { encode, get, putAddress } from '../../hw/bits.js';
import {
  CMD_EVENT,
  CMD_INVALL,
  CMD_MAPC,
  CMD_MAPD,
  CMD_MAPTI,
  CMD_MOVI,
  CMD_SYNC,
  COMMAND,
  COMMAND_BYTES,
  GITS,
  GITS_CREADR,
  GITS_CWRITER,
} from '../../hw/gic/its/layout.js';
import { failure } from '../errno.js';
import { PATIENCE } from '../gic/driver.js';
import { print, type Xen } from '../xen.js';
import type { HostIts } from './state.js';

const COMMAND_BITS = COMMAND_BYTES * 8;
/** RDbase is bits 51:16 of an address (GITS_TYPER.PTA = 1). */
const RDBASE_UNIT = 0x1_0000;

/** The redistributor of a CPU, as commands name it. */
export function redistributorOf(xen: Xen, its: HostIts, cpu: number): number {
  const redistributor = xen.gic?.redistributors[cpu];
  if (redistributor === undefined) return cpu;
  return its.redistributorByAddress ? redistributor.address / RDBASE_UNIT : redistributor.processorNumber;
}

/** MAPD: a device with 2^bits events has its interrupt translation table at an address. */
export function encodeMapd(_xen: Xen, deviceId: number, bits: number, itt: Pa): Uint32Array {
  const words = encode(CMD_MAPD, COMMAND_BITS, { COMMAND: COMMAND.MAPD, DEVICE_ID: deviceId, SIZE: bits - 1, V: 1 });
  putAddress(words, CMD_MAPD.ITT_ADDRESS, itt);
  return words;
}

/** MAPD without V: a device has no table any more. */
export function encodeUnmapd(_xen: Xen, deviceId: number): Uint32Array {
  return encode(CMD_MAPD, COMMAND_BITS, { COMMAND: COMMAND.MAPD, DEVICE_ID: deviceId });
}

/** MAPC: a collection goes to the redistributor of a CPU. */
export function encodeMapc(xen: Xen, its: HostIts, collection: number, cpu: number): Uint32Array {
  const rdbase = xen.steps.its.redistributorOf(xen, its, cpu);
  return encode(CMD_MAPC, COMMAND_BITS, { COMMAND: COMMAND.MAPC, ICID: collection, RDBASE: rdbase, V: 1 });
}

/** MAPTI: an event of a device is an LPI of a collection. */
export function encodeMapti(
  _xen: Xen,
  deviceId: number,
  event: number,
  intid: number,
  collection: number,
): Uint32Array {
  return encode(CMD_MAPTI, COMMAND_BITS, {
    COMMAND: COMMAND.MAPTI,
    DEVICE_ID: deviceId,
    EVENT_ID: event,
    PINTID: intid,
    ICID: collection,
  });
}

/** MOVI: an event goes to another collection, its pending state with it. */
export function encodeMovi(_xen: Xen, deviceId: number, event: number, collection: number): Uint32Array {
  const fields = { COMMAND: COMMAND.MOVI, DEVICE_ID: deviceId, EVENT_ID: event, ICID: collection };
  return encode(CMD_MOVI, COMMAND_BITS, fields);
}

/** INVALL: the properties of a collection's LPIs have changed. */
export function encodeInvall(_xen: Xen, collection: number): Uint32Array {
  return encode(CMD_INVALL, COMMAND_BITS, { COMMAND: COMMAND.INVALL, ICID: collection });
}

/** DISCARD: an event is no interrupt any more, nor is it pending. */
export function encodeDiscard(_xen: Xen, deviceId: number, event: number): Uint32Array {
  return encode(CMD_EVENT, COMMAND_BITS, { COMMAND: COMMAND.DISCARD, DEVICE_ID: deviceId, EVENT_ID: event });
}

/** SYNC: what commands before it did has reached the redistributor of a CPU. */
export function encodeSync(xen: Xen, its: HostIts, cpu: number): Uint32Array {
  const rdbase = xen.steps.its.redistributorOf(xen, its, cpu);
  return encode(CMD_SYNC, COMMAND_BITS, { COMMAND: COMMAND.SYNC, RDBASE: rdbase });
}

/** Reads a 32-bit register. */
export function readRegister(xen: Xen, its: HostIts, offset: number): number {
  return xen.machine.mmio.read(pa(its.base + offset), 4, xen.cpu);
}

/** Writes a 32-bit register. */
export function writeRegister(xen: Xen, its: HostIts, offset: number, value: number): void {
  xen.machine.mmio.write(pa(its.base + offset), 4, value >>> 0, xen.cpu);
}

/** Reads a 64-bit register, as words. */
export function readRegister64(xen: Xen, its: HostIts, offset: number): Uint32Array {
  const { hi, lo } = xen.machine.mmio.read64(pa(its.base + offset), xen.cpu);
  return Uint32Array.of(lo, hi);
}

/** Writes a 64-bit register. */
export function writeRegister64(xen: Xen, its: HostIts, offset: number, words: Uint32Array): void {
  xen.machine.mmio.write64(pa(its.base + offset), words[1] as number, words[0] as number, xen.cpu);
}

const commandAt = (its: HostIts, index: number): Pa => pa(its.queue.base + index * COMMAND_BYTES);
const after = (its: HostIts, index: number): number => (index + 1) % its.queue.entries;

/** Reads how far the ITS has come. Returns whether it has stopped at a command that it cannot execute. */
function readConsumed(xen: Xen, its: HostIts): boolean {
  const words = xen.steps.its.readRegister64(xen, its, GITS.CREADR);
  its.queue.read = get(words, GITS_CREADR.OFFSET) % its.queue.entries;
  return get(words, GITS_CREADR.STALLED) === 1;
}

/**
 * Puts a command into the queue.
 * @returns 0, or -EIO if the queue stays full
 */
export function sendCommand(xen: Xen, its: HostIts, words: Uint32Array): number {
  const { queue } = its;
  for (let i = 0; after(its, queue.write) === queue.read; i++) {
    if (i === 0) xen.steps.its.publish(xen, its);
    if (i === PATIENCE) {
      print(xen, `ITS ${its.node.path}: command queue stays full`);
      return failure('EIO');
    }
    if (readConsumed(xen, its)) xen.steps.its.skipBadCommand(xen, its);
  }
  const at = commandAt(its, queue.write);
  xen.machine.memory.write(at, new Uint8Array(words.buffer, words.byteOffset, COMMAND_BYTES));
  queue.write = after(its, queue.write);
  return 0;
}

/** Tells the ITS of the commands so far. */
export function publish(xen: Xen, its: HostIts): void {
  xen.steps.its.writeRegister64(xen, its, GITS.CWRITER, encode(GITS_CWRITER, 64, { OFFSET: its.queue.write }));
}

/**
 * Tells the ITS of the commands so far, and waits until it has consumed them all, for as long as it gets on with them.
 * @returns 0, or -EIO if it does not, or could not execute one of them
 */
export function waitIdle(xen: Xen, its: HostIts): number {
  xen.steps.its.publish(xen, its);
  let bad = false;
  for (let i = 0; i < PATIENCE; i++) {
    const before = its.queue.read;
    if (readConsumed(xen, its)) bad = xen.steps.its.skipBadCommand(xen, its) || bad;
    else if (its.queue.read === its.queue.write) return bad ? failure('EIO') : 0;
    if (its.queue.read !== before) i = 0;
  }
  print(xen, `ITS ${its.node.path}: commands are not consumed`);
  return failure('EIO');
}

/** Replaces the command that the ITS has stopped at by a SYNC, and lets it go on (GITS_CWRITER.Retry). */
export function skipBadCommand(xen: Xen, its: HostIts): boolean {
  const at = commandAt(its, its.queue.read);
  const opcode = xen.machine.memory.load(at, 1);
  print(xen, `ITS ${its.node.path}: command 0x${opcode.toString(16)} failed; skipped`);
  xen.machine.memory.write(at, new Uint8Array(xen.steps.its.encodeSync(xen, its, 0).buffer));
  const words = encode(GITS_CWRITER, 64, { OFFSET: its.queue.write, RETRY: 1 });
  xen.steps.its.writeRegister64(xen, its, GITS.CWRITER, words);
  return true;
}

/**
 * Waits until commands so far have had their effect, for the redistributor of a CPU too.
 * @returns 0 or -EIO
 */
export function sync(xen: Xen, its: HostIts, cpu: number): number {
  const error = xen.steps.its.sendCommand(xen, its, xen.steps.its.encodeSync(xen, its, cpu));
  return error !== 0 ? error : xen.steps.its.waitIdle(xen, its);
}
