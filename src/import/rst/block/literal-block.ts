/** Literal blocks, indented or quoted. docutils: `RSTState.literal_block`, `QuotedLiteralBlock`. */
import type { Tokenizer } from '../tokenizer.js';
import { TOKEN } from '../tokens.js';
import { isPunctuation } from './characters.js';

/** The paragraph that ends on line `before` announced a literal block: takes it. */
export function literalBlock(t: Tokenizer, before: number): void {
  const { lines, source } = t;
  const content = t.top.indent;
  const first = t.skipBlank(t.line);
  const exists = first < lines.count && lines.indent[first]! >= content;
  if (exists && lines.indent[first]! > content) {
    const behind = t.blockEnd(first, content);
    block(t, first, behind, t.blockIndent(first, content));
  } else if (exists && first > before + 1 && isPunctuation(source.charCodeAt(lines.content[first]!))) {
    const quote = source.charCodeAt(lines.content[first]!);
    let behind = first;
    while (
      !t.isBlank(behind) &&
      lines.indent[behind] === content &&
      source.charCodeAt(lines.content[behind]!) === quote
    )
      behind++;
    block(t, first, behind, content);
  } else {
    t.problem(
      'rst-literal-missing',
      lines.end[before]! - 2,
      lines.end[before]!,
      'a literal block is announced, none follows',
    );
  }
}

function block(t: Tokenizer, first: number, behind: number, indent: number): void {
  t.sink.enter(TOKEN.literalBlock, t.lines.content[first]!);
  t.verbatim(first, behind, indent);
  t.sink.exit(TOKEN.literalBlock, t.taken);
  t.moveTo(behind);
}
