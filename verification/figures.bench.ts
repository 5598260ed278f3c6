/**
 * `npm run bench`: the figures that the project promises, each as a ratio of two things measured in one run, because
 * machines differ and are noisy. Prints a line for each with its bound and exits with 1 if one is missed.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { unified } from 'unified';
import { diskSource } from '../src/cli/disk-source.js';
import { analyse } from '../src/engine/analyse.js';
import { benchTranslations } from '../src/hw/iommu/smmuv3/translate.bench.js';
import { benchWalks } from '../src/hw/paging/walk.bench.js';
import { generateTree } from '../src/import/import.bench.js';
import { rstParse } from '../src/import/rst/parse.js';
import { benchMessages } from './messages.bench.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const COMMAND = path.join(ROOT, 'bin', 'tracewright.js');

interface Figure {
  readonly what: string;
  readonly value: number;
  readonly bound: number;
  readonly unit: string;
  /** The bound is a lower one. */
  readonly atLeast?: boolean;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}

async function milliseconds(action: () => unknown): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/** Writes a generated tree below a temporary folder and gives its root and its files. */
function writeTree(folder: string, items: number): { readonly root: string; readonly files: readonly string[] } {
  const root = path.join(folder, String(items));
  const files = Object.entries(generateTree({ items, perFile: items }));
  for (const [name, text] of files) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), text);
  }
  return { root, files: files.map(([name]) => path.join(root, name)) };
}

/** Reads every file and splits it into lines: what importing is measured against. */
function readAndSplit(files: readonly string[]): number {
  let lines = 0;
  for (const file of files) lines += readFileSync(file, 'utf8').split('\n').length;
  return lines;
}

/** What is measured of a tree, each in a process of its own so that neither memory nor warmth is shared. */
type TreeMeasure = 'analyse : split' | 'milliseconds to analyse' | 'tree : split' | 'resident MiB';

async function measureTree(measure: TreeMeasure, root: string, files: readonly string[]): Promise<number> {
  const analyseOnce = () => milliseconds(() => analyse(diskSource(root), { paths: ['.'] }));
  if (measure === 'resident MiB') {
    await analyseOnce();
    return process.resourceUsage().maxRSS / 1024;
  }
  const processor = unified().use(rstParse);
  const parseOnce = () =>
    milliseconds(() => {
      for (const file of files) processor.parse(readFileSync(file, 'utf8'));
    });
  const split: number[] = [];
  const measured: number[] = [];
  for (let round = 0; round < 3; round++) {
    split.push(await milliseconds(() => readAndSplit(files)));
    measured.push(await (measure === 'tree : split' ? parseOnce() : analyseOnce()));
  }
  return measure === 'milliseconds to analyse' ? median(measured) : median(measured) / median(split);
}

function measureApart(measure: TreeMeasure, { root, files }: ReturnType<typeof writeTree>): number {
  const input = JSON.stringify({ measure, root, files });
  const child = spawnSync('node', [fileURLToPath(import.meta.url), '--tree'], { input, encoding: 'utf8' });
  if (child.status !== 0) throw new Error(`measuring failed: ${child.stderr}`);
  return JSON.parse(child.stdout) as number;
}

