/**
 * How a machine stands between two things that Xen does, so that a check can say that one of them has left nothing: what
 * IOMMUs hold of streams, where interrupts go, how much memory is free, and what the next domain would be given.
 */
import type { Expect } from '../../src/check/index.js';
import { encodeFdt } from '../../src/firmware/fdt.js';
import { hex, type Pa } from '../../src/hw/address.js';
import { created, MIB } from '../arranging.js';
import type { BenchDomainConfig } from '../control-bench.js';
import { GUEST_RAM } from '../devices.js';
import { domainBlob } from '../domain-blob.js';
import { FRAME } from '../frame-ledger.js';
import type { PassthroughBench } from '../passthrough-bench.js';
import { passthroughTree } from '../passthrough-tree.js';
import { streamTables } from '../structures.js';

/** Registers of a distributor that have one bit, one byte or two bits an interrupt (Arm IHI 0069 12.9, IHI 0048B.b 4.3). */
const GICD = {
  TYPER: 0x4,
  ISENABLER: 0x100,
  ISPENDR: 0x200,
  ISACTIVER: 0x300,
  IPRIORITYR: 0x400,
  ITARGETSR: 0x800,
  ICFGR: 0xc00,
  IROUTER: 0x6000,
} as const;
const STE_BYTES = 64;
/** Second-level tables have 2^8 entries. */
const LEVEL_2_BYTES = 0x4000;
/** The upper bit of STE.Config, 3:1. */
const TRANSLATES = 8;
const FIRST_SPI = 32;
const ENOMEM = -12;
/** Nothing is there on any board. */
const NO_DEVICE = { segment: 0, bus: 0xee, device: 31, function: 7 };

/** What the distributor does with the SPIs that are enabled, pending or active. */
function distributor(bench: PassthroughBench, into: Map<number, number>): void {
  const { hostTree: tree, machine } = bench;
  const v3 = tree.compatible('arm,gic-v3')[0];
  const node = v3 ?? tree.compatible('arm,gic-400')[0];
  const base = node?.reg()[0]?.address;
  if (node === undefined || base === undefined) throw new Error('the host has no interrupt controller');
  const start = node.translate(base) ?? base;
  const word = (at: number) => machine.mmio.read(at as Pa, 4);
  const field = (register: number, bits: number, intid: number) => {
    const perWord = 32 / bits;
    return (word(start + register + Math.floor(intid / perWord) * 4) >>> ((intid % perWord) * bits)) & (2 ** bits - 1);
  };
  const lines = 32 * ((word(start + GICD.TYPER) & 0x1f) + 1);
  for (let first = FIRST_SPI; first < lines; first += 32) {
    for (const register of [GICD.ISENABLER, GICD.ISPENDR, GICD.ISACTIVER]) {
      into.set(start + register + first / 8, word(start + register + first / 8));
    }
    const enabled = word(start + GICD.ISENABLER + first / 8);
    for (let intid = first; intid < first + 32; intid++) {
      // Where one would go that is off is nobody's concern.
      if (((enabled >>> (intid - first)) & 1) === 0) continue;
      into.set(start + GICD.IPRIORITYR + intid, field(GICD.IPRIORITYR, 8, intid));
      into.set(start + GICD.ICFGR + intid / 16, field(GICD.ICFGR, 2, intid));
      const route = v3 === undefined ? field(GICD.ITARGETSR, 8, intid) : word(start + GICD.IROUTER + intid * 8);
      into.set(start + (v3 === undefined ? GICD.ITARGETSR + intid : GICD.IROUTER + intid * 8), route);
    }
  }
}

/** Entries of streams, without what those hold that abort: an SMMU does not look at it (Arm IHI 0070 5.2, Config). */
function streams(bench: PassthroughBench): Map<number, number> {
  const all = streamTables(bench);
  const tables = new Set(all.values());
  const found = new Map<number, number>();
  for (const [at, word] of all) {
    const entry = at - (at % STE_BYTES);
    const isOfEntry = bench.iommus[0]?.kind === 'smmuv3' && tables.has(at - (at % LEVEL_2_BYTES));
    if (!isOfEntry || at === entry || (all.get(entry) ?? 0) & TRANSLATES) found.set(at, word);
  }
  return found;
}

