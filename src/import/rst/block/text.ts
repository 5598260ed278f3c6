/** Text: a title with its underline, the term of a definition, or a paragraph. docutils: states `Text` and `Body.text`. */
import type { Tokenizer } from '../tokenizer.js';
import { TOKEN } from '../tokens.js';
import { isAdornment } from './characters.js';
import { beginDefinition } from './definition-list.js';
import { literalBlock } from './literal-block.js';
import { underlinedTitle } from './title.js';

const COLON = 58;
const BACKSLASH = 92;

/** Takes the row as text, whatever it is. */
export function text(t: Tokenizer): true {
  const { lines, line } = t;
  const next = line + 1;
  if (!t.isBlank(next)) {
    const indent = lines.indent[next]!;
    if (indent > t.top.indent) {
      if (!t.deep) return beginDefinition(t);
    } else if (indent === t.top.indent && isAdornment(t.source, lines, next) && underlinedTitle(t)) {
      return true;
    }
  }
  paragraph(t);
  return true;
}

/** Takes lines up to a blank line or a change of indentation. */
export function paragraph(t: Tokenizer): void {
  const { lines, source } = t;
  const first = t.line;
  const start = t.at;
  const content = t.top.indent;
  const deep = t.indent > content;
  let next = first + 1;
  while (!t.isBlank(next) && (deep ? lines.indent[next]! >= content : lines.indent[next] === content)) next++;
  const last = next - 1;
  let end = lines.end[last]!;
  const literal = expectsLiteral(source, start, end);
  if (literal) {
    const from = last === first ? start : lines.content[last]!;
    end = source.charCodeAt(end - 3) > 32 && end - 3 >= from ? end - 1 : end - 2;
    while (end > start && source.charCodeAt(end - 1) <= 32) end--;
  }
  if (end > start) {
    const lastLine = end <= lines.start[last]! ? last - 1 : last;
    t.sink.enter(TOKEN.paragraph, start);
    t.inline(first, start, lastLine, end);
    t.sink.exit(TOKEN.paragraph, end);
  }
  t.taken = lines.end[last]!;
  t.moveTo(next);
  if (literal) literalBlock(t, last);
  else if (!t.isBlank(next) && lines.indent[next]! > content && !t.deep) {
    t.problem('rst-indent', lines.content[next]!, lines.end[next]!, 'unexpected indentation: a blank line is missing');
  }
}

/** True if the text ends with an unescaped `::`. */
function expectsLiteral(source: string, start: number, end: number): boolean {
  if (end - start < 2 || source.charCodeAt(end - 1) !== COLON || source.charCodeAt(end - 2) !== COLON) return false;
  let slashes = 0;
  while (end - 3 - slashes >= start && source.charCodeAt(end - 3 - slashes) === BACKSLASH) slashes++;
  return slashes % 2 === 0;
}
