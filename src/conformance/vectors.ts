/**
 * Vector files: cases observed elsewhere, one JSON object a line, plain (`.jsonl`) or compressed (`.jsonl.gz`).
 *
 * Numbers in a case are hexadecimal strings; addresses and values have up to 64 bits and are kept as two halves. Strings of
 * bytes are in memory order. A case or step that is not of the format is an error that names its file and line.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** A 64-bit number as unsigned halves. */
export interface Number64 {
  readonly hi: number;
  readonly lo: number;
}

/** What a DMA step expects. */
export type DmaExpectation =
  | { readonly outcome: 'landed'; readonly at: Number64 }
  | { readonly outcome: 'read'; readonly from: Number64; readonly bytes: Uint8Array }
  | { readonly outcome: 'fault' };

/** One step of a case. */
export type Step =
  | { readonly kind: 'store'; readonly address: Number64; readonly bytes: Uint8Array }
  | { readonly kind: 'memory'; readonly address: Number64; readonly bytes: Uint8Array }
  | { readonly kind: 'write register'; readonly offset: number; readonly width: 4 | 8; readonly value: Number64 }
  | {
      readonly kind: 'read register';
      readonly offset: number;
      readonly width: 4 | 8;
      readonly value: Number64;
      readonly mask: Number64;
    }
  | {
      readonly kind: 'dma';
      readonly write: boolean;
      readonly address: Number64;
      /** For a write. */
      readonly bytes: Uint8Array | undefined;
      readonly length: number;
      /** Another requester than the case's. */
      readonly requester: number | undefined;
      /** The outcome comes from a cached structure that memory no longer holds. */
      readonly stale: boolean;
      readonly expect: DmaExpectation;
    }
  | { readonly kind: 'event'; readonly record: Uint8Array; readonly mask: Uint8Array }
  | { readonly kind: 'no event' }
  /** Steps that only the replayer of their device understands. */
  | { readonly kind: 'other'; readonly json: Readonly<Record<string, unknown>> };

/** One case. */
export interface VectorCase {
  readonly file: string;
  readonly line: number;
  readonly name: string;
  readonly class: string;
  readonly device: string;
  readonly requester: number;
  readonly steps: readonly Step[];
  /** The object as it was read, for what only one device has (`cap`, `ecap`). */
  readonly json: Readonly<Record<string, unknown>>;
}

/** A vector file that cannot be read. The message names file and line. */
export class VectorFileError extends Error {
  readonly file: string;
  readonly line: number | undefined;
  constructor(file: string, line: number | undefined, reason: string) {
    super(`${file}${line === undefined ? '' : `:${line}`}: ${reason}`);
    this.name = 'VectorFileError';
    this.file = file;
    this.line = line;
  }
}

class FormatError extends Error {}

type Json = Readonly<Record<string, unknown>>;

function text(json: Json, key: string): string {
  const value = json[key];
  if (typeof value !== 'string') throw new FormatError(`"${key}" is not a string`);
  return value;
}

function number64(json: Json, key: string): Number64 {
  const digits = /^0x([0-9a-f]{1,16})$/i.exec(text(json, key))?.[1];
  if (digits === undefined) throw new FormatError(`"${key}" is not a hexadecimal number of up to 64 bits`);
  const padded = digits.padStart(16, '0');
  return { hi: Number.parseInt(padded.slice(0, 8), 16), lo: Number.parseInt(padded.slice(8), 16) };
}

function number32(json: Json, key: string): number {
  const { hi, lo } = number64(json, key);
  if (hi !== 0) throw new FormatError(`"${key}" has more than 32 bits`);
  return lo;
}

