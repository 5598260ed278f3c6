/**
 * Flattened device tree: numbers, names and errors (Devicetree Specification v0.4, chapter 5; names: 2.2).
 */

/** What can be wrong with a blob. */
export type FdtErrorCode =
  | 'truncated'
  | 'bad magic'
  | 'unsupported version'
  | 'bad offset'
  | 'blocks overlap'
  | 'bad token'
  | 'bad name'
  | 'bad nesting'
  | 'unterminated string'
  | 'unterminated block'
  | 'misplaced property'
  | 'duplicate name'
  | 'trailing data';

/** Bytes that are no blob. */
export class FirmwareFormatError extends Error {
  readonly code: FdtErrorCode;
  /** Byte offset in the blob of what is wrong. */
  readonly offset: number;
  constructor(code: FdtErrorCode, offset: number, text: string) {
    super(`${code} at byte 0x${offset.toString(16)}: ${text}`);
    this.name = 'FirmwareFormatError';
    this.code = code;
    this.offset = offset;
  }
}

/** Size of the header: ten 32-bit fields (5.2). */
export const HEADER_BYTES = 40;
/** Offsets of the header's fields (5.2). */
export const HEADER = {
  magic: 0x00,
  totalsize: 0x04,
  off_dt_struct: 0x08,
  off_dt_strings: 0x0c,
  off_mem_rsvmap: 0x10,
  version: 0x14,
  last_comp_version: 0x18,
  boot_cpuid_phys: 0x1c,
  size_dt_strings: 0x20,
  size_dt_struct: 0x24,
} as const;
/** The first field. */
export const MAGIC = 0xd00dfeed;
/** Version that is written, and the least that is read. */
export const VERSION = 17;
/** Oldest version that what is written is compatible with. */
export const LAST_COMPATIBLE_VERSION = 16;

/** 5.4.1: tokens of the structure block. */
export const TOKEN = { BEGIN_NODE: 1, END_NODE: 2, PROP: 3, NOP: 4, END: 9 } as const;

/** Longest name that is read: the specification allows 31 characters (2.2.1, 2.2.4.1), real trees go beyond it. */
export const NAME_LIMIT = 255;
/** Deepest nesting that is read. */
export const DEPTH_LIMIT = 64;

/** 2.2.1: a node name, with the unit address that may follow. */
const NODE_NAME = /^[0-9a-zA-Z,._+-]+(@[0-9a-zA-Z,._+-]+)?$/;
/** 2.2.4.1: a property name. */
const PROPERTY_NAME = /^[0-9a-zA-Z,._+?#-]+$/;

/** Whether a name may stand for a node below the root. */
export function isNodeName(name: string): boolean {
  return name.length <= NAME_LIMIT && NODE_NAME.test(name);
}

/** Whether a name may stand for a property. */
export function isPropertyName(name: string): boolean {
  return name.length <= NAME_LIMIT && PROPERTY_NAME.test(name);
}

/** Items of the structure block begin at multiples of 4 bytes (5.4). */
export const align4 = (value: number): number => Math.ceil(value / 4) * 4;