/** What hardware goes by: entries of streams or micro-TLBs, contexts, routes and enables of SPIs, by where it is. */
export function standing(bench: PassthroughBench): ReadonlyMap<number, number> {
  const { observer } = bench.machine;
  const { actor } = observer;
  observer.actor = 'check';
  try {
    bench.machine.settle();
    const found = streams(bench);
    distributor(bench, found);
    return found;
  } finally {
    observer.actor = actor;
  }
}

/** Where two standings differ: nothing must be listed if nothing has changed. */
export function changes(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): string[] {
  const places = new Set([...before.keys(), ...after.keys()]);
  return [...places]
    .filter((at) => (before.get(at) ?? 0) !== (after.get(at) ?? 0))
    .map((at) => `${hex(at)}: ${hex(before.get(at) ?? 0)} was, ${hex(after.get(at) ?? 0)} is`)
    .slice(0, 4);
}

/**
 * Pages that a domain could be given: more of them Xen refuses with -ENOMEM before it looks at anything else; fewer, for the
 * device that there is none of.
 */
export function freePages(expect: Expect, bench: PassthroughBench): number {
  const module = bench.placeModule(encodeFdt(passthroughTree([], [NO_DEVICE])));
  const refusedFor = (pages: number): number => {
    const result = bench.xen.createDomain(domainBlob({ memory: pages * FRAME }, module));
    return 'error' in result ? result.error : expect.fail('no domain is given a device that does not exist');
  };
  let [enough, tooMany] = [0, bench.machine.memory.ranges.reduce((sum, { length }) => sum + length, 0) / FRAME + 1];
  while (tooMany - enough > 1) {
    const middle = Math.floor((enough + tooMany) / 2);
    if (refusedFor(middle) === ENOMEM) tooMany = middle;
    else enough = middle;
  }
  return enough;
}

/** What a domain of a configuration is given: frames, the tag that CPUs have for it, and what the IOMMUs hold of it. */
interface Rehearsal {
  readonly frames: readonly number[];
  readonly tag: number;
  readonly standing: ReadonlyMap<number, number>;
}

/** Creates a domain, notes what it is given, and destroys it. */
function rehearse(expect: Expect, bench: PassthroughBench, config: BenchDomainConfig): Rehearsal {
  const domid = created(expect, bench.create(config));
  const pages = [GUEST_RAM, GUEST_RAM + config.memory - FRAME].map((address) => bench.learn(domid, address));
  const frames = pages.map((page) => (typeof page === 'string' ? expect.fail(page) : page.mfn));
  const cpu = bench.guest(domid).cpu ?? expect.fail(`d${domid} runs`);
  // VTTBR_EL2.VMID is 63:48 (Arm DDI 0487 D24.2).
  const tag = bench.machine.cpus.readSystem(cpu, 'VTTBR_EL2').hi >>> 16;
  const now = standing(bench);
  expect.equal(bench.destroy(domid), 0, `d${domid} is destroyed`);
  bench.ledger.forget(domid);
  return { frames, tag, standing: now };
}

/**
 * Something that must fail must leave nothing: before and after it, the machine stands alike, as much memory is free, and a
 * domain of another configuration is given the same frames, the same tags, the same entries.
 */
export function leavesNothing(
  expect: Expect,
  bench: PassthroughBench,
  other: BenchDomainConfig,
  attempt: () => void,
): void {
  const rehearsed = rehearse(expect, bench, other);
  const [before, free] = [standing(bench), freePages(expect, bench)];

  attempt();

  expect.deepEqual(changes(before, standing(bench)), [], 'what hardware goes by is as it was before the attempt');
  expect.equal(freePages(expect, bench), free, 'as much memory is free as before the attempt');
  const again = rehearse(expect, bench, other);
  expect.deepEqual(again.frames, rehearsed.frames, 'the next domain is given the frames that it would have had');
  expect.equal(again.tag, rehearsed.tag, 'the next domain is given the tag that it would have had');
  expect.deepEqual(
    changes(rehearsed.standing, again.standing),
    [],
    'the next domain is given the entries and tags at the IOMMUs that it would have had',
  );
}

/** A small domain. */
export const SMALL = { memory: MIB } as const;
