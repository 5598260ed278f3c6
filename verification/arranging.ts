/** Steps that several checks begin with, each an assertion where it can fail. */
import type { Expect } from '../src/check/index.js';
import { hex } from '../src/hw/address.js';
import { formatSbdf, type Sbdf } from '../src/hw/machine.js';
import type { CreateResult } from '../src/xen/hypervisor.js';
import type { Page } from './frame-ledger.js';
import type { DmaProbe, PassthroughBench } from './passthrough-bench.js';

/** MiB in bytes. */
export const MIB = 2 ** 20;

/**
 * A page of the hardware domain whose machine address (which is its guest address too) is no guest address of a small
 * guest: a device of that guest has no business there. Guests of up to 48 MiB have their RAM below it.
 */
export function hardwareDomainPage(bench: PassthroughBench): number {
  return bench.ramOf(0).address + 48 * MIB;
}

/** The id of a domain that must have been created. */
export function created(expect: Expect, result: CreateResult): number {
  expect.ok('domid' in result, 'the domain is created');
  return 'domid' in result ? result.domid : -1;
}

/** The page behind a guest address, learnt by the domain's own store; it must be the domain's alone. */
export function learnt(expect: Expect, bench: PassthroughBench, domid: number, address: number): Page {
  const page = bench.learn(domid, address);
  if (typeof page === 'string') return expect.fail(page);
  expect.ok(true, `d${domid} has ${hex(address)} in a frame of its own`);
  return page;
}

/** The machine address of a guest address, learnt if it is not known yet. */
export function machineAddress(expect: Expect, bench: PassthroughBench, domid: number, address: number): number {
  learnt(expect, bench, domid, address);
  return bench.ledger.machineAddress(domid, address) as number;
}

/** A device's write to an address must arrive exactly where its domain's own store does. */
export function reaches(expect: Expect, bench: PassthroughBench, sbdf: Sbdf, domid: number, address: number): void {
  const wanted = machineAddress(expect, bench, domid, address);
  const probe = bench.dmaWrite(sbdf, address);
  expect.ok(probe.ok, `${formatSbdf(sbdf)} may write ${hex(address)}`);
  expect.equal(
    probe.landed,
    wanted,
    `the write of ${formatSbdf(sbdf)} at ${hex(address)} arrives in the page of d${domid}`,
  );
}

/** A device's access must be denied, with nothing changed in memory and no data returned. */
export function denied(expect: Expect, probe: DmaProbe, what: string): void {
  expect.equal(probe.landed, undefined, `${what}: nothing arrives in memory`);
  expect.equal(probe.word, undefined, `${what}: the device gets no data`);
  expect.ok(!probe.ok, `${what}: the device sees an error`);
}

/** Both a write and a read of a device at an address must be denied. */
export function unreachable(expect: Expect, bench: PassthroughBench, sbdf: Sbdf, address: number, what: string): void {
  denied(expect, bench.dmaWrite(sbdf, address), `write of ${formatSbdf(sbdf)} at ${hex(address)} (${what})`);
  denied(expect, bench.dmaRead(sbdf, address), `read of ${formatSbdf(sbdf)} at ${hex(address)} (${what})`);
}

/**
 * Does something while the IOMMU cannot execute one of Xen's commands: it finds an opcode there that it does not know,
 * stops, and says so (Arm IHI 0070 7.1). A device never rests meanwhile.
 * @param spoilt which command it is, from 0
 * @param busy what the device does after every access of Xen's
 * @returns what the action gave, undefined if Xen did not give so many commands
 */
export function withoutCommand(
  bench: PassthroughBench,
  spoilt: number,
  busy: () => void,
  action: () => number,
): number | undefined {
  let commands = 0;
  bench.machine.observer.onAccess(({ kind, actor, address, width }) => {
    if (actor !== 'xen' || kind !== 'store' || width !== 16) return;
    if (commands === spoilt) bench.pokeWord(address, 0xff);
    commands++;
  });
  const result = bench.between(busy, action);
  return commands > spoilt ? result : undefined;
}
