/** Prints items as reStructuredText in the layout of Xen's requirement tree, so that reading it gives the same items. */
import type { Item, Mention } from '../core/item.js';
import { columnWidth } from './rst/block/characters.js';

/** Prints items one below the other, each under a title if it has one. */
export function printItems(items: readonly Item[]): string {
  return items.map(printItem).join('\n');
}

function printItem(item: Item): string {
  if (item.forwards) {
    const types = item.needs.map((need) => need.text).join(', ');
    return `${item.type} --> ${types} : ${item.covers[0]?.text ?? item.id}\n`;
  }
  const blocks = [
    ...(item.title === undefined ? [] : [`${item.title}\n${'-'.repeat(Math.max(4, columnWidth(item.title)))}`]),
    `\`${item.id}\`${item.status === 'approved' ? '' : `\n\nStatus: ${item.status}`}`,
    ...text('Description:', item.description, item.descriptionPlace !== undefined),
    ...text('Rationale:', item.rationale, item.rationalePlace !== undefined),
    ...text('Comments:', item.comment, item.commentPlace !== undefined),
    ...list('Covers:', item.covers, '`'),
    ...list('Depends:', item.depends, '`'),
    ...list('Needs:', item.needs, ''),
    ...list('Tags:', item.tags, ''),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function text(label: string, content: string, present: boolean): string[] {
  if (!present) return [];
  return [content === '' ? label : `${label}\n${content}`];
}

function list(label: string, mentions: readonly Mention[], quote: string): string[] {
  if (mentions.length === 0) return [];
  return [[label, ...mentions.map((mention) => ` - ${quote}${mention.text}${quote}`)].join('\n')];
}
