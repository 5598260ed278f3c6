/**
 * The commands of the ITS: what each does, and its errors. Arm IHI 0069 5.3.
 *
 * A command that fails changes nothing. Where the manual leaves open how an event of an unmapped collection is
 * answered, INT, CLEAR, INV and DISCARD answer as for an event that is not mapped.
 *
 * Not modelled: the commands of GICv4 (an error, as any other unknown command number).
 */
import { hex } from '../../address.js';
import { type Field, get, getAddress } from '../../bits.js';
import type { LpiTarget } from '../lpi.js';
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
  type CommandName,
} from './layout.js';
import type { Device, Mappings, Missing, Translation } from './mappings.js';

/** What commands act on. */
export interface CommandContext {
  readonly mappings: Mappings;
  /** Width of an EventID (GITS_TYPER.ID_bits + 1). */
  readonly eventBits: number;
  misuse(text: string): void;
}

/** One command. */
interface Command {
  /** Does it. Undefined: it was done. */
  readonly execute: (words: Uint32Array, its: CommandContext) => CommandError | undefined;
  /** Its operands, for transcripts. */
  readonly operands: (words: Uint32Array) => string;
}

/** An event of a device that is mapped to an LPI of a collection of a redistributor. */
interface MappedEvent {
  readonly device: Device;
  readonly translation: Translation;
  readonly target: LpiTarget;
}

type EventCommand = 'CLEAR' | 'DISCARD' | 'INT' | 'INV';
type MapCommand = 'MAPI' | 'MAPTI';

function deviceError<N extends EventCommand | MapCommand | 'MOVI'>(name: N, why: Missing): CommandError {
  if (why === 'external abort') return 'EXTERNAL_ABORT';
  return why === 'unmapped' ? `${name}_UNMAPPED_DEVICE` : `${name}_DEVICE_OOR`;
}

function eventError<N extends EventCommand | 'MOVI'>(name: N, why: Missing): CommandError {
  if (why === 'external abort') return 'EXTERNAL_ABORT';
  return why === 'unmapped' ? `${name}_UNMAPPED_INTERRUPT` : `${name}_ID_OOR`;
}

/** Finds what CLEAR, DISCARD, INT and INV name. An entry that holds no LPI is as good as none. */
function findEvent(name: EventCommand, words: Uint32Array, { mappings }: CommandContext): MappedEvent | CommandError {
  const device = mappings.device(get(words, CMD_EVENT.DEVICE_ID));
  if (typeof device === 'string') return deviceError(name, device);
  const translation = mappings.translation(device, get(words, CMD_EVENT.EVENT_ID));
  if (typeof translation === 'string') return eventError(name, translation);
  if (!mappings.isLpi(translation.intid)) return `${name}_UNMAPPED_INTERRUPT`;
  const target = mappings.collection(translation.icid);
  if (target === 'external abort') return 'EXTERNAL_ABORT';
  if (typeof target === 'string') return `${name}_UNMAPPED_INTERRUPT`;
  return { device, translation, target };
}

const eventText = (words: Uint32Array, device: Field, event: Field): string =>
  `DeviceID ${hex(get(words, device))} EventID ${get(words, event)}`;

function eventCommand(
  name: EventCommand,
  act: (event: MappedEvent, eventId: number, its: CommandContext) => CommandError | undefined,
): Command {
  return {
    execute: (words, its) => {
      const event = findEvent(name, words, its);
      return typeof event === 'string' ? event : act(event, get(words, CMD_EVENT.EVENT_ID), its);
    },
    operands: (words) => eventText(words, CMD_EVENT.DEVICE_ID, CMD_EVENT.EVENT_ID),
  };
}