function bytes(json: Json, key: string): Uint8Array {
  const digits = text(json, key);
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new FormatError(`"${key}" is not a string of bytes`);
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

function width(json: Json): 4 | 8 {
  const value = json.width ?? 4;
  if (value !== 4 && value !== 8) throw new FormatError('"width" is neither 4 nor 8');
  return value;
}

function object(value: unknown, what: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FormatError(`${what} is not an object`);
  return value as Json;
}

const ALL_ONES: Number64 = { hi: 0xffff_ffff, lo: 0xffff_ffff };

function parseRegister(json: Json): Step {
  const offset = number32(json, 'reg');
  if ('write' in json) return { kind: 'write register', offset, width: width(json), value: number64(json, 'write') };
  const mask = 'mask' in json ? number64(json, 'mask') : ALL_ONES;
  return { kind: 'read register', offset, width: width(json), value: number64(json, 'expect'), mask };
}

function parseDma(json: Json): Step {
  const direction = text(json, 'dma');
  if (direction !== 'read' && direction !== 'write') throw new FormatError(`"dma" is neither read nor write`);
  const write = direction === 'write';
  const data = write ? bytes(json, 'hex') : undefined;
  const length = data?.length ?? json.length;
  if (typeof length !== 'number' || !Number.isInteger(length) || length < 1 || length > 4096) {
    throw new FormatError('"length" is not a number of bytes');
  }
  return {
    kind: 'dma',
    write,
    address: number64(json, 'iova'),
    bytes: data,
    length,
    requester: 'requester' in json ? number32(json, 'requester') : undefined,
    stale: json.stale === true,
    expect: parseExpectation(object(json.expect, '"expect"'), write),
  };
}

function parseExpectation(json: Json, write: boolean): DmaExpectation {
  if (json.fault === true) return { outcome: 'fault' };
  if (write) return { outcome: 'landed', at: number64(json, 'landed') };
  return { outcome: 'read', from: number64(json, 'from'), bytes: bytes(json, 'hex') };
}

function parseStep(value: unknown): Step {
  const json = object(value, 'a step');
  if ('dma' in json) return parseDma(json);
  if ('reg' in json) return parseRegister(json);
  if ('mem' in json) {
    const address = number64(json, 'mem');
    if ('hex' in json) return { kind: 'store', address, bytes: bytes(json, 'hex') };
    return { kind: 'memory', address, bytes: bytes(json, 'expect') };
  }
  if ('event' in json) {
    const record = bytes(json, 'event');
    const mask = bytes(json, 'mask');
    if (record.length !== mask.length) throw new FormatError('"event" and "mask" differ in length');
    return { kind: 'event', record, mask };
  }
  if (json.noevent === true) return { kind: 'no event' };
  return { kind: 'other', json };
}

function parseCase(file: string, line: number, source: string): VectorCase {
  const json = object(JSON.parse(source), 'the line');
  if (!Array.isArray(json.steps)) throw new FormatError('"steps" is not an array');
  const steps = json.steps.map((step, index) => {
    try {
      return parseStep(step);
    } catch (error) {
      throw new FormatError(`step ${index + 1}: ${(error as Error).message}`);
    }
  });
  return {
    file,
    line,
    name: text(json, 'name'),
    class: text(json, 'class'),
    device: text(json, 'device'),
    requester: number32(json, 'requester'),
    steps,
    json,
  };
}

/**
 * The cases of a vector file, given its text.
 * @throws VectorFileError if a line is no case of the format, or there is none at all
 */
export function parseVectors(file: string, source: string): VectorCase[] {
  const cases: VectorCase[] = [];
  source.split('\n').forEach((row, index) => {
    if (row.trim() === '') return;
    try {
      cases.push(parseCase(file, index + 1, row));
    } catch (error) {
      throw new VectorFileError(file, index + 1, (error as Error).message);
    }
  });
  if (cases.length === 0) throw new VectorFileError(file, undefined, 'holds no case');
  return cases;
}

/**
 * Reads a vector file, compressed or not.
 * @throws VectorFileError if it cannot be read or is not of the format
 */
export function readVectors(file: string): VectorCase[] {
  let content: Buffer;
  try {
    content = readFileSync(file);
    if (file.endsWith('.gz')) content = gunzipSync(content);
  } catch (error) {
    throw new VectorFileError(file, undefined, (error as Error).message);
  }
  return parseVectors(file, content.toString('utf8'));
}
