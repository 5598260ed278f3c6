/** Steps that several checks begin with, each an assertion where it can fail. */
import type { Expect } from '../src/check/index.js';
import { hex } from '../src/hw/address.js';
import type { CreateResult } from '../src/xen/hypervisor.js';
import { type DeviceName, isPlatformDevice } from './devices.js';
import type { Page } from './frame-ledger.js';
import { nameOf } from './guest-bench.js';
import type { DmaOptions, DmaProbe, PassthroughBench } from './passthrough-bench.js';

/** MiB in bytes. */
export const MIB = 2 ** 20;

/**
 * A page of the hardware domain whose machine address (which is its guest address too) is no guest address of a small
 * guest: a device of that guest has no business there. Guests of up to 48 MiB have their RAM below it.
 */
export function hardwareDomainPage(bench: PassthroughBench): number {
  return bench.ramOf(0).address + 48 * MIB;
}

/** A machine address that no domain has after a boot: well within the last bank of memory. */
export function nobodysPage(bench: PassthroughBench): number {
  const bank = bench.machine.memory.ranges.at(-1);
  if (bank === undefined) throw new Error('the machine has no memory');
  return bank.address + 256 * MIB;
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
export function reaches(
  expect: Expect,
  bench: PassthroughBench,
  device: DeviceName,
  domid: number,
  address: number,
  options: DmaOptions = {},
): void {
  const wanted = machineAddress(expect, bench, domid, address);
  const probe = bench.dmaWrite(device, address, options);
  expect.ok(probe.ok, `${nameOf(device)} may write ${hex(address)}`);
  expect.equal(
    probe.landed,
    wanted,
    `the write of ${nameOf(device)} at ${hex(address)} arrives in the page of d${domid}`,
  );
}

/** A device's access must be denied, with nothing changed in memory and no data returned. */
export function denied(expect: Expect, probe: DmaProbe, what: string): void {
  expect.equal(probe.landed, undefined, `${what}: nothing arrives in memory`);
  expect.equal(probe.word, undefined, `${what}: the device gets no data`);
  expect.ok(!probe.ok, `${what}: the device sees an error`);
}

/** Both a write and a read of a device at an address must be denied. */
export function unreachable(
  expect: Expect,
  bench: PassthroughBench,
  device: DeviceName,
  address: number,
  what: string,
  options: DmaOptions = {},
): void {
  const how = `of ${nameOf(device)} at ${hex(address)} (${what})`;
  denied(expect, bench.dmaWrite(device, address, options), `write ${how}`);
  denied(expect, bench.dmaRead(device, address, options), `read ${how}`);
}

/**
 * Makes devices of the hardware domain free to be assigned. A PCI device goes from one to the other at once; a platform
 * device is nobody's in between.
 */
export function givenUp(expect: Expect, bench: PassthroughBench, ...devices: readonly DeviceName[]): void {
  for (const device of devices) {
    if (isPlatformDevice(device))
      expect.equal(bench.deassign(0, device), 0, `the hardware domain gives ${nameOf(device)} up`);
  }
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
  let during = true;
  bench.machine.observer.onAccess(({ kind, actor, address, width }) => {
    if (!during || actor !== 'xen' || kind !== 'store' || width !== 16) return;
    if (commands === spoilt) bench.pokeWord(address, 0xff);
    commands++;
  });
  const result = bench.between(busy, action);
  during = false;
  return commands > spoilt ? result : undefined;
}
