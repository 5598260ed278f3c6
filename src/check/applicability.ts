/**
 * Applicability: which requirement, and which part of it, means something on which platform. One table in the bench,
 * reviewed as a whole; a check cannot excuse itself from it.
 */

/** A part of a requirement which needs a check of its own: a requirement is verified only with all its parts. */
export interface Aspect {
  /** `dma`, `mmio`, ... as a check names it in its options. */
  readonly name: string;
  /** Features that a platform must have for this part to mean something there; none if absent. */
  readonly needs?: readonly string[];
  /** Why the part is n/a on a platform without them. Must be given with `needs`. */
  readonly otherwise?: string;
}

/** One row of the table. Every row that matches a requirement counts. */
export interface ApplicabilityRow {
  /** A requirement's id, or a pattern in which `*` stands for any run of characters. */
  readonly requirement: string;
  /** Features that a platform must have for the requirement to mean something there; none if absent. */
  readonly needs?: readonly string[];
  /** The reason for n/a on a platform without them. Must be given with `needs`. */
  readonly otherwise?: string;
  /** The requirement's parts. Without any, the requirement is one whole. */
  readonly aspects?: readonly Aspect[];
}

/**
 * Whether a requirement means something on a platform. `aspects` are the parts that do, in the table's order; empty if
 * the requirement has no parts.
 */
export type Applicability =
  | { readonly applicable: true; readonly aspects: readonly string[] }
  | { readonly applicable: false; readonly reason: string };

/** Whether `text` matches a pattern in which `*` stands for any run of characters, the empty one too. */
export function matchesPattern(pattern: string, text: string): boolean {
  const [head = '', ...parts] = pattern.split('*');
  if (parts.length === 0) return pattern === text;
  const tail = parts.pop() ?? '';
  if (!text.startsWith(head) || text.length < head.length + tail.length || !text.endsWith(tail)) return false;
  const end = text.length - tail.length;
  let at = head.length;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** Looks a requirement up for a platform. A requirement that no row names applies as a whole. */
export function applies(
  rows: readonly ApplicabilityRow[],
  requirement: string,
  platform: { readonly features: readonly string[] },
): Applicability {
  const has = (needs: readonly string[] | undefined) => (needs ?? []).every((need) => platform.features.includes(need));
  const aspects: string[] = [];
  let declared = 0;
  let firstReason: string | undefined;
  for (const row of rows) {
    if (!matchesPattern(row.requirement, requirement)) continue;
    if (!has(row.needs)) return { applicable: false, reason: row.otherwise ?? '' };
    for (const aspect of row.aspects ?? []) {
      declared++;
      if (has(aspect.needs)) aspects.push(aspect.name);
      else firstReason ??= aspect.otherwise ?? '';
    }
  }
  if (declared > 0 && aspects.length === 0) return { applicable: false, reason: firstReason ?? '' };
  return { applicable: true, aspects };
}

/** The parts that the table declares for a requirement, on whatever platform. */
export function declaredAspects(rows: readonly ApplicabilityRow[], requirement: string): readonly string[] {
  return rows
    .filter((row) => matchesPattern(row.requirement, requirement))
    .flatMap((row) => (row.aspects ?? []).map((aspect) => aspect.name));
}
