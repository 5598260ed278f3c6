/**
 * The bridge between the towers: boards with Xen booted on them, offered to the check engine. Named in
 * `tracewright.config.json`; checks and mutants import `check` and `mutant` from here.
 */
import { readFileSync } from 'node:fs';
import { type Board, loadBoard } from '../src/board/board.js';
import { defineBench, type Platform, type RunContext } from '../src/check/index.js';
import type { DeviceTree } from '../src/firmware/tree.js';
import { pa } from '../src/hw/address.js';
import { createXen } from '../src/xen/create.js';
import { DIVERGENCES } from '../src/xen/divergences.js';
import { type XenSteps, xenSteps } from '../src/xen/steps.js';
import { APPLICABILITY, FEATURES } from './applicability.js';
import { devicesOf } from './devices.js';
import { EventQueueReader } from './event-queue-reader.js';
import { IpmmuFaultReader } from './ipmmu-fault-reader.js';
import { PassthroughBench, type PlatformFacts } from './passthrough-bench.js';
import { TranscriptWriter } from './transcript-writer.js';

/** The package's folder: this module lies two folders below it, compiled alone and bundled alike. */
const PACKAGE = new URL('../../', import.meta.url);

/** A platform with the board that it stands for. */
interface BoardPlatform extends Platform {
  readonly iommus: PlatformFacts['iommus'];
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

/** A platform of a board file of the same name. */
function platform(name: string, rest: Omit<BoardPlatform, 'name' | 'hypervisor' | 'inputs'>): BoardPlatform {
  return {
    name,
    hypervisor: HYPERVISOR,
    ...rest,
    get inputs() {
      return { board: boardNamed(name).text };
    },
  };
}

const EVERY_ARM64 = ['arm64', 'spi', 'platform-devices'] as const;

/** The platforms, a board each. */
const PLATFORMS: readonly BoardPlatform[] = [
  platform('arm64-smmuv3', {
    machine: 'Arm64, GICv3 with ITS, SMMUv3, two PCI segments, platform devices',
    features: [...EVERY_ARM64, 'gicv3', 'pci', 'msi', 'smmuv3'],
    iommus: [{ kind: 'smmuv3', base: 0x0905_0000 }],
  }),
  platform('arm64-smmuv3-dual', {
    machine: 'Arm64, GICv3 with ITS, two SMMUv3 with equal stream ids, a PCI segment behind each, platform devices',
    features: [...EVERY_ARM64, 'gicv3', 'pci', 'msi', 'phantom-functions', 'sr-iov', 'smmuv3', 'two-smmus'],
    iommus: [
      { kind: 'smmuv3', base: 0x0905_0000 },
      { kind: 'smmuv3', base: 0x0907_0000 },
    ],
  }),
  platform('arm64-ipmmu', {
    machine: 'Arm64, GICv2, IPMMU-VMSA modelled after its Linux and Xen drivers (no public manual), platform devices',
    features: [...EVERY_ARM64, 'gicv2', 'ipmmu'],
    iommus: [{ kind: 'ipmmu', base: 0xe67b_0000 }],
  }),
];

/** Powers a board on, with a bench on it that has not been booted. */
function powerOn(
  name: string,
  steps: XenSteps,
  run: RunContext,
  seed?: number,
  boot?: (tree: DeviceTree) => void,
): PassthroughBench {
  const found = PLATFORMS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no platform ${name}`);
  const machine = boardNamed(name).board.power({
    ...(seed === undefined ? {} : { seed }),
    ...(boot === undefined ? {} : { boot }),
    count: run.count,
    journal: run.journal,
    problem: ({ channel, actor, text }) =>
      run.problem(channel === 'misuse' ? `${actor} did wrong: ${text}` : `not modelled: ${actor}: ${text}`),
  });
  const smmus = found.iommus.filter(({ kind }) => kind === 'smmuv3').map(({ base }) => base);
  const transcript = run.transcript === undefined ? undefined : new TranscriptWriter(run.transcript, machine, smmus);
  const faults = found.iommus.map(({ kind, base }) =>
    kind === 'smmuv3' ? new EventQueueReader(machine, pa(base)) : new IpmmuFaultReader(machine, pa(base)),
  );
  const facts = { iommus: found.iommus, devices: devicesOf(name) };
  return new PassthroughBench(machine, createXen(steps), transcript, facts, faults, (other, loader) =>
    powerOn(name, steps, run, other, loader),
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
  digestFiles: ['dist/verification/*.js', 'dist/verification/guest/*.js', '!dist/verification/*.bench.js'],
  platforms: PLATFORMS,
  features: FEATURES,
  applicability: APPLICABILITY,
  divergences: DIVERGENCES.map(({ commit, ...divergence }) => ({ ...divergence, from: `Xen at ${commit}` })),
  subject: () => xenSteps(),
  start({ name }, steps, run) {
    const started = powerOn(name, steps, run);
    started.boot();
    return started;
  },
});