function mapCommand(
  name: MapCommand,
  form: { readonly DEVICE_ID: Field; readonly EVENT_ID: Field; readonly ICID: Field },
  pintid: Field,
): Command {
  const text = (words: Uint32Array): string => eventText(words, form.DEVICE_ID, form.EVENT_ID);
  return {
    execute: (words, { mappings, misuse }) => {
      const eventId = get(words, form.EVENT_ID);
      const icid = get(words, form.ICID);
      const intid = get(words, pintid);
      const device = mappings.device(get(words, form.DEVICE_ID));
      if (device === 'out of range') return `${name}_DEVICE_OOR`;
      if (!mappings.hasCollection(icid)) return `${name}_COLLECTION_OOR`;
      if (typeof device === 'string') return deviceError(name, device);
      const before = mappings.translation(device, eventId);
      if (before === 'out of range') return `${name}_ID_OOR`;
      if (before === 'external abort') return 'EXTERNAL_ABORT';
      if (!mappings.isLpi(intid)) return `${name}_PHYSICALID_OOR`;
      // UNPREDICTABLE. Here the new mapping takes the place of the old one.
      if (before !== 'unmapped') misuse(`${name} of ${text(words)}, which is mapped already`);
      return mappings.mapEvent(device, eventId, intid, icid) === undefined ? undefined : 'EXTERNAL_ABORT';
    },
    operands: (words) => `${text(words)}: LPI ${get(words, pintid)} in collection ${get(words, form.ICID)}`,
  };
}

/** Moves the pending state of an LPI from one redistributor to another. */
function movePending(intid: number, from: LpiTarget, to: LpiTarget): void {
  if (from === to || !from.isPending(intid)) return;
  from.clearPending(intid);
  to.setPending(intid);
}

