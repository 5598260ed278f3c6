/** Line blocks: `| text`. docutils: `Body.line_block`. Nested ones are not told from flat ones. */
import type { Tokenizer } from '../tokenizer.js';
import { TOKEN } from '../tokens.js';
import { isGap, skipGap } from './characters.js';

const BAR = 124;

/** Takes the rows that begin with a bar, each with the deeper lines below it. */
export function lineBlock(t: Tokenizer): boolean {
  if (!isGap(t.source, t.at + 1, t.end)) return false;
  const { lines, source } = t;
  const content = t.top.indent;
  const start = t.at;
  t.sink.enter(TOKEN.lineBlock, start);
  let bar = start;
  let k = t.line;
  for (;;) {
    let behind = k + 1;
    while (!t.isBlank(behind) && lines.indent[behind]! > content) behind++;
    const last = behind - 1;
    const from = skipGap(source, bar + 1, lines.end[k]!);
    t.sink.enter(TOKEN.line, bar);
    t.taken = bar + 1;
    if (from < lines.end[k]! || last > k) {
      const first = from < lines.end[k]! ? k : k + 1;
      t.inline(first, first === k ? from : lines.content[first]!, last, lines.end[last]!);
    }
    t.sink.exit(TOKEN.line, t.taken);
    k = behind;
    if (t.isBlank(k) || lines.indent[k] !== content) break;
    bar = lines.content[k]!;
    if (source.charCodeAt(bar) !== BAR || !isGap(source, bar + 1, lines.end[k]!)) break;
  }
  t.sink.exit(TOKEN.lineBlock, t.taken);
  t.moveTo(k);
  return true;
}
