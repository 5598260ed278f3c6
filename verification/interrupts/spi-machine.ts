/**
 * SPIs as the machine has them, apart from what guests take: list registers, and the state in the distributor (Arm IHI 0069
 * 12.4, 12.9; Arm IHI 0048B.b 4.3, 5.3). And what a check needs of vCPUs and boards to bring about the states that matter.
 */
import type { Expect } from '../../src/check/index.js';
import type { DeviceTree } from '../../src/firmware/tree.js';
import { cellBytes } from '../../src/firmware/tree.js';
import type { Pa } from '../../src/hw/address.js';
import type { SystemRegister } from '../../src/hw/machine.js';
import { created, MIB } from '../arranging.js';
import { asCheck } from '../device-registers.js';
import type { PlatformRole } from '../devices.js';
import type { GuestInterruptController } from '../guest/interrupt-controller.js';
import type { PassthroughBench } from '../passthrough-bench.js';
import { hostRegions } from '../passthrough-tree.js';
import { interruptsOf, type WiredInterrupt, wanted } from '../platform/driving.js';

/** A list register with an interrupt in it. */
export interface Listed {
  readonly cpu: number;
  readonly virtual: number;
  /** The physical interrupt that the guest deactivates with it; undefined: none (HW = 0). */
  readonly physical: number | undefined;
  readonly state: 'pending' | 'active' | 'pending and active';
}

const STATES = [undefined, 'pending', 'active', 'pending and active'] as const;
/** GICH_LR0 (5.3.8). */
const GICH_LR = 0x100;
/** Of each CPU, on every board. */
const LIST_REGISTERS = 4;
const GICD = { ISENABLER: 0x100, ISPENDR: 0x200, ISACTIVER: 0x300 } as const;

/** The controller's node of the host's tree, and its registers. */
function controllerOf(bench: PassthroughBench): { readonly version: 2 | 3; readonly regions: readonly number[] } {
  const v3 = bench.hostTree.compatible('arm,gic-v3')[0];
  const node = v3 ?? bench.hostTree.compatible('arm,gic-400')[0];
  if (node === undefined) throw new Error('the machine has no GIC');
  const regions = hostRegions(bench.hostTree, node.path).map(({ address }) => address);
  return { version: v3 === undefined ? 2 : 3, regions };
}

/** The CPU that the first vCPU of a domain is put on. */
export function cpuOf(bench: PassthroughBench, domid: number): number {
  const { cpu } = bench.guest(domid);
  if (cpu === undefined) throw new Error(`d${domid} does not run`);
  return cpu;
}

/** How many interrupts a CPU can be shown at once. */
export const SHOWN_AT_ONCE = LIST_REGISTERS;

/** What is in the list registers of all CPUs. */
export function listed(bench: PassthroughBench): Listed[] {
  const { machine } = bench;
  const { version, regions } = controllerOf(bench);
  const found: Listed[] = [];
  const add = (cpu: number, state: number, hw: number, virtual: number, physical: number): void => {
    const name = STATES[state];
    if (name !== undefined) found.push({ cpu, virtual, physical: hw === 1 ? physical : undefined, state: name });
  };
  asCheck(bench, () => {
    for (let cpu = 0; cpu < machine.cpus.count; cpu++) {
      for (let n = 0; n < LIST_REGISTERS; n++) {
        if (version === 3) {
          const { hi, lo } = machine.cpus.readSystem(cpu, `ICH_LR${n}_EL2` as SystemRegister);
          add(cpu, hi >>> 30, (hi >>> 29) & 1, lo, hi & 0x1fff);
        } else {
          const word = machine.mmio.read(((regions[2] ?? 0) + GICH_LR + 4 * n) as Pa, 4, cpu);
          add(cpu, (word >>> 28) & 3, word >>> 31, word & 0x3ff, (word >>> 10) & 0x3ff);
        }
      }
    }
  });
  return found;
}

/** The state of a physical SPI in the machine's distributor. */
export function physicalState(
  bench: PassthroughBench,
  intid: number,
): { readonly enabled: boolean; readonly pending: boolean; readonly active: boolean } {
  const distributor = controllerOf(bench).regions[0] ?? 0;
  const bit = (first: number): boolean => {
    const word = asCheck(bench, () => bench.machine.mmio.read((distributor + first + (intid >>> 5) * 4) as Pa, 4, 0));
    return ((word >>> (intid & 31)) & 1) === 1;
  };
  return { enabled: bit(GICD.ISENABLER), pending: bit(GICD.ISPENDR), active: bit(GICD.ISACTIVER) };
}

/** A domain with platform devices, and its own driver of its interrupt controller. */
export interface Driven {
  readonly domid: number;
  readonly controller: GuestInterruptController;
}

/** Creates a domain that drives the interrupts of its devices. */
export function driving(expect: Expect, bench: PassthroughBench, devices: readonly PlatformRole[], vcpus = 1): Driven {
  const platform = devices.map((device) => wanted(bench, device));
  const domid = created(expect, bench.create({ memory: MIB, platform, vcpus }));
  return { domid, controller: bench.interruptController(domid, vcpus) };
}

/** One of a device's interrupts. */
export function interruptOf(bench: PassthroughBench, device: PlatformRole, index = 0): WiredInterrupt {
  const interrupt = interruptsOf(bench, device)[index];
  if (interrupt === undefined) throw new Error(`${device.path} has no interrupt ${index}`);
  return interrupt;
}

/** Flags of a specifier: an edge. */
const RISING = 1;

/**
 * A device with an edge-triggered interrupt. On a board that has none kept for passthrough, a boot loader says that the
 * interrupt of the device without DMA is one: its wire is the same.
 */
export function withEdge(bench: PassthroughBench): { readonly bench: PassthroughBench; readonly device: PlatformRole } {
  const { edgeTriggered, withoutDma } = bench.devices.platform;
  if (edgeTriggered !== undefined) return { bench, device: edgeTriggered };
  const { intid } = interruptOf(bench, withoutDma);
  const other = booted(bench, (tree) => {
    tree.byPath(withoutDma.path)?.properties.set('interrupts', cellBytes(0, intid - 32, RISING));
  });
  return { bench: other, device: withoutDma };
}

/** Another machine of the board, booted with another device tree. */
export function booted(bench: PassthroughBench, change: (tree: DeviceTree) => void): PassthroughBench {
  const other = bench.powerOnAnother(undefined, change);
  other.boot();
  return other;
}

/** vCPUs of a domain that keeps every CPU busy: twice as many as there are CPUs, in turn, so that no other one runs. */
export function crowd(expect: Expect, bench: PassthroughBench): () => void {
  const vcpus = 2 * bench.machine.cpus.count;
  const domid = created(expect, bench.create({ memory: MIB, vcpus }));
  return () => {
    for (let vcpu = 0; vcpu < vcpus; vcpu++) expect.ok(bench.guest(domid, vcpu).cpu !== undefined, 'it runs');
  };
}
