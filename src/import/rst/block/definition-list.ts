/** Definition lists: a line of text with a block indented right below. docutils: `Text.indent`, `DefinitionList`. */
import { constructAt } from '../constructs.js';
import type { Container, Tokenizer } from '../tokenizer.js';
import { TOKEN } from '../tokens.js';

/** The row is text and the line below is indented deeper: takes it as a term. */
export function beginDefinition(t: Tokenizer): true {
  t.push(TOKEN.definitionList, t.at, t.top.indent);
  item(t);
  return true;
}

/** Takes the next item if the row is plain text above an indented line. */
export function continueDefinitionList(t: Tokenizer, list: Container): boolean {
  const below = t.line + 1;
  if (t.isBlank(below) || t.lines.indent[below]! <= list.indent) return false;
  const construct = constructAt(t);
  if (construct !== undefined && t.wouldTake(construct)) return false;
  item(t);
  return true;
}

function item(t: Tokenizer): void {
  const { line } = t;
  const indent = t.blockIndent(line + 1, t.top.indent);
  t.push(TOKEN.definitionListItem, t.at, indent);
  t.sink.enter(TOKEN.term, t.at);
  t.inline(line, t.at, line, t.end);
  t.sink.exit(TOKEN.term, t.end);
  t.moveTo(line + 1);
  t.push(TOKEN.definition, t.at, indent);
}
