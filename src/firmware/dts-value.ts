/**
 * Device tree source: labels, references and the values of properties (Devicetree Specification v0.4, 6.1 to 6.3).
 */
import { readPrimary } from './dts-expression.js';
import type { Scanner } from './dts-scanner.js';

const LABEL = /[A-Za-z_][A-Za-z0-9_]*(?=:)/y;
const LABEL_NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const PATH = /[0-9a-zA-Z,._+?#@/-]*/y;
const UNSUPPORTED = ['/include/', '/incbin/', '/plugin/', '/omit-if-no-ref/'];
/** Directives and line markers. `#if` alone may be the name of a property. */
const PREPROCESSOR = /^#(?:\s*include\s*["<]|\s*(?:define|undef|if|ifdef|ifndef|pragma)\s+[\w(!]|\s*\d+\s+")/;

/** A label, and where it stands. */
export interface Label {
  readonly name: string;
  readonly offset: number;
}

/** A reference inside a property value, resolved when all nodes are known. */
export interface Reference {
  /** `label` or `/path`. */
  readonly target: string;
  readonly isPath: boolean;
  readonly offset: number;
}

/** A piece of a property value: bytes, or a reference as a phandle or as a path. */
export type Piece = Uint8Array | { readonly reference: Reference; readonly as: 'phandle' | 'path' };

/** Refuses what the reader knows of and does not take. */
export function refuseUnsupported(s: Scanner): void {
  s.skip();
  for (const word of UNSUPPORTED) {
    if (s.at(word)) s.fail('unsupported', `${word} is not supported`);
  }
  if (PREPROCESSOR.test(s.text.slice(s.offset, s.offset + 40))) {
    s.fail('unsupported', 'the text wants a C preprocessor, which is not supported');
  }
}

/** Reads the labels that stand here. */
export function readLabels(s: Scanner): Label[] {
  const labels: Label[] = [];
  for (;;) {
    s.skip();
    const offset = s.offset;
    const name = s.match(LABEL);
    if (name === undefined) return labels;
    s.expect(':');
    labels.push({ name, offset });
  }
}

/** Reads `&label` or `&{/path}`. */
export function readReference(s: Scanner): Reference {
  s.skip();
  const offset = s.offset;
  s.expect('&');
  if (s.text[s.offset] === '{') {
    s.offset++;
    const target = s.match(PATH) as string;
    if (!target.startsWith('/')) s.fail('syntax', `expected a path, found ${s.found}`);
    s.expect('}');
    return { target, isPath: true, offset };
  }
  const target = s.match(LABEL_NAME) ?? s.fail('syntax', `expected a label, found ${s.found}`);
  return { target, isPath: false, offset };
}

/**
 * Reads one value of the list that a property is: cells, string, bytes or the path of a node. Labels may stand around
 * it.
 */
export function readValue(s: Scanner, pieces: Piece[]): void {
  refuseUnsupported(s);
  readLabels(s);
  const string = s.string();
  if (string !== undefined) {
    const terminated = new Uint8Array(string.length + 1);
    terminated.set(string);
    pieces.push(terminated);
  } else if (s.accept('/bits/')) {
    const start = s.offset;
    const bits = s.integer();
    if (bits !== 8n && bits !== 16n && bits !== 32n && bits !== 64n) {
      s.fail('syntax', 'cells have 8, 16, 32 or 64 bits', start);
    }
    s.expect('<');
    readCells(s, pieces, Number(bits));
  } else if (s.accept('<')) {
    readCells(s, pieces, 32);
  } else if (s.accept('[')) {
    readBytes(s, pieces);
  } else if (s.at('&')) {
    pieces.push({ reference: readReference(s), as: 'path' });
  } else {
    s.fail('syntax', `expected a value, found ${s.found}`);
  }
  readLabels(s);
}

function readCells(s: Scanner, pieces: Piece[], bits: number): void {
  while (!s.accept('>')) {
    readLabels(s);
    if (s.accept('>')) return;
    const start = s.offset;
    if (s.at('&')) {
      if (bits !== 32) s.fail('syntax', 'a reference is a cell of 32 bits', start);
      pieces.push({ reference: readReference(s), as: 'phandle' });
      continue;
    }
    const value = readPrimary(s);
    // A value that is all ones above the cell is a negative number, and fits.
    const above = value >> BigInt(bits);
    if (above !== 0n && above !== (1n << BigInt(64 - bits)) - 1n) {
      s.fail('out of range', `0x${value.toString(16)} does not fit into ${bits} bits`, start);
    }
    const whole = new DataView(new ArrayBuffer(8));
    whole.setBigUint64(0, value);
    pieces.push(new Uint8Array(whole.buffer, 8 - bits / 8));
  }
}

function readBytes(s: Scanner, pieces: Piece[]): void {
  while (!s.accept(']')) {
    readLabels(s);
    if (s.accept(']')) return;
    const digits = s.match(/[0-9a-fA-F]{2}/y) ?? s.fail('syntax', `expected two hexadecimal digits, found ${s.found}`);
    pieces.push(Uint8Array.of(Number.parseInt(digits, 16)));
  }
}
