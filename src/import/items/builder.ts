/**
 * Builds items from the lines of a lightweight markup text. The readers of reStructuredText and Markdown both feed it;
 * they say which lines are titles, text, comments or verbatim, and this says what the lines mean.
 *
 * What makes an item, a label, a link and a forward is what OpenFastTrace takes (its line rules for rst and Markdown), so
 * both give the same trace. Deviations, each with a diagnostic unless it changes nothing but texts:
 *
 * - `Comments:` is a label; OpenFastTrace reads it as text of the part before.
 * - Verbatim lines, comments and tables are never ids, labels, links or forwards.
 * - An id inside running text, with more text behind it on its line, begins no item (error `id-not-taken`).
 * - A blank line in `Tags:` does not turn the list into `Needs:`.
 * - `Description:` is a label wherever it stands in an item.
 */
import type { Diagnostic, Place } from '../../core/diagnostic.js';
import { formatId, type Item, type ItemStatus } from '../../core/item.js';
import type { LineTable } from '../lines.js';
import { Draft, NO_MENTIONS } from './draft.js';
import { Findings, type StrayId } from './findings.js';
import { findForward } from './forward.js';
import { readBullet, readInlineList, takeInline } from './list-entry.js';
import { OffSwitch } from './off-switch.js';
import { type Label, type ListPart, labelAt, labelLookAlike } from './parts.js';
import { isWord, normalisedId, readId, readRevision, scanId } from './scan-id.js';
import { Upcoming } from './upcoming.js';

/** What a reader gives for one file. */
export interface Imported {
  readonly items: Item[];
  readonly diagnostics: Diagnostic[];
}

/** What a line is in its markup: `text` is searched for items, `verbatim` is kept as text only, a `comment` not even that. */
export type LineKind = 'text' | 'verbatim' | 'comment';

const BACKTICK = 96;
const STATUSES: readonly string[] = ['approved', 'proposed', 'draft', 'rejected'] satisfies ItemStatus[];

/** Feeds on the lines of one file, in order, each at most once; {@link ItemBuilder.finish} gives the items. */
export class ItemBuilder {
  private readonly source: string;
  private readonly lines: LineTable;
  private readonly items: Item[] = [];
  private readonly findings: Findings;
  private readonly normalise: boolean;
  private readonly tilde: Upcoming;
  private readonly arrow: Upcoming;
  private readonly offSwitch: OffSwitch;
  private readonly draft = new Draft();
  private last = -2;
  /** The last line was running text, so a line directly below it continues a paragraph. */
  private running = false;
  /** The section title with nothing but blank lines since. */
  private titlePlace: Place | undefined = undefined;
  private titleEnd = 0;
  /** The `Covers:` or `Needs:` into which nothing was read yet, while nothing else was said about that. */
  private unfilled: { readonly text: string; readonly place: Place } | undefined = undefined;
  /** An id outside any item that stands alone on its line, but where it begins none. */
  private stray: StrayId | undefined = undefined;

  constructor(source: string, lines: LineTable, path: string) {
    this.source = source;
    this.lines = lines;
    this.findings = new Findings(source, lines, path);
    this.normalise = source.includes('\r');
    this.tilde = new Upcoming(source, '~');
    // The whole arrow would be looked for in every underline.
    this.arrow = new Upcoming(source, '>');
    this.offSwitch = new OffSwitch(source, this.findings);
  }

  /** A section title between two offsets of line `k`. */
  title(k: number, start: number, end: number): void {
    this.findings.line = k;
    this.last = k;
    this.running = false;
    if (this.offSwitch.holds(start, end)) {
      this.draft.text?.cut(this.source);
      return;
    }
    // A title that is an id begins an item without a title, as OpenFastTrace has it.
    if (start === this.lines.start[k] && this.tilde.within(start, end) && this.beginItem(start, end, false)) return;
    const label = this.draft.open
      ? (labelAt(this.source, start, end) ?? labelLookAlike(this.source, start, end))
      : undefined;
    if (label?.list) this.findings.label(label, start, `'${this.source.slice(start, end)}' is read as a title`);
    this.endItem();
    this.stray = undefined;
    this.titlePlace = this.findings.at(start);
    this.titleEnd = end;
  }

  /** Line `k`, which is no title and not blank. */
  line(k: number, kind: LineKind): void {
    const start = this.lines.start[k]!;
    const content = this.lines.content[k]!;
    const end = this.lines.end[k]!;
    const inParagraph = this.running && k === this.last + 1;
    this.findings.line = k;
    this.last = k;
    this.running = false;
    if (this.offSwitch.holds(start, end)) {
      this.draft.text?.cut(this.source);
      return;
    }
    if (kind === 'comment') this.commentLine(content, end);
    else if (kind === 'verbatim') this.verbatimLine(start, content, end);
    else this.textLine(start, content, end, inParagraph);
  }

  /** Ends the last item. The builder is not used afterwards. */
  finish(): Imported {
    this.endItem();
    this.offSwitch.finish();
    return { items: this.items, diagnostics: this.findings.diagnostics };
  }

