/** The table of block constructs: which may begin at a row, by its first character, in docutils' order of `Body`. */
import { adornment } from './block/adornment.js';
import { bulletList } from './block/bullet-list.js';
import { doctestBlock } from './block/doctest-block.js';
import { enumeratedList } from './block/enumerated-list.js';
import { anonymousTarget, explicitMarkup } from './block/explicit.js';
import { fieldList } from './block/field-list.js';
import { lineBlock } from './block/line-block.js';
import { optionList } from './block/option-list.js';
import { gridTable, simpleTable } from './block/table.js';
import type { Construct, Tokenizer } from './tokenizer.js';

const ALPHANUMERIC = [...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'];

function either(first: Construct, second: Construct, third?: Construct, fourth?: Construct): Construct {
  return (t) => first(t) || second(t) || third?.(t) === true || fourth?.(t) === true;
}

const TABLE: Readonly<Record<string, Construct>> = {
  '*': either(bulletList, adornment),
  '+': either(bulletList, optionList, gridTable, adornment),
  '-': either(bulletList, optionList, adornment),
  '(': either(enumeratedList, adornment),
  '#': either(enumeratedList, adornment),
  ':': either(fieldList, adornment),
  '/': either(optionList, adornment),
  '>': either(doctestBlock, adornment),
  '|': either(lineBlock, adornment),
  '=': either(simpleTable, adornment),
  '.': either(explicitMarkup, adornment),
  _: either(anonymousTarget, adornment),
};

const BY_CODE: (Construct | undefined)[] = [];
for (let code = 33; code < 127; code++) BY_CODE[code] = adornment;
for (const character of ALPHANUMERIC) BY_CODE[character.charCodeAt(0)] = enumeratedList;
for (const [character, construct] of Object.entries(TABLE)) BY_CODE[character.charCodeAt(0)] = construct;

/** The construct that may begin at the row; undefined if the row can only be text. */
export function constructAt(t: Tokenizer): Construct | undefined {
  const code = t.source.charCodeAt(t.at);
  if (code > 127) return code === 0x2022 || code === 0x2023 || code === 0x2043 ? bulletList : undefined;
  const construct = BY_CODE[code];
  if (construct !== enumeratedList) return construct;
  return mayEnumerate(t.source, t.at) ? construct : undefined;
}

/** Nearly all rows begin with a letter and nearly none with an enumerator: a look at the first characters tells. */
function mayEnumerate(source: string, at: number): boolean {
  for (let p = at + 1; p < at + 13; p++) {
    const code = source.charCodeAt(p);
    if (code === 46 || code === 41) return true;
    if (!((code >= 48 && code <= 57) || (code >= 97 && code <= 122) || (code >= 65 && code <= 90))) return false;
  }
  return false;
}