function importFigures(): Figure[] {
  const folder = mkdtempSync(path.join(tmpdir(), 'tracewright-'));
  try {
    const small = writeTree(folder, 10_000);
    const large = writeTree(folder, 100_000);
    const ten = measureApart('milliseconds to analyse', large) / measureApart('milliseconds to analyse', small);
    const name = 'import and trace of 100,000 items';
    return [
      {
        what: `${name} : read and split into lines`,
        value: measureApart('analyse : split', large),
        bound: 10,
        unit: '×',
      },
      { what: `resident memory of the ${name}`, value: measureApart('resident MiB', large), bound: 500, unit: 'MiB' },
      { what: `${name} : of 10,000`, value: ten, bound: 12, unit: '×' },
      {
        what: 'syntax tree of 100,000 items : read and split into lines',
        value: measureApart('tree : split', large),
        bound: 25,
        unit: '×',
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Wall clock of two commands as whole processes, taken in turns: the ratio of their medians. */
function processRatio(args: readonly string[], cwd: string): number {
  const bare: number[] = [];
  const full: number[] = [];
  for (let round = 0; round < 15; round++) {
    for (const [list, command] of [
      [bare, ['-e', '0']],
      [full, [COMMAND, ...args]],
    ] as const) {
      const start = performance.now();
      const { status, stderr } = spawnSync('node', command, { cwd, encoding: 'utf8' });
      list.push(performance.now() - start);
      if (status === null || status > 1) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`);
    }
  }
  return median(full) / median(bare);
}

function processFigures(): Figure[] {
  const corpora = process.env.TRACEWRIGHT_CORPORA;
  const tree =
    corpora === undefined
      ? { name: 'the bundled tree', cwd: ROOT, args: [] }
      : { name: '87 items', cwd: path.resolve(corpora), args: ['xen-fusa-passthrough'] };
  return [
    {
      what: `tracewright trace on ${tree.name} : node -e 0`,
      value: processRatio(['trace', ...tree.args], tree.cwd),
      bound: 2.5,
      unit: '×',
    },
    {
      what: 'tracewright verify <one id> : node -e 0',
      value: processRatio(['verify', 'passthrough_use_iommu_to_deny_dma_ops_from_dev'], ROOT),
      bound: 5,
      unit: '×',
    },
  ];
}

/** The whole verification, every mutant included, on all cores; and what a second core is worth, where cores can be chosen. */
function verificationFigures(): Figure[] {
  const seconds = (prefix: readonly string[]): number => {
    const [command = 'node', ...args] = [...prefix, 'node', COMMAND, 'matrix', '--format', 'json', '-o', '/dev/null'];
    const start = performance.now();
    const { status, stderr } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' });
    if (status !== 0) throw new Error(`the matrix ended with ${status}: ${stderr}`);
    return (performance.now() - start) / 1000;
  };
  const all = seconds([]);
  const whole: Figure = { what: 'the whole verification with every mutant', value: all, bound: 15, unit: 's' };
  if (availableParallelism() !== 2 || spawnSync('taskset', ['--version']).status !== 0) return [whole];
  const scaling = seconds(['taskset', '-c', '0']) / all;
  return [whole, { what: 'the same on one core : on two', value: scaling, bound: 1.6, unit: '×', atLeast: true }];
}

function messageFigures(): Figure[] {
  const what = 'message interrupts from a device to the end of the handler';
  return [{ what, value: benchMessages(1500), bound: 300_000, unit: '/s', atLeast: true }];
}

function print(figures: readonly Figure[]): boolean {
  let met = true;
  for (const { what, value, bound, unit, atLeast = false } of figures) {
    const good = atLeast ? value >= bound : value <= bound;
    met &&= good;
    console.log(
      `${good ? '✔' : '✘'} ${value.toFixed(value < 100 ? 2 : 0).padStart(7)} ${unit.padEnd(4)} ${atLeast ? '≥' : '≤'} ${String(bound).padEnd(6)} ${what}`,
    );
  }
  return met;
}

if (process.argv[2] === '--tree') {
  const { measure, root, files } = JSON.parse(readFileSync(0, 'utf8'));
  console.log(JSON.stringify(await measureTree(measure, root, files)));
} else {
  const hardware = [
    ...benchTranslations().map(({ name, reads, ratio }) => ({
      what: `SMMUv3, ${name} : ${reads} dependent reads`,
      value: ratio,
      bound: reads === 1 ? 12 : 4,
      unit: '×',
    })),
    ...benchWalks().map(({ name, reads, ratio }) => ({
      what: `walker, ${name} : ${reads} dependent reads`,
      value: ratio,
      bound: 4,
      unit: '×',
    })),
  ];
  const results = [
    print(hardware),
    print(messageFigures()),
    print(importFigures()),
    print(processFigures()),
    print(verificationFigures()),
  ];
  process.exitCode = results.every(Boolean) ? 0 : 1;
}
