/** What a device of a board is before there is a machine: judged once, built many times. */
import type { DeviceNode } from '../firmware/tree.js';
import { pa } from '../hw/address.js';
import type { Bus } from '../hw/bus.js';
import type { Latency } from '../hw/latency.js';
import type { SavedBlock } from '../hw/machine.js';
import type { Observer } from '../hw/observer.js';
import type { DmaDevice } from '../hw/pci/dma-device.js';
import type { PciFunction } from '../hw/pci/pci-function.js';
import type { RootComplex } from '../hw/pci/root-complex.js';
import type { Completion, InFlight, Transaction } from '../hw/transaction.js';
import type { BoardSource } from './board-error.js';
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
  /** IOMMUs that were built, by node. */
  readonly iommus: Map<DeviceNode, StreamPort>;
  readonly rootComplexes: RootComplex[];
  /** Endpoints that take commands. */
  readonly endpoints: Map<PciFunction, DmaDevice>;
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

/** A device, judged. */
export interface DevicePlan {
  readonly node: DeviceNode;
  readonly regions: readonly Region[];
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
