/** A line of one repeated punctuation character: a transition, or the overline of a title. docutils: `Body.line`, `Line`. */
import type { Tokenizer } from '../tokenizer.js';
import { TOKEN } from '../tokens.js';
import { isRun } from './characters.js';
import { overlinedTitle } from './title.js';

const SHORTEST_TRANSITION = 4;

/** Takes a transition or an overlined title. */
export function adornment(t: Tokenizer): boolean {
  const end = t.end;
  if (!isRun(t.source, t.at, end)) return false;
  const length = end - t.at;
  if (!t.atSectionLevel) {
    if (length >= SHORTEST_TRANSITION) {
      t.problem('rst-title-nested', t.at, end, 'a transition or title inside another block is read as text');
    }
    return false;
  }
  if (!t.isBlank(t.line + 1)) return overlinedTitle(t);
  if (length < SHORTEST_TRANSITION) return false;
  t.leaf(TOKEN.transition, t.at, end);
  t.moveTo(t.line + 1);
  return true;
}
