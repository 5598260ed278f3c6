/** What a device of a board is before there is a machine: judged once, built many times. */
import type { DeviceNode } from '../firmware/tree.js';
import { pa } from '../hw/address.js';
import type { Bus } from '../hw/bus.js';
import type { LpiTarget } from '../hw/gic/lpi.js';
import type { CpuInterface } from '../hw/interrupt.js';
import type { Latency } from '../hw/latency.js';
import type { SavedBlock } from '../hw/machine.js';
import type { Observer } from '../hw/observer.js';
import type { DmaDevice } from '../hw/pci/dma-device.js';
import type { PciFunction } from '../hw/pci/pci-function.js';
import type { RootComplex } from '../hw/pci/root-complex.js';
import type { PlatformDevice } from '../hw/platform/platform-device.js';
import type { Completion, InFlight, Transaction } from '../hw/transaction.js';
import type { BoardSource } from './board-error.js';
import type { InterruptWiring } from './interrupts.js';
import { UnmodelledRegion } from './unmodelled-region.js';

/** Something that translates requests by stream: an IOMMU. */
export interface StreamPort {
  request(stream: number, transaction: Transaction): Completion;
  begin(stream: number, transaction: Transaction): InFlight;
}

/** A machine while it is built. */
export interface Building {
  readonly bus: Bus;
  readonly observer: Observer;
  readonly latency: Latency;
  /** Number of CPUs. */
  readonly cpus: number;
  /** What the interrupt controller offers each CPU, by number; empty on a board that has none. */
  readonly cpuInterfaces: CpuInterface[];
  /** The interrupt controllers, and what is wired to them. */
  readonly wiring: InterruptWiring;
  /** Where LPIs can go, and the width of their INTIDs, by the node of the GIC that has them. */
  readonly lpiTargets: Map<DeviceNode, { readonly targets: readonly LpiTarget[]; readonly intidBits: number }>;
  /** IOMMUs that were built, by node. */
  readonly iommus: Map<DeviceNode, StreamPort>;
  readonly rootComplexes: RootComplex[];
  /** Endpoints that take commands. */
  readonly endpoints: Map<PciFunction, DmaDevice>;
  /** Platform devices, by the path of their node. */
  readonly platformDevices: Map<string, PlatformDevice>;
  /** What is saved and loaded, by name. */
  readonly blocks: Map<string, SavedBlock>;
  /** Regions of configuration space: accesses there are told apart from those to registers. */
  readonly configRegions: Region[];
  /** What firmware does when everything is there. */
  readonly firmware: (() => void)[];
}

/** A region of the bus. */
export interface Region {
  readonly name: string;
  readonly address: number;
  readonly size: number;
}

/** What a device is to others, in the order in which devices are built: each finds those before it. */
export const DEVICE_ROLES = ['interrupt controller', 'IOMMU', 'IOMMU cache', 'device'] as const;
export type DeviceRole = (typeof DEVICE_ROLES)[number];

/** A device, judged. */
export interface DevicePlan {
  readonly node: DeviceNode;
  readonly regions: readonly Region[];
  /** `device` if absent. */
  readonly role?: DeviceRole;
  /** Its child nodes are devices of their own. */
  readonly hasDevicesBelow?: boolean;
  build(building: Building): void;
}

/** Where a planner reads. */
export interface PlanningContext {
  readonly board: BoardSource;
  readonly node: DeviceNode;
  /** The node `/tracewright`. */
  readonly parameters: DeviceNode;
}

/** Judges a node and says how to build its device. */
export type DevicePlanner = (context: PlanningContext) => DevicePlan;

/** The regions of a node's `reg` as physical addresses; the first is called as the node, `smmu@9050000`. */
export function regionsOf({ board, node }: PlanningContext): Region[] {
  const entries = board.reading(() => node.reg());
  if (entries.length === 0) board.fail('missing property', node, 'the property reg is missing');
  return entries.map(({ address, size }, index) => {
    const translated = board.reading(() => node.translate(address));
    if (translated === undefined) board.fail('bad property', node, 'reg: the bus above does not pass it on', 'reg');
    else if (size > 0) return { name: index === 0 ? node.name : `${node.name} ${index}`, address: translated, size };
    return board.fail('bad property', node, 'reg: a region of no bytes', 'reg');
  });
}

/**
 * The regions of a node's `reg` under their names, `gic@8000000 distributor`; what is beyond them is left out.
 * @param needed what each holds, and the bytes that it takes at least
 */
export function namedRegions(
  context: PlanningContext,
  needed: readonly (readonly [what: string, bytes: number])[],
): Region[] {
  const { board, node } = context;
  const regions = regionsOf(context);
  return needed.map(([what, bytes], index) => {
    const region = regions[index];
    if (region === undefined || region.size < bytes) {
      const text = `reg: region ${index} holds the ${what}, 0x${bytes.toString(16)} bytes`;
      return board.fail('bad property', node, text, 'reg');
    }
    return { ...region, name: `${node.name} ${what}` };
  });
}

/** The node below `/tracewright` with the parameters of a device, which names it in `device`. */
export function requiredParameters(context: PlanningContext, model: string): DeviceNode {
  const { board, node } = context;
  return (
    parametersFor(context, model, 'device') ??
    board.fail('missing node', node, `no ${model} below /tracewright name this device`)
  );
}

/** Offers the CPUs of a machine the interfaces of its interrupt controller, of which there is one. */
export function offerInterfaces(
  { board, node }: PlanningContext,
  { cpuInterfaces }: Building,
  interfaces: readonly CpuInterface[],
): void {
  if (cpuInterfaces.length > 0) board.fail('overlap', node, 'the CPUs have an interrupt controller already');
  cpuInterfaces.push(...interfaces);
}

/** The node below `/tracewright` that is compatible with a model and names this node in a property. */
export function parametersFor(
  { board, node, parameters }: PlanningContext,
  model: string,
  property: string,
): DeviceNode | undefined {
  return parameters.children.find(
    (child) => board.reading(() => child.isCompatible(model)) && board.nodeNamed(child, property) === node,
  );
}

/** A planner of a device that the model lacks: its regions are named on the bus, and accesses to them are reported. */
export function notModelled(what: string): DevicePlanner {
  return (context) => {
    const regions = regionsOf(context);
    return {
      node: context.node,
      regions,
      build: ({ bus, observer }) => {
        for (const { name, address, size } of regions) {
          bus.add(name, pa(address), size, new UnmodelledRegion(name, `${what} is not modelled`, observer));
        }
      },
    };
  };
}
