/**
 * What is mapped into a domain's p2m, as its owner thinks of it: RAM, and device registers. Keeps the domain's record of
 * both, from which its claims are made.
 */
import { failure } from '../errno.js';
import { type Gfn, gfn, gfnAdd, type Mfn, mfn, mfnAdd } from '../frames.js';
import type { P2mType } from '../p2m-layout.js';
import type { Domain, RamRun, Xen } from '../xen.js';

/** Runs with one more, joined to the last where both sides continue it. */
export function withRun(runs: readonly RamRun[], run: RamRun): RamRun[] {
  const last = runs[runs.length - 1];
  if (last !== undefined && last.gfn + last.count === run.gfn && last.mfn + last.count === run.mfn) {
    return [...runs.slice(0, -1), { ...last, count: last.count + run.count }];
  }
  return [...runs, run];
}

/** Runs without the guest frames from `from` on. */
function withoutRun(runs: readonly RamRun[], from: Gfn, count: number): RamRun[] {
  return runs.flatMap((run) => {
    const first = Math.max(run.gfn, from);
    const end = Math.min(run.gfn + run.count, from + count);
    if (first >= end) return [run];
    const rest: RamRun[] = [];
    if (first > run.gfn) rest.push({ ...run, count: first - run.gfn });
    if (end < run.gfn + run.count) {
      rest.push({ gfn: gfn(end), mfn: mfn(run.mfn + end - run.gfn), count: run.gfn + run.count - end });
    }
    return rest;
  });
}

/** Whether guest frames are mapped as RAM or as device registers, or are meant to be. */
export function isOccupied(_xen: Xen, domain: Domain, from: Gfn, count: number): boolean {
  return [...domain.ram, ...domain.mmio].some((run) => run.gfn < from + count && from < run.gfn + run.count);
}

/**
 * Maps frames as a domain's RAM.
 * @returns 0 or a negative error code
 */
export function mapRam(xen: Xen, domain: Domain, at: Gfn, frames: Mfn, count: number): number {
  const { p2m } = domain;
  if (p2m === undefined) return failure('EINVAL');
  return xen.steps.p2m.setEntries(xen, p2m, at, count, frames, 'ram_rw');
}

/**
 * Takes RAM from a domain: unmaps it, and when nothing can reach it any more, frees it.
 * @returns 0; -EINVAL if any of it is no RAM of the domain; another negative error code, with nothing freed
 */
export function removeRam(xen: Xen, domain: Domain, at: Gfn, count: number): number {
  const { p2m } = domain;
  const pieces = ramPieces(domain, at, count);
  if (p2m === undefined || pieces === undefined) return failure('EINVAL');
  const error = xen.steps.p2m.setEntries(xen, p2m, at, count, undefined, 'invalid');
  if (error !== 0) return error;
  domain.ram = withoutRun(domain.ram, at, count);
  for (const piece of pieces) {
    xen.steps.heap.scrub(xen, piece.mfn, piece.count);
    xen.steps.heap.free(xen, piece.mfn, piece.count);
  }
  return 0;
}

/** A domain's RAM at guest frames, in adjacent pieces. Undefined if any of it is none. */
function ramPieces(domain: Domain, at: Gfn, count: number): RamRun[] | undefined {
  const runs = domain.ram.filter((run) => run.gfn < at + count && at < run.gfn + run.count);
  const pieces = runs.map((run) => {
    const first = Math.max(run.gfn, at);
    const end = Math.min(run.gfn + run.count, at + count);
    return { gfn: gfn(first), mfn: mfnAdd(run.mfn, first - run.gfn), count: end - first };
  });
  return pieces.reduce((sum, piece) => sum + piece.count, 0) === count ? pieces : undefined;
}

/**
 * Gives mapped RAM another type.
 * @returns 0, or -EINVAL if any of it is no RAM
 */
export function setRamType(xen: Xen, domain: Domain, at: Gfn, count: number, type: P2mType): number {
  const { p2m } = domain;
  if (p2m === undefined) return failure('EINVAL');
  const pieces = ramPieces(domain, at, count);
  if (pieces === undefined) return failure('EINVAL');
  for (const piece of pieces) {
    const error = xen.steps.p2m.setEntries(xen, p2m, piece.gfn, piece.count, piece.mfn, type);
    if (error !== 0) return error;
  }
  return 0;
}

/**
 * Maps device registers: Device-nGnRE, never executable. What is mapped so already is left as it is.
 * @returns 0; -EBUSY if any of the guest frames is taken otherwise; another negative error code
 */
export function mapMmio(xen: Xen, domain: Domain, at: Gfn, frames: Mfn, count: number): number {
  const { p2m } = domain;
  if (p2m === undefined) return failure('EINVAL');
  const mapped = domain.mmio.some(
    (run) => run.mfn - run.gfn === frames - at && run.gfn <= at && at + count <= run.gfn + run.count,
  );
  if (mapped) return 0;
  if (xen.steps.p2m.isOccupied(xen, domain, at, count)) return failure('EBUSY');
  const error = xen.steps.p2m.setEntries(xen, p2m, at, count, frames, 'mmio_direct_dev');
  if (error === 0) domain.mmio = withRun(domain.mmio, { gfn: at, mfn: frames, count });
  return error;
}

/**
 * Unmaps device registers. Frames that are not mapped are passed over.
 * @returns 0; -EILSEQ if RAM, or another frame than told, is mapped there; another negative error code
 */
export function unmapMmio(xen: Xen, domain: Domain, at: Gfn, frames: Mfn, count: number): number {
  const { p2m } = domain;
  if (p2m === undefined) return failure('EINVAL');
  for (let i = 0; i < count; i++) {
    const mapping = xen.steps.p2m.lookup(xen, p2m, gfnAdd(at, i));
    if (mapping === undefined) continue;
    if (mapping.type !== 'mmio_direct_dev' || mapping.mfn !== mfnAdd(frames, i)) return failure('EILSEQ');
  }
  const error = xen.steps.p2m.setEntries(xen, p2m, at, count, undefined, 'invalid');
  domain.mmio = withoutRun(domain.mmio, at, count);
  return error;
}
