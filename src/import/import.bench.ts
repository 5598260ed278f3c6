/**
 * How fast and how large importing is, as ratios to reading the same bytes and splitting them into lines. Run the built
 * file with node: `node --expose-gc dist/src/import/import.bench.js`.
 */
import { memorySource } from '../core/file-source.js';
import { importFiles } from './index.js';
import { findLines } from './lines.js';
import { tokenize } from './rst/tokenizer.js';
import { TreeSink } from './rst/tree.js';

/** Generated requirement trees: three levels, one parent in each level for ten children. */
export interface GeneratedTree {
  /** Number of items. */
  readonly items: number;
  /** Items in a file. */
  readonly perFile?: number;
}

const TYPES = ['GenMkt', 'GenProd', 'GenDsn'] as const;

/** Writes a tree as rst files, path to text. The same arguments give the same bytes; 100,000 items are about 16 MB. */
export function generateTree({ items, perFile = 500 }: GeneratedTree): Record<string, string> {
  const files: Record<string, string> = {};
  for (let first = 0; first < items; first += perFile) {
    const lines = [
      '.. SPDX-License-Identifier: CC-BY-4.0',
      '',
      `Generated ${first}`,
      '='.repeat(`Generated ${first}`.length),
      '',
    ];
    for (let n = first; n < Math.min(items, first + perFile); n++) lines.push(...generateItem(n));
    files[`gen/${String(first).padStart(8, '0')}.rst`] = lines.join('\n');
  }
  return files;
}

function generateItem(n: number): string[] {
  const level = n % 100 === 0 ? 0 : n % 10 === 0 ? 1 : 2;
  const title = `Requirement number ${n}`;
  const parent = level === 1 ? n - (n % 100) : n - (n % 10);
  const parentLevel = parent % 100 === 0 ? 0 : 1;
  return [
    title,
    '-'.repeat(title.length),
    '',
    `\`${TYPES[level]}~generated_${n}~1\``,
    '',
    'Description:',
    `The system shall do what number ${n} says.`,
    '',
    ...(level === 0 ? [] : ['Covers:', ` - \`${TYPES[parentLevel]}~generated_${parent}~1\``, '']),
    ...(level === 2 ? [] : ['Needs:', ` - ${TYPES[level + 1]}`, ...(level === 0 ? [' - GenDsn'] : []), '']),
  ];
}

/** One measurement. */
export interface ImportFigures {
  readonly bytes: number;
  /** Seconds to decode the bytes and split them into lines: the yardstick. */
  readonly split: number;
  /** Seconds to import the same bytes. */
  readonly imported: number;
  readonly ratio: number;
  /** Seconds to build the unist trees of the same texts, one after the other. */
  readonly trees: number;
  readonly treeRatio: number;
}

function seconds(run: () => void): number {
  const start = process.hrtime.bigint();
  run();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

function buildTree(text: string): void {
  const lines = findLines(text);
  const sink = new TreeSink(text, lines);
  tokenize(text, sink, lines);
  if (sink.finish().children.length === 0) throw new Error('an empty tree');
}

/** Measures importing a generated tree held as bytes in memory; medians of `runs` runs. */
export async function measureImport(items: number, runs = 3): Promise<ImportFigures> {
  const encoder = new TextEncoder();
  const files: Record<string, Uint8Array> = {};
  let bytes = 0;
  for (const [path, text] of Object.entries(generateTree({ items }))) {
    const encoded = encoder.encode(text);
    bytes += encoded.length;
    files[path] = encoded;
  }
  const source = memorySource(files);
  const splits: number[] = [];
  const imports: number[] = [];
  for (let run = 0; run < runs; run++) {
    let lines = 0;
    splits.push(
      seconds(() => {
        const decoder = new TextDecoder();
        for (const path of source.list('.')!) lines += decoder.decode(source.read(path)).split('\n').length;
      }),
    );
    const start = process.hrtime.bigint();
    const result = await importFiles(source, ['.']);
    imports.push(Number(process.hrtime.bigint() - start) / 1e9);
    if (result.items.length !== items || lines === 0)
      throw new Error(`expected ${items} items, got ${result.items.length}`);
  }
  const trees = seconds(() => {
    const decoder = new TextDecoder();
    for (const path of source.list('.')!) buildTree(decoder.decode(source.read(path)));
  });
  const split = median(splits);
  const imported = median(imports);
  return { bytes, split, imported, ratio: imported / split, trees, treeRatio: trees / split };
}

if (process.argv[1] !== undefined && import.meta.url.endsWith(process.argv[1].split('/').pop()!)) {
  await measureImport(5_000);
  for (const items of [10_000, 100_000]) {
    const { bytes, split, imported, ratio, trees, treeRatio } = await measureImport(items);
    const size = (bytes / 1e6).toFixed(1);
    const times = `split ${(split * 1e3).toFixed(0)} ms, import ${(imported * 1e3).toFixed(0)} ms`;
    console.log(`${items} items, ${size} MB: ${times}, ratio ${ratio.toFixed(1)}`);
    console.log(`  trees ${(trees * 1e3).toFixed(0)} ms, ratio ${treeRatio.toFixed(1)}`);
  }
  console.log(`resident: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB at most`);
}
