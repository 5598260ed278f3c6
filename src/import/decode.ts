/** Bytes to text. */
import { type Diagnostic, diagnostic } from '../core/diagnostic.js';

const strict = new TextDecoder('utf-8', { fatal: true });
const lenient = new TextDecoder('utf-8');

/** Decodes UTF-8 without its byte order mark, or says what is wrong with the bytes and where. */
export function decode(bytes: Uint8Array, path: string): string | Diagnostic {
  try {
    return strict.decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) {
      return diagnostic('file-too-large', `${path} has ${bytes.length} bytes, more than a text can hold`);
    }
    return notUtf8(bytes, path);
  }
}

function notUtf8(bytes: Uint8Array, path: string): Diagnostic {
  const valid = validLength(bytes);
  const before = lenient.decode(bytes.subarray(0, valid));
  const lines = before.split(/\r\n|\r|\n/);
  const column = lines[lines.length - 1]!.length + 1;
  const byte =
    bytes[valid] === undefined ? 'the end of the file' : `byte 0x${bytes[valid].toString(16).padStart(2, '0')}`;
  const message = `not valid UTF-8: ${byte} at byte offset ${valid}`;
  const place = { path, line: lines.length, column, offset: before.length };
  return diagnostic('file-not-utf8', message, place, 'convert the file to UTF-8');
}

/** Bounds of a well-formed sequence's second byte by its first. Unicode Standard, table 3-7. */
function secondByteRange(first: number): readonly [least: number, most: number] {
  if (first === 0xe0) return [0xa0, 0xbf];
  if (first === 0xed) return [0x80, 0x9f];
  if (first === 0xf0) return [0x90, 0xbf];
  return first === 0xf4 ? [0x80, 0x8f] : [0x80, 0xbf];
}

/** Bytes of the longest well-formed beginning: a decoder does not say where it stopped. Unicode Standard, table 3-7. */
function validLength(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const first = bytes[at]!;
    if (first < 0x80) {
      at++;
      continue;
    }
    if (first < 0xc2 || first > 0xf4) return at;
    const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    const [least, most] = secondByteRange(first);
    const second = bytes[at + 1] ?? 0;
    if (second < least || second > most) return at;
    for (let next = at + 2; next < at + length; next++) if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return at;
    at += length;
  }
  return at;
}
