/**
 * Text in columns of a terminal: measured, filled, broken and shortened. Apart from `text.ts`, because measuring loads
 * tables that take longer to load than a trace takes to print.
 */
import stringWidth from 'string-width';

/** The columns that a text takes in a terminal; colours take none. */
export function columnsOf(text: string): number {
  return stringWidth(text);
}

/** Fills a text with spaces up to a width in columns. */
export function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - columnsOf(text)));
}

/** Breaks text at spaces into lines of at most `width` columns; a word that is longer has a line of its own. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && columnsOf(line) + 1 + columnsOf(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, line];
}

/**
 * An id in at most `width` columns. Words give way from the front of the name, because ids of one family differ at the
 * end: `XenSwdgn~…_remapping_for_dev~1`. The type, the revision and the last word always stay.
 */
export function shortenedId(id: string, width: number): string {
  if (columnsOf(id) <= width) return id;
  const [type = '', name = '', revision = ''] = id.split('~');
  const words = name.split('_');
  for (let first = 1; first < words.length; first++) {
    const short = `${type}~…_${words.slice(first).join('_')}~${revision}`;
    if (columnsOf(short) <= width || first === words.length - 1) return short;
  }
  return id;
}

/** Shortens ids to their widths. Undefined if two different ids would then look the same, or one does not fit. */
export function shortenedIds(ids: readonly { readonly id: string; readonly width: number }[]): string[] | undefined {
  const meaning = new Map<string, string>();
  const short: string[] = [];
  for (const { id, width } of ids) {
    const text = shortenedId(id, width);
    if (columnsOf(text) > width) return undefined;
    if ((meaning.get(text) ?? id) !== id) return undefined;
    meaning.set(text, id);
    short.push(text);
  }
  return short;
}
