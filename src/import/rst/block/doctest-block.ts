/** Doctest blocks: `>>> ` up to a blank line. docutils: `Body.doctest`. */
import type { Tokenizer } from '../tokenizer.js';
import { TOKEN } from '../tokens.js';
import { isGap } from './characters.js';

/** Takes the lines up to the next blank one. */
export function doctestBlock(t: Tokenizer): boolean {
  if (!t.source.startsWith('>>>', t.at) || !isGap(t.source, t.at + 3, t.end)) return false;
  let behind = t.line + 1;
  while (!t.isBlank(behind) && t.lines.indent[behind]! >= t.top.indent) behind++;
  t.sink.enter(TOKEN.doctestBlock, t.at);
  t.leaf(TOKEN.verbatim, t.at, t.end);
  t.verbatim(t.line + 1, behind, t.top.indent);
  t.sink.exit(TOKEN.doctestBlock, t.taken);
  t.moveTo(behind);
  return true;
}