const COMMANDS: Readonly<Record<CommandName, Command>> = {
  CLEAR: eventCommand('CLEAR', ({ translation, target }) => {
    target.clearPending(translation.intid);
    return undefined;
  }),

  DISCARD: eventCommand('DISCARD', ({ device, translation, target }, eventId, { mappings }) => {
    if (mappings.discardEvent(device, eventId) !== undefined) return 'EXTERNAL_ABORT';
    target.clearPending(translation.intid);
    return undefined;
  }),

  INT: eventCommand('INT', ({ translation, target }) => {
    target.setPending(translation.intid);
    return undefined;
  }),

  INV: eventCommand('INV', ({ translation, target }) => {
    target.invalidate(translation.intid);
    return undefined;
  }),

  INVALL: {
    execute: (words, { mappings }) => {
      const target = mappings.collection(get(words, CMD_INVALL.ICID));
      if (target === 'out of range') return 'INVALL_COLLECTION_OOR';
      if (target === 'unmapped') return 'INVALL_UNMAPPED_COLLECTION';
      if (target === 'external abort') return 'EXTERNAL_ABORT';
      target.invalidateAll();
      return undefined;
    },
    operands: (words) => `collection ${get(words, CMD_INVALL.ICID)}`,
  },

  MAPC: {
    execute: (words, { mappings }) => {
      const icid = get(words, CMD_MAPC.ICID);
      const rdbase = get(words, CMD_MAPC.V) === 1 ? get(words, CMD_MAPC.RDBASE) : undefined;
      if (!mappings.hasCollection(icid)) return 'MAPC_COLLECTION_OOR';
      if (rdbase !== undefined && mappings.target(rdbase) === undefined) return 'MAPC_PROCNUM_OOR';
      const failure = mappings.mapCollection(icid, rdbase);
      if (failure === 'out of range') return 'MAPC_COLLECTION_OOR';
      return failure === undefined ? undefined : 'EXTERNAL_ABORT';
    },
    operands: (words) =>
      `collection ${get(words, CMD_MAPC.ICID)} ` +
      (get(words, CMD_MAPC.V) === 1 ? `to RDbase ${hex(get(words, CMD_MAPC.RDBASE))}` : 'unmapped'),
  },

  MAPD: {
    execute: (words, { mappings, eventBits }) => {
      const id = get(words, CMD_MAPD.DEVICE_ID);
      const width = get(words, CMD_MAPD.SIZE) + 1;
      const valid = get(words, CMD_MAPD.V) === 1;
      if (!mappings.hasDevice(id)) return 'MAPD_DEVICE_OOR';
      if (valid && width > eventBits) return 'MAPD_ITTSIZE_OOR';
      const failure = valid
        ? mappings.mapDevice(id, getAddress(words, CMD_MAPD.ITT_ADDRESS), width)
        : mappings.unmapDevice(id);
      if (failure === undefined) return undefined;
      return failure === 'external abort' ? 'EXTERNAL_ABORT' : 'MAPD_DEVICE_OOR';
    },
    operands: (words) =>
      `DeviceID ${hex(get(words, CMD_MAPD.DEVICE_ID))} ` +
      (get(words, CMD_MAPD.V) === 1
        ? `to ITT ${hex(getAddress(words, CMD_MAPD.ITT_ADDRESS))}, ${get(words, CMD_MAPD.SIZE) + 1} EventID bits`
        : 'unmapped'),
  },

  MAPI: mapCommand('MAPI', CMD_MAPI, CMD_MAPI.EVENT_ID),
  MAPTI: mapCommand('MAPTI', CMD_MAPTI, CMD_MAPTI.PINTID),

  MOVALL: {
    execute: (words, { mappings }) => {
      const from = mappings.target(get(words, CMD_MOVALL.RDBASE1));
      const to = mappings.target(get(words, CMD_MOVALL.RDBASE2));
      if (from === undefined || to === undefined) return 'MOVALL_PROCNUM_OOR';
      for (const intid of [...from.pendingLpis()]) movePending(intid, from, to);
      return undefined;
    },
    operands: (words) => `RDbase ${hex(get(words, CMD_MOVALL.RDBASE1))} to ${hex(get(words, CMD_MOVALL.RDBASE2))}`,
  },

  MOVI: {
    execute: (words, { mappings }) => {
      const eventId = get(words, CMD_MOVI.EVENT_ID);
      const icid = get(words, CMD_MOVI.ICID);
      const device = mappings.device(get(words, CMD_MOVI.DEVICE_ID));
      if (device === 'out of range') return 'MOVI_DEVICE_OOR';
      if (!mappings.hasCollection(icid)) return 'MOVI_COLLECTION_OOR';
      if (typeof device === 'string') return deviceError('MOVI', device);
      const translation = mappings.translation(device, eventId);
      if (typeof translation === 'string') return eventError('MOVI', translation);
      if (!mappings.isLpi(translation.intid)) return 'MOVI_UNMAPPED_INTERRUPT';
      const from = mappings.collection(translation.icid);
      const to = mappings.collection(icid);
      if (from === 'external abort' || to === 'external abort') return 'EXTERNAL_ABORT';
      if (typeof from === 'string' || typeof to === 'string') return 'MOVI_UNMAPPED_COLLECTION';
      if (mappings.mapEvent(device, eventId, translation.intid, icid) !== undefined) return 'EXTERNAL_ABORT';
      movePending(translation.intid, from, to);
      return undefined;
    },
    operands: (words) =>
      `${eventText(words, CMD_MOVI.DEVICE_ID, CMD_MOVI.EVENT_ID)} to collection ${get(words, CMD_MOVI.ICID)}`,
  },

  SYNC: {
    execute: (words, { mappings }) => {
      const target = mappings.target(get(words, CMD_SYNC.RDBASE));
      if (target === undefined) return 'SYNC_PROCNUM_OOR';
      mappings.synchronize();
      target.sync();
      return undefined;
    },
    operands: (words) => `RDbase ${hex(get(words, CMD_SYNC.RDBASE))}`,
  },
};

const NAMES = new Map<number, CommandName>(
  (Object.entries(COMMAND) as [CommandName, number][]).map(([name, code]) => [code, name]),
);

/** Name of a command, undefined if its number is none of GICv3's. */
export function commandName(words: Uint32Array): CommandName | undefined {
  return NAMES.get(get(words, CMD.COMMAND));
}

/** Executes a command. Undefined: it was done. */
export function execute(name: CommandName, words: Uint32Array, its: CommandContext): CommandError | undefined {
  return COMMANDS[name].execute(words, its);
}

/** The operands of a command, for transcripts. */
export function operands(name: CommandName, words: Uint32Array): string {
  return COMMANDS[name].operands(words);
}
