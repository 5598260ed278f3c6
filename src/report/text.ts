/** Text for terminals, made harmless. */

// C0 and C1 controls, and every character that changes the direction or the look of what stands around it:
// bidirectional marks, embeddings, overrides and isolates, line and paragraph separators, invisible operators, BOM.
const ACTIVE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/**
 * Text from a file, made harmless for a terminal: control characters and bidirectional overrides are shown as `\u{9b}`
 * instead of taking effect; a tab or a line end becomes a space.
 */
export function inert(text: string): string {
  return text.replace(/[\t\n\r]+/g, ' ').replace(ACTIVE, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}

/** A count with its noun: `1 item`, `2 items`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}
