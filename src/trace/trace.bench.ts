/** How long linking takes, and that ten times the items take about ten times as long. */
import { performance } from 'node:perf_hooks';
import type { Item, Mention } from '../core/item.js';
import { linkItems } from './linker.js';

/** A string of its own, as an importer cuts it from a text; one put together would be joined when it is first hashed. */
function flat(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** A tree of `count` items in three levels, ten children a parent, as an importer would give them. */
function generatedItems(count: number): Item[] {
  const markets = Math.max(1, Math.floor(count / 111));
  const products = markets * 10;
  const made: Item[] = [];
  const add = (type: string, name: string, needs: string, covers: string): void => {
    const line = made.length * 12 + 1;
    const place = { path: 'tree.rst', line, column: 2, offset: line * 20 };
    const mentions = (text: string): Mention[] => (text === '' ? [] : [{ text: flat(text), place }]);
    made.push({
      id: flat(`${type}~${name}~1`),
      type,
      name: flat(name),
      revision: 1,
      place,
      title: `Title of ${name}`,
      titlePlace: place,
      description: '',
      descriptionPlace: undefined,
      rationale: '',
      rationalePlace: undefined,
      comment: '',
      commentPlace: undefined,
      status: 'approved',
      covers: mentions(covers),
      depends: [],
      needs: mentions(needs),
      tags: [],
      forwards: false,
    });
  };
  for (let m = 0; m < markets; m++) add('mkt', `market_${m}`, 'prod', '');
  for (let p = 0; p < products; p++) add('prod', `product_${p}`, 'dsn', `mkt~market_${Math.floor(p / 10)}~1`);
  for (let d = 0; made.length < count; d++)
    add('dsn', `design_${d}`, '', `prod~product_${Math.floor(d / 10) % products}~1`);
  return made;
}

/** Milliseconds of the fastest of `runs` linkings of `count` items. */
function linkingTime(count: number, runs = 5): number {
  const items = generatedItems(count);
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    linkItems(items);
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** The figures of this folder, for `npm run bench`. */
export function traceFigures(): { readonly small: number; readonly large: number; readonly ratio: number } {
  const small = linkingTime(10_000);
  const large = linkingTime(100_000);
  return { small, large, ratio: large / small };
}
