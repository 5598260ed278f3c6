/**
 * Commands of a guest's translation service: Arm IHI 0069 5.3, physical LPIs only.
 *
 * The guest's tables are Xen's own, bounded by what the guest was given: devices by what is assigned to it, events of each
 * by GITS_TYPER.ID_bits, collections by GITS_TYPER.CIDbits. Xen keeps them in the memory that GITS_BASER and MAPD name; but
 * their format is the implementation's, so that nobody can tell, an interrupt needs no look into guest memory, and what the
 * guest writes there means nothing.
 *
 * A command that cannot be executed is ignored, which 5.3 allows, and the next one is taken. The manual calls UNPREDICTABLE,
 * and here: MAPD of a mapped device drops its events; MAPC of a mapped collection takes pending LPIs along.
 */
import { get } from '../../hw/bits.js';
import {
  CMD,
  CMD_EVENT,
  CMD_INVALL,
  CMD_MAPC,
  CMD_MAPD,
  CMD_MAPI,
  CMD_MAPTI,
  CMD_MOVALL,
  CMD_MOVI,
  CMD_SYNC,
  COMMAND,
  type CommandError,
  GITS_BASER,
  PAGE_BYTES,
} from '../../hw/gic/its/layout.js';
import { FIRST_LPI } from '../gic/driver.js';
import type { Vcpu, Xen } from '../xen.js';
import { COLLECTION_BITS, TABLE_ENTRY_BYTES } from './guest-registers.js';
import type { VirtualEvent, VirtualIts, VirtualItsDevice } from './state.js';

/** What came of a command: nothing wrong, or the error by its name in the manual. */
export type CommandResult = CommandError | undefined;

/** Commands of an event of a device. */
type EventCommand = 'INT' | 'CLEAR' | 'INV' | 'DISCARD' | 'MOVI';

/** Entries that a table of the guest's holds; none if it is not valid. */
function tableEntries({ hi, lo }: { hi: number; lo: number }): number {
  const words = Uint32Array.of(lo, hi);
  if (get(words, GITS_BASER.VALID) === 0) return 0;
  const page = PAGE_BYTES[get(words, GITS_BASER.PAGE_SIZE)] as number;
  return ((get(words, GITS_BASER.SIZE) + 1) * page) / TABLE_ENTRY_BYTES;
}

/** Whether the device table has an entry for a DeviceID. */
export function deviceInRange(_xen: Xen, vits: VirtualIts, deviceId: number): boolean {
  return deviceId < Math.min(2 ** vits.deviceBits, tableEntries(vits.baser[0]));
}

/** Whether the collection table has an entry for a collection. */
export function collectionInRange(_xen: Xen, vits: VirtualIts, icid: number): boolean {
  return icid < Math.min(2 ** COLLECTION_BITS, tableEntries(vits.baser[1]));
}

/** The vCPU that RDbase names: its number, as GITS_TYPER.PTA is 0. */
function redistributor(vits: VirtualIts, rdbase: number): Vcpu | undefined {
  return vits.domain.vcpus[rdbase];
}

/** Executes a command. */
export function execute(xen: Xen, vits: VirtualIts, words: Uint32Array): CommandResult {
  const { vits: steps } = xen.steps;
  switch (get(words, CMD.COMMAND)) {
    case COMMAND.MAPD:
      return steps.mapd(xen, vits, words);
    case COMMAND.MAPC:
      return steps.mapc(xen, vits, words);
    case COMMAND.MAPTI: {
      const [event, intid] = [get(words, CMD_MAPTI.EVENT_ID), get(words, CMD_MAPTI.PINTID)];
      return steps.mapti(xen, vits, 'MAPTI', get(words, CMD_MAPTI.DEVICE_ID), event, intid, get(words, CMD_MAPTI.ICID));
    }
    case COMMAND.MAPI: {
      const event = get(words, CMD_MAPI.EVENT_ID);
      return steps.mapti(xen, vits, 'MAPI', get(words, CMD_MAPI.DEVICE_ID), event, event, get(words, CMD_MAPI.ICID));
    }
    case COMMAND.MOVI:
      return steps.movi(xen, vits, words);
    case COMMAND.MOVALL:
      return steps.movall(xen, vits, words);
    case COMMAND.INT:
      return onEvent(xen, vits, 'INT', words, (event) => steps.deliver(xen, event));
    case COMMAND.CLEAR:
      return onEvent(xen, vits, 'CLEAR', words, ({ irq }) => xen.steps.vgic.clearPending(xen, irq));
    case COMMAND.DISCARD:
      return onEvent(xen, vits, 'DISCARD', words, (event) => steps.discardEvent(xen, event));
    case COMMAND.INV:
      return onEvent(xen, vits, 'INV', words, (event) => steps.inv(xen, event));
    case COMMAND.INVALL:
      return steps.invall(xen, vits, get(words, CMD_INVALL.ICID));
    case COMMAND.SYNC:
      // Everything before it has had its effect already.
      return redistributor(vits, get(words, CMD_SYNC.RDBASE)) === undefined ? 'SYNC_PROCNUM_OOR' : undefined;
    default:
      return 'UNKNOWN_COMMAND';
  }
}

