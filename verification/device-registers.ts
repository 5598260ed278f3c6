/**
 * Registers of devices, seen from two sides: as the machine has them, which is how a check knows what a guest's access
 * has done, and as a guest reaches them through its CPU.
 *
 * Where base address registers are is read from configuration space, as firmware has placed them; the windows are those
 * of the board files.
 */
import type { Expect } from '../src/check/index.js';
import { hex, type Pa } from '../src/hw/address.js';
import type { Sbdf } from '../src/hw/machine.js';
import { type DeviceName, endpointOf } from './devices.js';
import { nameOf } from './guest-bench.js';
import type { PassthroughBench } from './passthrough-bench.js';
import { hostRegions } from './passthrough-tree.js';

/** By segment: configuration space (`reg`), and what is added to a PCI address to give the CPUs' (`ranges`). */
const SEGMENTS = [
  { ecam: 0x40_1000_0000, offset: 0 },
  { ecam: 0x40_2000_0000, offset: 0x3000_0000 - 0x4000_0000 },
] as const;

/** Registers of the DMA endpoint: `TWD1` at the beginning, a buffer in the upper half. */
export const IDENTIFICATION = 0x3144_5754;
/** The buffer within the first BAR, which has 16 KiB. */
export const BUFFER = 0x2000;
/** Size of the first BAR of every endpoint of the boards. */
export const BAR_SIZE = 0x4000;

/** Does something as the check itself, so that no access of it is taken for one of Xen's. */
export function asCheck<T>(bench: PassthroughBench, action: () => T): T {
  const { observer } = bench.machine;
  const { actor } = observer;
  observer.actor = 'check';
  try {
    return action();
  } finally {
    observer.actor = actor;
  }
}

/** Physical address of a register of configuration space: bus 27:20, device 19:15, function 14:12 (PCIe 7.2.2). */
export function configAddress(sbdf: Sbdf, offset: number): number {
  const { ecam } = SEGMENTS[sbdf.segment] as (typeof SEGMENTS)[number];
  return ecam + sbdf.bus * 0x10_0000 + sbdf.device * 0x8000 + sbdf.function * 0x1000 + offset;
}

/** A word of registers or configuration space, as the machine has it. */
export function registerWord(bench: PassthroughBench, address: number): number {
  return asCheck(bench, () => bench.machine.mmio.read(address as Pa, 4));
}

/** Writes a word of registers, as the machine has them. */
export function setRegisterWord(bench: PassthroughBench, address: number, value: number): void {
  asCheck(bench, () => bench.machine.mmio.write(address as Pa, 4, value));
}

/** Where CPUs see a base address register: address bits of the register (7.5.1.2.1), and of the next if it has 64. */
export function barAddress(bench: PassthroughBench, sbdf: Sbdf, index: number): number {
  const low = registerWord(bench, configAddress(sbdf, 0x10 + index * 4));
  const high = (low & 6) === 4 ? registerWord(bench, configAddress(sbdf, 0x14 + index * 4)) : 0;
  return high * 2 ** 32 + ((low & 0xffff_fff0) >>> 0) + (SEGMENTS[sbdf.segment] as (typeof SEGMENTS)[number]).offset;
}

/** A guest's store and load at `guest` must be the device's word at `machine`, both ways. */
export function uses(expect: Expect, bench: PassthroughBench, domid: number, guest: number, machine = guest): void {
  const [stored, set] = [bench.ledger.pattern(), bench.ledger.pattern()];
  expect.ok(bench.store(domid, guest, stored).ok, `d${domid} may store at ${hex(guest)}`);
  expect.equal(
    registerWord(bench, machine),
    stored,
    `the store of d${domid} at ${hex(guest)} is in the register at ${hex(machine)}`,
  );
  setRegisterWord(bench, machine, set);
  expect.equal(bench.load(domid, guest), set, `d${domid} loads the register at ${hex(machine)} from ${hex(guest)}`);
}

/** A guest's load and store must be refused. */
export function cannotUse(expect: Expect, bench: PassthroughBench, domid: number, guest: number, what: string): void {
  expect.equal(bench.load(domid, guest), undefined, `d${domid} loads nothing from ${hex(guest)} (${what})`);
  expect.ok(!bench.store(domid, guest, 0xbad0_bad0).ok, `d${domid} stores nothing at ${hex(guest)} (${what})`);
}

/**
 * The first region of a device's registers, in bytes: the first base address register of a PCI function, the first `reg` of
 * a platform device. If the device makes requests, its upper half is the buffer of the DMA engine.
 */
export function registersOf(
  bench: PassthroughBench,
  device: DeviceName,
): { readonly address: number; readonly size: number } {
  const endpoint = endpointOf(device);
  if (typeof endpoint !== 'string') return { address: barAddress(bench, endpoint, 0), size: BAR_SIZE };
  const [first] = hostRegions(bench.hostTree, endpoint);
  if (first === undefined) throw new Error(`${endpoint} has no registers`);
  return first;
}

/** Whether a device has the DMA engine at the beginning of its registers. */
function hasEngine(bench: PassthroughBench, device: DeviceName): boolean {
  const endpoint = endpointOf(device);
  return typeof endpoint !== 'string' || bench.hostTree.byPath(endpoint)?.has('tracewright,dma') === true;
}

/** A guest must reach a device's first region of registers from end to end, at the address that the device has. */
export function hasRegisters(expect: Expect, bench: PassthroughBench, domid: number, device: DeviceName): void {
  const { address, size } = registersOf(bench, device);
  const engine = hasEngine(bench, device);
  if (engine)
    expect.equal(bench.load(domid, address), IDENTIFICATION, `d${domid} finds the registers of ${nameOf(device)}`);
  for (const offset of [engine ? size / 2 : 0, size - Math.min(size / 2, 0x1000), size - 4])
    uses(expect, bench, domid, address + offset);
}

/** A guest must reach no frame of a device's first region of registers at the address that the device has. */
export function lacksRegisters(expect: Expect, bench: PassthroughBench, domid: number, device: DeviceName): void {
  const { address, size } = registersOf(bench, device);
  for (let offset = 0; offset < size; offset += 0x1000) {
    cannotUse(expect, bench, domid, address + offset + 0x10, `registers of ${nameOf(device)}`);
  }
}
