/** Comments: explicit markup that is nothing else. docutils: `Body.comment`. */
import type { Tokenizer } from '../tokenizer.js';
import { TOKEN } from '../tokens.js';

/**
 * Takes a comment whose text begins at `at`, with the lines indented below it. An empty comment above a blank line is the
 * two dots only: an indented block below it is a quote.
 */
export function comment(t: Tokenizer, at: number): true {
  const empty = at >= t.end;
  const lone = empty && t.isBlank(t.line + 1);
  const behind = lone ? t.line + 1 : t.blockEnd(t.line + 1, t.top.indent);
  t.sink.enter(TOKEN.comment, t.at);
  t.taken = t.at + 2;
  if (!empty) t.leaf(TOKEN.verbatim, at, t.end);
  if (!lone) t.verbatim(t.line + 1, behind, t.blockIndent(t.line + 1, t.top.indent));
  t.sink.exit(TOKEN.comment, t.taken);
  t.moveTo(behind);
  return true;
}
