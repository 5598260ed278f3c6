/**
 * Specification items and their ids, in OpenFastTrace's terms.
 *
 * An id is `type~name~revision`. The type is ASCII letters, the name begins with a letter and may hold letters, marks,
 * decimal digits, connector punctuation, `-` and inner dots, the revision is a decimal number below 2^31.
 */
import type { Place } from './diagnostic.js';

/** The parts of an id. */
export interface ItemId {
  readonly type: string;
  readonly name: string;
  readonly revision: number;
}

/** `Status:` of an item. OpenFastTrace's four; `approved` where the item does not say. */
export type ItemStatus = 'approved' | 'proposed' | 'draft' | 'rejected';

/** A mention of another item's id (`Covers:`, `Depends:`) or of a type (`Needs:`), with where it stands. */
export interface Mention {
  /** The id (`type~name~revision`, revision without leading zeros) or the artifact type. */
  readonly text: string;
  readonly place: Place;
}

/** One specification item as imported. Texts are trimmed and joined with `\n`. */
export interface Item {
  /** `type~name~revision`, normalised. */
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly revision: number;
  /** Place of the id. */
  readonly place: Place;
  readonly title: string | undefined;
  readonly titlePlace: Place | undefined;
  readonly description: string;
  readonly descriptionPlace: Place | undefined;
  readonly rationale: string;
  readonly rationalePlace: Place | undefined;
  readonly comment: string;
  readonly commentPlace: Place | undefined;
  readonly status: ItemStatus;
  readonly covers: readonly Mention[];
  readonly depends: readonly Mention[];
  readonly needs: readonly Mention[];
  readonly tags: readonly Mention[];
  /** True for an item made by a forwarding line `a --> b : req~x~1`. */
  readonly forwards: boolean;
}

/** The largest revision: OpenFastTrace keeps it in a 32-bit signed integer. */
export const MAX_REVISION = 0x7fffffff;

const NAME_CHAR = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}-]';

/** Source of a regular expression (flag `u`) for an id with three groups: type, name, revision. */
export const ID_PATTERN = `([A-Za-z]+)~(\\p{Alphabetic}${NAME_CHAR}*(?:\\.${NAME_CHAR}+)*)~(\\p{Nd}+)`;

const WHOLE_ID = new RegExp(`^${ID_PATTERN}$`, 'u');

/** Parses an id. Undefined if the text is not one, or if its revision is above {@link MAX_REVISION}. */
export function parseId(text: string): ItemId | undefined {
  const match = WHOLE_ID.exec(text);
  if (!match) return undefined;
  const [, type, name, digits] = match as unknown as [string, string, string, string];
  const revision = Number(digits);
  if (!(revision <= MAX_REVISION)) return undefined;
  return { type, name, revision };
}

/** Formats an id. */
export function formatId(id: ItemId): string {
  return `${id.type}~${id.name}~${id.revision}`;
}

/** Order of ids: type, name, then revision as a number; strings by UTF-16 code unit. */
export function compareIds(a: ItemId, b: ItemId): number {
  if (a.type !== b.type) return a.type < b.type ? -1 : 1;
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.revision - b.revision;
}
