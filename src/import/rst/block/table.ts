/** Grid and simple tables, kept as their lines. docutils: `Body.grid_table_top`, `Body.simple_table_top`. */
import type { Tokenizer } from '../tokenizer.js';
import { TOKEN, type Token } from '../tokens.js';

const GRID_BORDER = /\+-[-+]+-\+/y;
const SIMPLE_BORDER = /=+(?: +=+)+/y;
const SIMPLE_LINE = /=[= ]*/y;

function matches(pattern: RegExp, source: string, start: number, end: number): boolean {
  pattern.lastIndex = start;
  return pattern.test(source) && pattern.lastIndex === end;
}

/** Takes a grid table: from its upper border to the blank line behind it. */
export function gridTable(t: Tokenizer): boolean {
  const { lines, source } = t;
  if (!matches(GRID_BORDER, source, t.at, t.end)) return false;
  let behind = t.line + 1;
  while (!t.isBlank(behind) && lines.indent[behind] === t.top.indent) behind++;
  const last = behind - 1;
  const closed = last > t.line && matches(GRID_BORDER, source, lines.content[last]!, lines.end[last]!);
  if (!closed) t.problem('rst-table-malformed', t.at, t.end, 'this grid table has no lower border');
  table(t, TOKEN.gridTable, behind);
  return true;
}

/** Takes a simple table: from its upper border to the border in front of a blank line. */
export function simpleTable(t: Tokenizer): boolean {
  const { lines, source } = t;
  if (!matches(SIMPLE_BORDER, source, t.at, t.end)) return false;
  let borders = 0;
  let behind = -1;
  for (let k = t.line + 1; k < lines.count; k++) {
    if (!t.isBlank(k) && lines.indent[k]! < t.top.indent) break;
    if (t.isBlank(k) || !matches(SIMPLE_LINE, source, lines.content[k]!, lines.end[k]!)) continue;
    borders++;
    if (borders === 2 || t.isBlank(k + 1)) {
      behind = k + 1;
      break;
    }
  }
  if (behind < 0) {
    t.problem('rst-table-malformed', t.at, t.end, 'this simple table has no lower border');
    behind = t.line + 1;
    while (!t.isBlank(behind) && lines.indent[behind]! >= t.top.indent) behind++;
  }
  table(t, TOKEN.simpleTable, behind);
  return true;
}

function table(t: Tokenizer, token: Token, behind: number): void {
  t.sink.enter(token, t.at);
  t.leaf(TOKEN.verbatim, t.at, t.end);
  t.verbatim(t.line + 1, behind, t.top.indent);
  t.sink.exit(token, t.taken);
  t.moveTo(behind);
}
