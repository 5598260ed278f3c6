/** What a bullet of `Covers:`, `Depends:`, `Needs:` or `Tags:` names, or the inline list behind `Needs:` and `Tags:`. */
import type { Mention } from '../../core/item.js';
import type { Draft } from './draft.js';
import type { Findings } from './findings.js';
import type { ListPart } from './parts.js';
import { findIds, type IdRange, isWord, normalisedId, scanId } from './scan-id.js';

/** The things that a bullet names, by offsets, and whether it says nothing else. */
interface Named {
  readonly ranges: readonly IdRange[];
  readonly clean: boolean;
}

const EXPECTED = { covers: 'an id', depends: 'an id', needs: 'an artifact type', tags: 'a tag' } as const;

/**
 * Reads the bullet that stands at `bullet` into the list that is open. False if it is not part of the list: text stands
 * between and it names nothing. Of several ids or types the last is taken, as OpenFastTrace does.
 */
export function readBullet(source: string, draft: Draft, findings: Findings, bullet: number, end: number): boolean {
  const part = draft.part as ListPart;
  if (!draft.closed && takeAlone(source, draft, findings, part, bullet, end)) return true;
  const { ranges, clean } = namesOf(source, part, bullet + 1, end);
  if (draft.closed) {
    if (part === 'needs' || part === 'tags' ? !clean : ranges.length === 0) return false;
    findings.report(
      'list-after-text',
      `this bullet is read into '${part}' of ${draft.id} although text stands between`,
      bullet,
    );
  }
  const last = ranges[ranges.length - 1];
  if (last === undefined) {
    findings.report(
      'list-bullet-empty',
      `this bullet of '${part}' of ${draft.id} does not name ${EXPECTED[part]}`,
      bullet,
    );
    return true;
  }
  if (part === 'tags') {
    for (const { start, end: behind } of ranges)
      draft.mention(part, { text: source.slice(start, behind), place: findings.at(start) });
    return true;
  }
  const text = source.slice(last.start, last.end);
  if (ranges.some(({ start, end: behind }) => source.slice(start, behind) !== text)) {
    findings.report(
      'list-bullet-several',
      `this bullet names several things; only '${text}' is read`,
      bullet,
      'write one bullet each',
    );
  } else if (part === 'needs' && !clean) {
    findings.report('needs-type', `this bullet is not one artifact type of ASCII letters; '${text}' is read`, bullet);
  }
  takeName(source, draft, findings, part, last.start, last.end);
  return true;
}

/** The words of an inline list with commas between them, or undefined if it holds anything else. */
export function readInlineList(source: string, findings: Findings, from: number, end: number): Mention[] | undefined {
  const mentions: Mention[] = [];
  let at = from;
  for (const word of source.slice(from, end).split(',')) {
    const trimmed = word.trim();
    if (!/^\w+$/.test(trimmed)) return undefined;
    mentions.push({ text: trimmed, place: findings.at(at + word.length - word.trimStart().length) });
    at += word.length + 1;
  }
  return mentions;
}

/** Takes one word of an inline list. OpenFastTrace takes any as a need, although no item can have such a type. */
export function takeInline(draft: Draft, findings: Findings, part: ListPart, mention: Mention): void {
  if (part === 'needs' && !/^[A-Za-z]+$/.test(mention.text)) {
    const message = `nothing can cover the artifact type '${mention.text}': a type is made of ASCII letters`;
    findings.reportAt('needs-type', message, mention.place);
  }
  draft.mention(part, mention);
}

/** The common case, a bullet with one name and nothing else, without a list of ranges. */
function takeAlone(
  source: string,
  draft: Draft,
  findings: Findings,
  part: ListPart,
  bullet: number,
  end: number,
): boolean {
  if (part === 'tags') return false;
  let start = bullet + 1;
  let stop = end;
  while (start < end && isBlank(source.charCodeAt(start))) start++;
  if (source.charCodeAt(start) === 96 && source.charCodeAt(end - 1) === 96) {
    start++;
    stop--;
  }
  if (start >= stop) return false;
  if (part === 'needs') {
    for (let p = start; p < stop; p++) {
      const code = source.charCodeAt(p) | 32;
      if (code < 97 || code > 122) return false;
    }
  } else if (scanId(source, start, stop) !== stop) {
    return false;
  }
  takeName(source, draft, findings, part, start, stop);
  return true;
}

function takeName(source: string, draft: Draft, findings: Findings, part: ListPart, start: number, end: number): void {
  if (part === 'needs') {
    draft.mention(part, { text: source.slice(start, end), place: findings.at(start) });
    return;
  }
  const text = normalisedId(source, start, end);
  if (text === undefined) findings.revision(start, end);
  else draft.mention(part, { text, place: findings.at(start) });
}

function namesOf(source: string, part: ListPart, from: number, end: number): Named {
  if (part === 'needs') return readTypes(source, from, end);
  if (part === 'tags') return readTags(source, from, end);
  const ranges = findIds(source, from, end);
  return { ranges, clean: ranges.length === 1 };
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

/** Trims blanks, and one backtick on either side if `quotes` says so. */
function trimmed(text: string, from: number, to: number, quotes: boolean): IdRange {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  if (quotes && end - start >= 2 && text[start] === '`' && text[end - 1] === '`')
    return { start: start + 1, end: end - 1 };
  return { start, end };
}

/** Words of ASCII letters that no other word character touches. */
function readTypes(text: string, from: number, to: number): Named {
  const { start, end } = trimmed(text, from, to, true);
  const ranges: IdRange[] = [];
  let wordStart = -1;
  let letters = true;
  for (let p = start; p <= end; p++) {
    const code = p < end ? text.charCodeAt(p) : 32;
    if (isWord(code)) {
      if (wordStart < 0) {
        wordStart = p;
        letters = true;
      }
      if (code === 95 || code < 65) letters = false;
    } else {
      if (wordStart >= 0 && letters) ranges.push({ start: wordStart, end: p });
      wordStart = -1;
    }
  }
  const only = ranges[0];
  return { ranges, clean: ranges.length === 1 && only!.start === start && only!.end === end };
}

function readTags(text: string, from: number, to: number): Named {
  const ranges: IdRange[] = [];
  let at = from;
  while (at <= to) {
    const comma = text.indexOf(',', at);
    const stop = comma < 0 || comma > to ? to : comma;
    const range = trimmed(text, at, stop, false);
    if (range.end > range.start) ranges.push(range);
    at = stop + 1;
  }
  return { ranges, clean: ranges.length === 1 };
}