/** The mapped event that a command names, or what is wrong with it. */
function findEvent(
  xen: Xen,
  vits: VirtualIts,
  name: EventCommand,
  deviceId: number,
  eventId: number,
): VirtualEvent | CommandError {
  if (!xen.steps.vits.deviceInRange(xen, vits, deviceId)) return `${name}_DEVICE_OOR`;
  const device = mappedDevice(vits, deviceId);
  if (device === undefined) return `${name}_UNMAPPED_DEVICE`;
  if (eventId >= device.events) return `${name}_ID_OOR`;
  return device.mapped.get(eventId) ?? `${name}_UNMAPPED_INTERRUPT`;
}

/** A device that the guest has and that it has mapped. */
function mappedDevice(vits: VirtualIts, deviceId: number): VirtualItsDevice | undefined {
  const device = vits.devices.get(deviceId);
  return device === undefined || device.events === 0 ? undefined : device;
}

function onEvent(
  xen: Xen,
  vits: VirtualIts,
  name: Exclude<EventCommand, 'MOVI'>,
  words: Uint32Array,
  act: (event: VirtualEvent) => void,
): CommandResult {
  const event = findEvent(xen, vits, name, get(words, CMD_EVENT.DEVICE_ID), get(words, CMD_EVENT.EVENT_ID));
  if (typeof event === 'string') return event;
  act(event);
  return undefined;
}

/**
 * MAPD. A DeviceID that is none of the guest's devices has no effect: nothing would ever come from it, and nothing is
 * kept of it.
 */
export function mapd(xen: Xen, vits: VirtualIts, words: Uint32Array): CommandResult {
  const deviceId = get(words, CMD_MAPD.DEVICE_ID);
  const bits = get(words, CMD_MAPD.SIZE) + 1;
  const valid = get(words, CMD_MAPD.V) === 1;
  if (!xen.steps.vits.deviceInRange(xen, vits, deviceId)) return 'MAPD_DEVICE_OOR';
  if (valid && bits > vits.eventBits) return 'MAPD_ITTSIZE_OOR';
  const device = vits.devices.get(deviceId);
  if (device === undefined) return undefined;
  xen.steps.vits.discardAll(xen, device);
  device.events = valid ? 2 ** bits : 0;
  return xen.steps.vits.hostMapd(xen, device) === 0 ? undefined : 'EXTERNAL_ABORT';
}

/** MAPC. */
export function mapc(xen: Xen, vits: VirtualIts, words: Uint32Array): CommandResult {
  const icid = get(words, CMD_MAPC.ICID);
  if (!xen.steps.vits.collectionInRange(xen, vits, icid)) return 'MAPC_COLLECTION_OOR';
  if (get(words, CMD_MAPC.V) === 0) {
    vits.collections.delete(icid);
    return undefined;
  }
  const vcpu = redistributor(vits, get(words, CMD_MAPC.RDBASE));
  if (vcpu === undefined) return 'MAPC_PROCNUM_OOR';
  if (vits.collections.get(icid) === vcpu) return undefined;
  vits.collections.set(icid, vcpu);
  const events = xen.steps.vits.eventsOf(xen, vits, icid);
  for (const { irq } of events) xen.steps.vits.moveLpi(xen, irq, vcpu);
  xen.steps.vits.followVcpu(xen, vcpu, events);
  return undefined;
}