  /** A link that is commented out of a list is worth a note. */
  private commentLine(content: number, end: number): void {
    const { draft, findings } = this;
    draft.text?.cut(this.source);
    const inList = draft.open && draft.part !== 'id' && draft.text === undefined;
    if (inList && this.tilde.within(content, end)) findings.mentioned(content, end);
  }

  private verbatimLine(start: number, content: number, end: number): void {
    this.titlePlace = undefined;
    const { draft } = this;
    if (!draft.open) return;
    if (draft.part === 'id') this.beginDescription(content);
    draft.text?.extend(content, start, end);
    if (this.tilde.within(start, end)) this.findings.mentioned(content, end);
  }

  private textLine(start: number, content: number, end: number, inParagraph: boolean): void {
    const { draft, findings } = this;
    const tilde = this.tilde.within(start, end);
    if (content === start) {
      if (tilde && this.beginItem(start, end, inParagraph)) return;
      const label = labelAt(this.source, start, end);
      if (label !== undefined && this.takeLabel(label, start, end)) return;
    }
    if (this.arrow.within(start, end) && this.takeForward(start, end)) return;
    if (!draft.open) {
      this.outsideText(content, end, tilde);
      return;
    }
    this.titlePlace = undefined;
    findings.labelLookAlike(content, end, start);
    if (draft.part === 'id') this.beginDescription(content);
    const text = draft.text;
    if (text === undefined) {
      this.listLine(start, content, end, tilde, inParagraph);
      return;
    }
    text.extend(content, start, end);
    if (tilde) findings.notTaken(content, end);
    this.running = true;
  }

  /**
   * Text that belongs to no item. A look-alike that is alone on its line was meant to begin one if it stands right below a
   * title and is no bullet, or if the label of a list comes after it.
   */
  private outsideText(content: number, end: number, tilde: boolean): void {
    if (tilde) {
      const { findings } = this;
      const alone = findings.aloneAt(content, end);
      const unbroken = end - content < 200 && !/\s/.test(this.source.slice(content, end));
      if (this.titlePlace !== undefined && (unbroken || alone?.plain === true)) findings.notTaken(content, end);
      else {
        findings.mentioned(content, end);
        this.stray = alone;
      }
    }
    this.titlePlace = undefined;
    this.running = true;
  }

  private beginDescription(content: number): void {
    this.draft.part = 'description';
    const { text } = this.draft;
    if (text) text.place ??= this.findings.at(content);
  }

  /** Begins an item if the line from `start` does so. True if the line is thereby done. */
  private beginItem(start: number, end: number, inParagraph: boolean): boolean {
    const { source, findings } = this;
    const at = source.charCodeAt(start) === BACKTICK ? start + 1 : start;
    const idEnd = scanId(source, at, end);
    if (idEnd < 0) {
      if (!inParagraph) findings.malformed(start, end, this.titlePlace !== undefined);
      return false;
    }
    const alone = idEnd === end || (idEnd === end - 1 && source.charCodeAt(idEnd) === BACKTICK);
    if (inParagraph && !alone) {
      const hint = 'put a blank line before it to begin an item, or wrap the text so that no line begins with an id';
      findings.report('id-not-taken', `'${source.slice(at, idEnd)}' begins a line of running text`, at, hint);
      return false;
    }
    const id = normalisedId(source, at, idEnd);
    const { titlePlace } = this;
    this.endItem();
    if (id === undefined) {
      findings.revision(at, idEnd);
      return true;
    }
    if (inParagraph) findings.report('id-in-paragraph', `the item ${id} begins inside a paragraph`, at);
    if (idEnd < end && isWord(source.charCodeAt(idEnd))) {
      const hint = 'end the id with a blank or a backtick';
      findings.report('id-suffix', `the id ${id} is directly followed by more word characters`, at, hint);
    }
    const title = titlePlace === undefined ? undefined : source.slice(titlePlace.offset, this.titleEnd);
    const first = source.indexOf('~', at);
    const second = source.indexOf('~', first + 1);
    const { draft } = this;
    const sameType = first - at === draft.type.length && source.startsWith(draft.type, at);
    const type = sameType ? draft.type : source.slice(at, first);
    const revision = readRevision(source, second + 1, idEnd)!;
    draft.begin(id, type, source.slice(first + 1, second), revision, findings.at(at), title, titlePlace);
    return true;
  }

  private endItem(): void {
    this.titlePlace = undefined;
    this.stray = undefined;
    const { draft } = this;
    if (!draft.open) return;
    this.settleList();
    const item = draft.finish(this.source, this.normalise);
    this.items.push(item);
    if (draft.labels === 0 && item.description === '') {
      this.findings.reportAt('item-empty', `the item ${item.id} has nothing but its id`, item.place);
    }
  }

