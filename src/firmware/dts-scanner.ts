/**
 * Characters of a device tree source: positions, white space, literals.
 *
 * Devicetree Specification v0.4, chapter 6. What a character means depends on where it stands (`1c` is a name in a node
 * and bytes in a byte string), so the reader asks for what it expects and there are no tokens.
 */

/** A place in a source text, both counted from 1. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What can be wrong with a source. */
export type DtsErrorCode = 'syntax' | 'unsupported' | 'undefined reference' | 'duplicate' | 'out of range' | 'nesting';

/** A source that is not a device tree. The message begins with `file:line:column`. */
export class DtsError extends Error {
  readonly code: DtsErrorCode;
  readonly location: SourceLocation;
  constructor(code: DtsErrorCode, location: SourceLocation, text: string) {
    super(`${location.file}:${location.line}:${location.column}: ${text}`);
    this.name = 'DtsError';
    this.code = code;
    this.location = location;
  }
}

const SPACE = /[ \t\r\n\f\v]+|\/\*[\s\S]*?\*\/|\/\/[^\n]*/y;
const INTEGER = /0[xX][0-9a-fA-F]+|[0-9]+/y;
const INTEGER_SUFFIX = /(?:ULL|UL|LL|U|L)?(?![0-9A-Za-z_])/y;

const ESCAPES: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };

/** Reads a source text from its beginning to its end. */
export class Scanner {
  readonly text: string;
  readonly file: string;
  offset = 0;
  #lineStarts: number[] | undefined;

  constructor(text: string, file: string) {
    this.text = text;
    this.file = file;
  }

  /** Line and column of an offset, in UTF-16 code units. */
  locate(offset: number): SourceLocation {
    if (this.#lineStarts === undefined) {
      this.#lineStarts = [0];
      for (let at = this.text.indexOf('\n'); at >= 0; at = this.text.indexOf('\n', at + 1))
        this.#lineStarts.push(at + 1);
    }
    const starts = this.#lineStarts;
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] as number) <= offset) low = middle;
      else high = middle;
    }
    return { file: this.file, line: low + 1, column: offset - (starts[low] as number) + 1 };
  }

  /** Throws at an offset, or at the present one. */
  fail(code: DtsErrorCode, text: string, offset = this.offset): never {
    throw new DtsError(code, this.locate(offset), text);
  }

  /** What stands at the present position, for a message. */
  get found(): string {
    if (this.offset >= this.text.length) return 'the end of the text';
    const word = /^[^\s;{}<>()"]{1,24}/.exec(this.text.slice(this.offset, this.offset + 24));
    return `'${word?.[0] ?? this.text[this.offset]}'`;
  }

  /** Passes white space and comments. */
  skip(): void {
    while (this.match(SPACE) !== undefined);
    if (this.text.startsWith('/*', this.offset)) this.fail('syntax', 'the comment has no end');
  }

  /** Whether the text goes on so, behind white space. Passes it if so. */
  accept(what: string): boolean {
    this.skip();
    if (!this.text.startsWith(what, this.offset)) return false;
    this.offset += what.length;
    return true;
  }

  /** Whether the text goes on so, behind white space. */
  at(what: string): boolean {
    this.skip();
    return this.text.startsWith(what, this.offset);
  }

  /** Passes what must come next. */
  expect(what: string): void {
    if (!this.accept(what)) this.fail('syntax', `expected '${what}', found ${this.found}`);
  }

  /** What a sticky expression matches here, without passing white space; undefined if it does not match. */
  match(expression: RegExp): string | undefined {
    expression.lastIndex = this.offset;
    const found = expression.exec(this.text);
    if (found === null) return undefined;
    this.offset = expression.lastIndex;
    return found[0];
  }

  /** An integer literal as C has it: decimal, octal with a leading 0, hexadecimal, with its suffix; below 2^64. */
  integer(): bigint | undefined {
    this.skip();
    const start = this.offset;
    const digits = this.match(INTEGER);
    if (digits === undefined) return undefined;
    if (this.match(INTEGER_SUFFIX) === undefined) this.fail('syntax', 'the number goes on with what is no digit');
    if (digits.length > 64) this.fail('out of range', 'the number does not fit into 64 bits', start);
    const isOctal = digits.length > 1 && digits[0] === '0' && digits[1] !== 'x' && digits[1] !== 'X';
    if (isOctal && /[89]/.test(digits)) this.fail('syntax', `${digits} is no octal number`, start);
    const value = BigInt(isOctal ? `0o${digits}` : digits);
    if (value >= 1n << 64n) this.fail('out of range', `${digits} does not fit into 64 bits`, start);
    return value;
  }

  /** The bytes of a string between quotes, without terminator; undefined if none begins here. */
  string(): Uint8Array | undefined {
    if (!this.accept('"')) return undefined;
    return this.#quoted('"', this.offset - 1);
  }

  /** The value of a character literal; undefined if none begins here. */
  character(): bigint | undefined {
    if (!this.accept("'")) return undefined;
    const start = this.offset - 1;
    const bytes = this.#quoted("'", start);
    if (bytes.length !== 1) this.fail('syntax', 'a character literal holds one character', start);
    return BigInt(bytes[0] as number);
  }

  #quoted(quote: string, start: number): Uint8Array {
    const bytes: number[] = [];
    const encoder = new TextEncoder();
    for (;;) {
      const code = this.text.codePointAt(this.offset);
      if (code === undefined) this.fail('syntax', 'the string has no end', start);
      const char = String.fromCodePoint(code);
      this.offset += char.length;
      if (char === quote) return Uint8Array.from(bytes);
      if (char === '\\') bytes.push(this.#escape());
      else if (code < 0x80) bytes.push(code);
      else bytes.push(...encoder.encode(char));
    }
  }

  #escape(): number {
    const hex = this.match(/x[0-9a-fA-F]{1,2}/y);
    if (hex !== undefined) return Number.parseInt(hex.slice(1), 16);
    const octal = this.match(/[0-7]{1,3}/y);
    if (octal !== undefined) return Number.parseInt(octal, 8) & 0xff;
    const char = this.text[this.offset];
    if (char === undefined) this.fail('syntax', 'the string has no end');
    if (char === 'x') this.fail('syntax', '\\x needs a hexadecimal digit');
    if (char.charCodeAt(0) > 0x7e) this.fail('syntax', `\\${char} is no escape sequence`);
    this.offset++;
    return ESCAPES[char] ?? char.charCodeAt(0);
  }
}