/** MAPTI and MAPI. An event that is mapped stays as it is. The collection must be mapped, as Xen has it. */
export function mapti(
  xen: Xen,
  vits: VirtualIts,
  name: 'MAPTI' | 'MAPI',
  deviceId: number,
  eventId: number,
  intid: number,
  icid: number,
): CommandResult {
  const { vits: steps } = xen.steps;
  if (!steps.deviceInRange(xen, vits, deviceId)) return `${name}_DEVICE_OOR`;
  if (!steps.collectionInRange(xen, vits, icid)) return `${name}_COLLECTION_OOR`;
  const device = mappedDevice(vits, deviceId);
  if (device === undefined) return `${name}_UNMAPPED_DEVICE`;
  if (eventId >= device.events) return `${name}_ID_OOR`;
  if (intid < FIRST_LPI || intid >= 2 ** (vits.domain.vgic?.lpiIdBits ?? 0)) return `${name}_PHYSICALID_OOR`;
  const vcpu = vits.collections.get(icid);
  if (vcpu === undefined) return `${name}_COLLECTION_OOR`;
  if (device.mapped.has(eventId)) return undefined;
  const lpi = steps.lpiOf(xen, vits.domain, intid, vcpu);
  lpi.users++;
  const event: VirtualEvent = { device, event: eventId, irq: lpi.irq, icid };
  device.mapped.set(eventId, event);
  steps.moveLpi(xen, lpi.irq, vcpu);
  steps.bindEvent(xen, event);
  steps.followVcpu(xen, vcpu, [event]);
  return undefined;
}

/** MOVI. */
export function movi(xen: Xen, vits: VirtualIts, words: Uint32Array): CommandResult {
  const icid = get(words, CMD_MOVI.ICID);
  const event = findEvent(xen, vits, 'MOVI', get(words, CMD_MOVI.DEVICE_ID), get(words, CMD_MOVI.EVENT_ID));
  if (typeof event === 'string') return event;
  if (!xen.steps.vits.collectionInRange(xen, vits, icid)) return 'MOVI_COLLECTION_OOR';
  const vcpu = vits.collections.get(icid);
  if (vcpu === undefined) return 'MOVI_UNMAPPED_COLLECTION';
  event.icid = icid;
  xen.steps.vits.moveLpi(xen, event.irq, vcpu);
  xen.steps.vits.followVcpu(xen, vcpu, [event]);
  return undefined;
}

/** MOVALL: what is pending at one vCPU is pending at another one. Where later interrupts go does not change. */
export function movall(xen: Xen, vits: VirtualIts, words: Uint32Array): CommandResult {
  const from = redistributor(vits, get(words, CMD_MOVALL.RDBASE1));
  const to = redistributor(vits, get(words, CMD_MOVALL.RDBASE2));
  if (from === undefined || to === undefined) return 'MOVALL_PROCNUM_OOR';
  for (const { irq } of vits.domain.its.lpis.values()) {
    if (irq.target === from) xen.steps.vits.moveLpi(xen, irq, to);
  }
  return undefined;
}

/** INV: the guest has changed the property byte of an event's LPI. */
export function inv(xen: Xen, event: VirtualEvent): void {
  const vcpu = xen.steps.vits.targetOf(xen, event);
  if (vcpu !== undefined) xen.steps.vits.updateProperty(xen, vcpu, event.irq);
}

/** INVALL: those of all LPIs of a collection, and of whatever else its vCPU has. */
export function invall(xen: Xen, vits: VirtualIts, icid: number): CommandResult {
  if (!xen.steps.vits.collectionInRange(xen, vits, icid)) return 'INVALL_COLLECTION_OOR';
  const vcpu = vits.collections.get(icid);
  if (vcpu === undefined) return 'INVALL_UNMAPPED_COLLECTION';
  const own = new Set(xen.steps.vits.eventsOf(xen, vits, icid).map(({ irq }) => irq));
  for (const { irq } of vits.domain.its.lpis.values()) if (irq.target === vcpu) own.add(irq);
  for (const irq of own) xen.steps.vits.updateProperty(xen, vcpu, irq);
  return undefined;
}

/** DISCARD: an event is no interrupt any more, nor is it pending. */
export function discardEvent(xen: Xen, event: VirtualEvent): void {
  xen.steps.vits.unbindEvent(xen, event);
  event.device.mapped.delete(event.event);
  xen.steps.vits.releaseLpi(xen, event.device.vits.domain, event.irq);
}

/** Ends all events of a device. */
export function discardAll(xen: Xen, device: VirtualItsDevice): void {
  for (const event of [...device.mapped.values()]) xen.steps.vits.discardEvent(xen, event);
}