  private takeLabel(label: Label, start: number, end: number): boolean {
    const { draft, findings } = this;
    const behind = start + label.text.length;
    if (!draft.open) {
      if (behind === end) {
        findings.report('label-outside-item', `'${label.text}' stands outside any item`, start);
        if (this.stray !== undefined && label.list) findings.strayId(this.stray);
        this.stray = undefined;
      }
      return false;
    }
    if (label.part === 'status') return this.takeStatus(start, behind, end);
    if (behind < end && !label.inline) {
      findings.label(label, start, `'${label.text}' is read only when it is alone on its line`);
      return false;
    }
    const inline = behind < end ? readInlineList(this.source, findings, behind, end) : NO_MENTIONS;
    if (inline === undefined) {
      findings.label(label, start, `'${label.text}' is followed by something other than words and commas`);
      return false;
    }
    if (draft.labels & label.bit)
      findings.report('label-repeated', `'${label.text}' comes twice in ${draft.id}`, start);
    draft.labels |= label.bit;
    draft.text?.cut(this.source);
    this.settleList();
    draft.part = label.part;
    draft.closed = false;
    const { text } = draft;
    if (text) text.place ??= findings.at(start);
    for (const mention of inline) takeInline(draft, findings, label.part as ListPart, mention);
    // An empty `Depends:` or `Tags:`, as templates have them, changes nothing.
    const decides = label.part === 'covers' || label.part === 'needs';
    if (decides && inline.length === 0) this.unfilled = { text: label.text, place: findings.at(start) };
    this.titlePlace = undefined;
    return true;
  }

  /** A list that decides about coverage and names nothing: what was meant to stand in it was not read. */
  private settleList(): void {
    const { unfilled, draft } = this;
    if (unfilled === undefined) return;
    this.unfilled = undefined;
    const hint = 'write a bullet for each below it, or take the label out';
    this.findings.reportAt('list-empty', `'${unfilled.text}' of ${draft.id} names nothing`, unfilled.place, hint);
  }

  private takeStatus(start: number, behind: number, end: number): boolean {
    const { draft, findings } = this;
    const value = this.source.slice(behind, end).trim();
    if (draft.part !== 'id') {
      if (!STATUSES.includes(value)) return false;
      const hint = 'move it directly below the id';
      findings.report(
        'status-not-taken',
        `the status of ${draft.id} does not stand directly below its id`,
        start,
        hint,
      );
      return false;
    }
    if (STATUSES.includes(value)) draft.status = value as ItemStatus;
    else
      findings.report('status-unknown', `'${value.slice(0, 40)}' is no status: expected ${STATUSES.join(', ')}`, start);
    return true;
  }

  private takeForward(start: number, end: number): boolean {
    const { source, draft, findings } = this;
    const forward = findForward(source, start, end);
    if (!forward) return false;
    const parts = readId(source, forward.idStart, forward.idEnd);
    if (parts === undefined) {
      findings.revision(forward.idStart, forward.idEnd);
      return false;
    }
    if (draft.open && (draft.part === 'id' || draft.part === 'rationale' || draft.part === 'comment')) {
      const hint = 'move it behind Covers or Needs, or below a section title of its own';
      findings.report('forward-not-taken', `a forward inside the text of ${draft.id} is not read`, start, hint);
      return false;
    }
    this.endItem();
    const type = source.slice(forward.skipStart, forward.skipEnd);
    const original = { text: formatId(parts), place: findings.at(forward.idStart) };
    const { name, revision } = parts;
    draft.begin(
      formatId({ type, name, revision }),
      type,
      name,
      revision,
      findings.at(forward.skipStart),
      undefined,
      undefined,
    );
    draft.mention('covers', original);
    for (const range of forward.types) {
      draft.mention('needs', { text: source.slice(range.start, range.end), place: findings.at(range.start) });
    }
    this.items.push({ ...draft.finish(source, false), forwards: true });
    return true;
  }

  /** A line of text while a list is open. */
  private listLine(start: number, content: number, end: number, tilde: boolean, inParagraph: boolean): void {
    const { draft, findings } = this;
    const code = this.source.charCodeAt(content);
    const bullet = content - start <= 3 && (code === 43 || code === 42 || code === 45);
    if (bullet && readBullet(this.source, draft, findings, content, end)) {
      this.unfilled = undefined;
      return;
    }
    if (draft.closed) {
      this.running = true;
      if (tilde) findings.mentioned(content, end);
      return;
    }
    if (tilde && findings.notTaken(content, end)) {
      this.unfilled = undefined;
      return;
    }
    const beside = findings.line > 0 && this.lines.content[findings.line - 1]! < this.lines.end[findings.line - 1]!;
    if (content === start && !bullet && !inParagraph && !beside) {
      // A paragraph at the first column behind a blank line: notes behind the last item of a page, for example.
      draft.closed = true;
      this.running = true;
      return;
    }
    if (draft.part === 'needs' && findings.needNotTaken(content, end)) {
      this.unfilled = undefined;
      return;
    }
    findings.report('list-text', `this line of '${draft.part}' of ${draft.id} is no bullet and is not read`, content);
  }
}
