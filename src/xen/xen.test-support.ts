/** What tests of the model share: the board booted, domains from properties, hypercall structures by hand. */
import { readFileSync } from 'node:fs';
import { type Board, loadBoard } from '../board/board.js';
import { encodeFdt } from '../firmware/fdt.js';
import { cellBytes, DeviceTree, stringBytes } from '../firmware/tree.js';
import { pa } from '../hw/address.js';
import type { DmaResult, Machine, Sbdf } from '../hw/machine.js';
import type { Problem } from '../hw/observer.js';
import { parseSbdf } from './boot/options.js';
import { createXen } from './create.js';
import type { Hypervisor } from './hypervisor.js';
import { type XenSteps, xenSteps } from './steps.js';

const text = readFileSync(new URL('../../../fixtures/boards/arm64-smmuv3.dts', import.meta.url), 'utf8');
/** The board with one SMMUv3 and two PCI segments, and these command lines of Xen and of the hardware domain. */
export function boardWith(xenArguments: string, hardwareDomainArguments = ''): Board {
  const lines = text
    .replace(/xen,xen-bootargs = "[^"]*"/, `xen,xen-bootargs = "${xenArguments}"`)
    .replace(/xen,dom0-bootargs = "[^"]*"/, `xen,dom0-bootargs = "${hardwareDomainArguments}"`);
  return loadBoard(lines, 'arm64-smmuv3.dts');
}

/** The board as it is in its file. */
export const boardOfFile: Board = loadBoard(text, 'arm64-smmuv3.dts');
/** The board with all devices for the hardware domain. */
export const board: Board = boardWith('dom0_mem=64M');

/** A machine with the model on it. */
export interface Booted {
  readonly machine: Machine;
  readonly xen: Hypervisor;
  /** What software did wrong, or the hardware model lacks. */
  readonly problems: Problem[];
  /** Machine operations so far. */
  operations(): number;
}

/** Boots the model with these steps, on hardware that lags as the board says or as told. */
export function boot(
  steps: XenSteps = xenSteps(),
  on: Board = board,
  lag: { latency?: number; seed?: number } = {},
): Booted {
  const problems: Problem[] = [];
  let count = 0;
  const machine = on.power({
    ...lag,
    problem: (problem) => problems.push(problem),
    count: (operations) => {
      count += operations;
    },
  });
  const xen = createXen(steps);
  xen.boot(machine);
  return { machine, xen, problems, operations: () => count };
}

/** The address of a PCI function. */
export function at(name: string): Sbdf {
  const sbdf = parseSbdf(name);
  if (sbdf === undefined) throw new Error(`${name} is no PCI function`);
  return sbdf;
}

/** A domain configuration. Numbers become cells, strings string lists. */
export function domainBlob(
  properties: Readonly<Record<string, string | readonly string[] | readonly number[]>>,
): Uint8Array {
  const tree = new DeviceTree();
  const all: Parameters<typeof domainBlob>[0] = { compatible: 'xen,domain', ...properties };
  for (const [name, value] of Object.entries(all)) {
    const bytes =
      typeof value === 'string'
        ? stringBytes(value)
        : value.every((part) => typeof part === 'string')
          ? stringBytes(...(value as readonly string[]))
          : cellBytes(...(value as readonly number[]));
    tree.root.properties.set(name, bytes);
  }
  return encodeFdt(tree);
}

/** A domain of 4 MiB and 16 KiB with these devices. Throws if it cannot be created. */
export function createGuest(
  xen: Hypervisor,
  devices: readonly string[],
  more: Parameters<typeof domainBlob>[0] = {},
): number {
  const list: Record<string, readonly string[]> = devices.length > 0 ? { 'xen,pci-devices': devices } : {};
  const result = xen.createDomain(domainBlob({ memory: [0, 4112], passthrough: 'enabled', ...list, ...more }));
  if ('error' in result) throw new Error(`no domain: ${result.error}\n${xen.console.join('\n')}`);
  return result.domid;
}

