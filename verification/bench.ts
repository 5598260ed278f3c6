/**
 * The bridge between the towers: boards with Xen booted on them, offered to the check engine. Named in
 * `tracewright.config.json`; checks and mutants import `check` and `mutant` from here.
 */
import { readFileSync } from 'node:fs';
import { type Board, loadBoard } from '../src/board/board.js';
import { defineBench, type Platform, type RunContext } from '../src/check/index.js';
import { createXen } from '../src/xen/create.js';
import { DIVERGENCES } from '../src/xen/divergences.js';
import { type XenSteps, xenSteps } from '../src/xen/steps.js';
import { APPLICABILITY, FEATURES } from './applicability.js';
import { PassthroughBench } from './passthrough-bench.js';
import { TranscriptWriter } from './transcript-writer.js';

/** The package's folder: this module lies two folders below it, compiled alone and bundled alike. */
const PACKAGE = new URL('../../', import.meta.url);

/** A platform with the board that it stands for. */
interface BoardPlatform extends Platform {
  /** Physical address of the IOMMU's registers, as the board file says. */
  readonly iommuBase: number;
}

const boards = new Map<string, { readonly board: Board; readonly text: string }>();

function boardNamed(name: string): { readonly board: Board; readonly text: string } {
  const known = boards.get(name);
  if (known !== undefined) return known;
  const text = readFileSync(new URL(`fixtures/boards/${name}.dts`, PACKAGE), 'utf8');
  const entry = { board: loadBoard(text, name), text };
  boards.set(name, entry);
  return entry;
}

const HYPERVISOR = 'reference model of Xen (c447b73)';

/** The platforms, a board each. */
const PLATFORMS: readonly BoardPlatform[] = [
  {
    name: 'arm64-smmuv3',
    machine: 'Arm64, SMMUv3, two PCI segments',
    hypervisor: HYPERVISOR,
    features: ['arm64', 'pci'],
    iommuBase: 0x0905_0000,
    get inputs() {
      return { board: boardNamed('arm64-smmuv3').text };
    },
  },
];

/** Powers a board on, with a bench on it that has not been booted. */
function powerOn(name: string, steps: XenSteps, run: RunContext, seed?: number): PassthroughBench {
  const platform = PLATFORMS.find((one) => one.name === name);
  if (platform === undefined) throw new Error(`there is no platform ${name}`);
  const machine = boardNamed(name).board.power({
    ...(seed === undefined ? {} : { seed }),
    count: run.count,
    journal: run.journal,
    problem: ({ channel, actor, text }) =>
      run.problem(channel === 'misuse' ? `${actor} did wrong: ${text}` : `not modelled: ${actor}: ${text}`),
  });
  const transcript =
    run.transcript === undefined ? undefined : new TranscriptWriter(run.transcript, machine, platform.iommuBase);
  return new PassthroughBench(machine, createXen(steps), platform.iommuBase, transcript, (other) =>
    powerOn(name, steps, run, other),
  );
}

export const { check, mutant, bench } = defineBench<XenSteps, PassthroughBench>({
  object: {
    name: 'reference model',
    digestFiles: [
      'dist/src/hw/**/*.js',
      'dist/src/firmware/**/*.js',
      'dist/src/board/**/*.js',
      'dist/src/xen/**/*.js',
      '!dist/**/*.test.js',
      '!dist/**/*.test-support.js',
      '!dist/**/*.bench.js',
      'fixtures/boards/*.dts',
    ],
    digestRoot: PACKAGE,
  },
  digestFiles: ['dist/verification/*.js', '!dist/verification/*.bench.js'],
  platforms: PLATFORMS,
  features: FEATURES,
  applicability: APPLICABILITY,
  divergences: DIVERGENCES.map(({ commit, ...divergence }) => ({ ...divergence, from: `Xen at ${commit}` })),
  subject: () => xenSteps(),
  start(platform, steps, run) {
    const started = powerOn(platform.name, steps, run);
    started.boot();
    return started;
  },
});