/** Where a guest physical address of a domain is in the machine, as Xen says. */
export function machineAddress(xen: Hypervisor, domid: number, address: number): number {
  const frame = Math.floor(address / 4096);
  for (const run of xen.claims().find((claim) => claim.domid === domid)?.ram ?? []) {
    if (frame >= run.gfn && frame < run.gfn + run.count) return (run.mfn + frame - run.gfn) * 4096 + (address % 4096);
  }
  throw new Error(`d${domid} has no RAM at 0x${address.toString(16)}`);
}

/** DMA of a device to or from an address on its bus. */
export function dma(machine: Machine, device: string, address: number, data?: Uint8Array): DmaResult {
  const where = { hi: Math.floor(address / 2 ** 32), lo: address >>> 0 };
  return data === undefined
    ? machine.endpoints.dma(at(device), { write: false, ...where, length: 4 })
    : machine.endpoints.dma(at(device), { write: true, ...where, data });
}

/** Where the hardware domain keeps structures in these tests: at the beginning of its RAM. */
export function hardwareScratch(xen: Hypervisor): number {
  const run = xen.claims()[0]?.ram[0];
  if (run === undefined) throw new Error('the hardware domain has no RAM');
  return run.gfn * 4096;
}

const D0 = { domid: 0, vcpu: 0 };

/** PHYSDEVOP_pci_device_add (25) or _remove (26) by the hardware domain: seg 0, bus 2, devfn 3, flags 4, physfn 8 and 9. */
export function physdev(
  { machine, xen }: Booted,
  command: 25 | 26,
  device: string,
  flags = 0,
  physfn: readonly [number, number] = [0, 0],
  caller = D0,
): number {
  const { segment, bus, device: slot, function: fn } = at(device);
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, segment, true);
  view.setUint8(2, bus);
  view.setUint8(3, slot * 8 + fn);
  view.setUint32(4, flags, true);
  view.setUint8(8, physfn[0]);
  view.setUint8(9, physfn[1]);
  const pointer = caller.domid === 0 ? hardwareScratch(xen) : 0x4000_0000;
  machine.memory.poke(pa(machineAddress(xen, caller.domid, pointer)), bytes);
  return xen.hypercall(caller, 33, [command, pointer]);
}

/** A DOMCTL: command 0, interface version 4, domain 8, union from 16. `u` are 32-bit words of the union. */
export function domctl(
  { machine, xen }: Booted,
  command: number,
  domid: number,
  u: readonly number[],
  caller = D0,
  version = 0x18,
): number {
  const bytes = new Uint8Array(144);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, command, true);
  view.setUint32(4, version, true);
  view.setUint16(8, domid, true);
  u.forEach((word, index) => {
    view.setUint32(16 + index * 4, word, true);
  });
  const pointer = caller.domid === 0 ? hardwareScratch(xen) : 0x4000_0000;
  machine.memory.poke(pa(machineAddress(xen, caller.domid, pointer)), bytes);
  return xen.hypercall(caller, 36, [pointer]);
}

/** segment << 16 | bus << 8 | devfn. */
export function machineSbdf(device: string): number {
  const { segment, bus, device: slot, function: fn } = at(device);
  return segment * 0x1_0000 + bus * 0x100 + slot * 8 + fn;
}

/** DOMCTL 37, 45 or 47 for a PCI device: dev 0 (PCI), flags, machine_sbdf. */
export const assignment = (booted: Booted, command: 37 | 45 | 47, domid: number, device: string, flags = 0): number =>
  domctl(booted, command, domid, [0, flags, machineSbdf(device)]);

/** DOMCTL 39: first_gfn, first_mfn, nr_mfns as pairs of words, add_mapping. */
export const memoryMapping = (
  booted: Booted,
  domid: number,
  gfn: number,
  mfn: number,
  count: number,
  add: 0 | 1,
): number => {
  const pair = (value: number) => [value >>> 0, Math.floor(value / 2 ** 32)];
  return domctl(booted, 39, domid, [...pair(gfn), ...pair(mfn), ...pair(count), add]);
};

/** DOMCTL 20: first_mfn, nr_mfns as pairs of words, allow_access. */
export const iomemPermission = (booted: Booted, domid: number, mfn: number, count: number, allow: 0 | 1): number => {
  const pair = (value: number) => [value >>> 0, Math.floor(value / 2 ** 32)];
  return domctl(booted, 20, domid, [...pair(mfn), ...pair(count), allow]);
};
