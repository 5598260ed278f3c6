/**
 * What is plugged into a host bridge, as the board description says, and the functions made of it.
 *
 * A node `compatible = "tracewright,pci-topology"` below `/tracewright` names its `host`; its children are functions,
 * each with a unit address `device,function` in hexadecimal:
 *
 * - `tracewright,dma-endpoint`, an endpoint. `bars` of (index, flags as in the register's low bits, size) for each base
 *   address register; `device-id`; `ignores-function-number` for a device that answers to every function number.
 *   - `interrupt-pin`: 1 is INTA, 4 is INTD.
 *   - `msi` of (vectors, flags as in Message Control: 0x80 64-bit addresses, 0x100 per-vector masks; both if absent).
 *   - `msi-x` of (vectors, register and offset of the table, register and offset of the pending bits). Of the first
 *     register's memory only what the endpoint leaves free may be used: from 0x40 to its middle.
 *   - `phantom-functions`: the distance of function numbers that its requests may carry, 1, 2 or 4.
 *   - `acs`, as a function of several has it.
 *   - `sr-iov` of (virtual functions, First VF Offset, VF Stride), `vf-bars` as `bars`, and `vf-msi`, `vf-msi-x`,
 *     `vf-device-id`. Each virtual function is an endpoint.
 * - `tracewright,pci-bridge`: children behind it; `secondary-bus` as firmware shall number it (the next free one if
 *   absent); `unconfigured` if firmware shall leave it as it comes out of reset; `acs`. On a root bus it is a root port,
 *   below that upstream and downstream ports of switches take turns.
 * - `tracewright,pcie-to-pci-bridge`: the same, with a conventional bus behind it.
 *
 * `pci` makes a conventional PCI function of an endpoint or a bridge, without PCI Express capability. What is behind a
 * bridge to conventional PCI, or a conventional one, is conventional without saying so.
 */
import type { DeviceNode } from '../firmware/tree.js';
import type { Latency } from '../hw/latency.js';
import type { Observer } from '../hw/observer.js';
import { type BridgeDescription, PciBridge, type PciBus } from '../hw/pci/bridge.js';
import { DmaDevice, type DmaDeviceFeatures, type DmaDeviceOptions } from '../hw/pci/dma-device.js';
import { DMA_DEVICE_IDS } from '../hw/pci/dma-device-layout.js';
import type { BarDescription } from '../hw/pci/header.js';
import type { PciFunction } from '../hw/pci/pci-function.js';
import type { RootComplex } from '../hw/pci/root-complex.js';
import type { BoardSource } from './board-error.js';
import { readBars, readFeatures, readSriov } from './pci-capabilities.js';

/** A function of a board. */
export interface FunctionPlan {
  readonly node: DeviceNode;
  readonly device: number;
  readonly function: number;
  readonly kind: 'endpoint' | 'bridge';
  readonly bars: readonly BarDescription[];
  readonly deviceId: number;
  readonly ignoresFunctionNumber: boolean;
  /** A conventional PCI function. */
  readonly isConventional: boolean;
  readonly features: DmaDeviceFeatures;
  readonly sriov?: NonNullable<DmaDeviceOptions['sriov']>;
  /** What a bridge is. */
  readonly portType?: BridgeDescription['portType'];
  /** What firmware does with a bridge: a bus number, the next free one, or nothing. */
  readonly secondary: number | 'next' | 'leave';
  readonly behind: readonly FunctionPlan[];
}

/** Where functions are read: how many ports are above them, and what their bus is. */
interface Place {
  readonly depth: number;
  readonly isConventional: boolean;
}

const ROOT: Place = { depth: 0, isConventional: false };

const BRIDGE_DEVICE_ID = 0x0010;

/** Reads the functions below a node. */
export function readTopology(board: BoardSource, parent: DeviceNode): FunctionPlan[] {
  return readBus(board, parent, ROOT);
}

function readBus(board: BoardSource, parent: DeviceNode, place: Place): FunctionPlan[] {
  const plans = parent.children.map((node) => readFunction(board, node, place));
  const byAddress = new Map<number, FunctionPlan>();
  for (const plan of plans) {
    const devfn = (plan.device << 3) | plan.function;
    const other = byAddress.get(devfn);
    if (other !== undefined) board.fail('overlap', plan.node, `${other.node.path} has this address already`);
    byAddress.set(devfn, plan);
  }
  for (const plan of plans) {
    const first = byAddress.get(plan.device << 3);
    if (first === undefined) board.fail('missing node', plan.node, `the device has no function 0`);
    else if (first !== plan && first.ignoresFunctionNumber) {
      board.fail('overlap', plan.node, `${first.node.path} answers to every function number`);
    }
    const owner = plans.find((p) => p.device === plan.device && plan.function >= (p.features.phantomStride ?? 8));
    if (owner !== undefined) {
      board.fail('overlap', plan.node, `the requests of ${owner.node.path} may carry this function number`);
    }
  }
  for (const plan of plans) placeVirtualFunctions(board, plan, byAddress);
  return plans;
}

/** Gives the virtual functions of a plan their addresses: none may be taken. */
function placeVirtualFunctions(board: BoardSource, plan: FunctionPlan, byAddress: Map<number, FunctionPlan>): void {
  const { node, sriov } = plan;
  if (sriov === undefined) return;
  for (let number = 0; number < sriov.totalVfs; number++) {
    const devfn = ((plan.device << 3) | plan.function) + sriov.firstOffset + number * sriov.stride;
    if (devfn > 0xff)
      board.fail('bad property', node, `sr-iov: no room on the bus for virtual function ${number}`, 'sr-iov');
    const first = byAddress.get(devfn & ~7);
    const other = byAddress.get(devfn) ?? (first?.ignoresFunctionNumber ? first : undefined);
    if (other !== undefined) {
      board.fail('overlap', node, `sr-iov: ${other.node.path} has the address of virtual function ${number}`, 'sr-iov');
    }
    byAddress.set(devfn, plan);
  }
}

function readFunction(board: BoardSource, node: DeviceNode, place: Place): FunctionPlan {
  const address = /^([0-9a-f]{1,2})(?:,([0-7]))?$/.exec(node.unitAddress ?? '');
  const device = Number.parseInt(address?.[1] ?? '99', 16);
  if (device > 31)
    board.fail('bad property', node, "the unit address of a function is 'device,function' in hexadecimal");
  const isConventional = place.isConventional || node.has('pci');
  const common = { node, device, function: Number(address?.[2] ?? 0), isConventional };
  const is = (model: string) => board.reading(() => node.isCompatible(model));
  for (const property of isConventional ? ['acs', 'phantom-functions', 'sr-iov'] : []) {
    if (node.has(property)) board.fail('bad property', node, `${property}: a conventional function has none`, property);
  }
  if (is('tracewright,pci-bridge')) {
    const ports = ['root port', 'upstream port', 'downstream port'] as const;
    const port = ports[place.depth === 0 ? 0 : 2 - (place.depth % 2)] as (typeof ports)[number];
    if (port === 'upstream port' && node.has('acs')) {
      board.fail('bad property', node, 'acs: the upstream port of a switch has none, its downstream ports do', 'acs');
    }
    return { ...common, ...readBridge(board, node, place, isConventional ? 'conventional' : port) };
  }
  if (is('tracewright,pcie-to-pci-bridge')) {
    if (isConventional)
      board.fail('bad property', node, 'compatible: this bridge is on no conventional bus', 'compatible');
    return { ...common, ...readBridge(board, node, place, 'pcie-to-pci bridge') };
  }
  if (!is('tracewright,dma-endpoint')) {
    board.fail(
      'unknown device',
      node,
      'a function is a tracewright,dma-endpoint, a tracewright,pci-bridge or a tracewright,pcie-to-pci-bridge',
      'compatible',
    );
  }
  const bars = readBars(board, node, 'bars');
  const sriov = readSriov(board, node);
  return {
    ...common,
    kind: 'endpoint',
    bars,
    deviceId: board.u32(node, 'device-id', DMA_DEVICE_IDS.deviceId),
    ignoresFunctionNumber: node.has('ignores-function-number'),
    features: readFeatures(board, node, bars, common.function),
    ...(sriov === undefined ? {} : { sriov }),
    secondary: 'leave',
    behind: [],
  };
}

function readBridge(
  board: BoardSource,
  node: DeviceNode,
  { depth }: Place,
  portType: BridgeDescription['portType'],
): Omit<FunctionPlan, 'node' | 'device' | 'function' | 'isConventional'> {
  const number = board.reading(() => node.u32('secondary-bus'));
  const isConventional = portType === 'pcie-to-pci bridge' || portType === 'conventional';
  return {
    kind: 'bridge',
    bars: [],
    deviceId: BRIDGE_DEVICE_ID,
    ignoresFunctionNumber: false,
    features: { acs: node.has('acs') },
    portType,
    secondary: node.has('unconfigured') ? 'leave' : (number ?? 'next'),
    behind: readBus(board, node, { depth: depth + 1, isConventional }),
  };
}

/** Makes the functions and puts them on the bus. Returns the endpoints. */
export function plugIn(
  plans: readonly FunctionPlan[],
  bus: PciBus,
  given: { readonly rootComplex: RootComplex; readonly latency: Latency; readonly observer: Observer },
): { readonly fn: PciFunction; readonly endpoint: DmaDevice }[] {
  const endpoints: { fn: PciFunction; endpoint: DmaDevice }[] = [];
  for (const plan of plans) {
    const { device, deviceId, bars, ignoresFunctionNumber, isConventional, features, sriov, portType } = plan;
    if (portType !== undefined) {
      const { vendorId } = DMA_DEVICE_IDS;
      const { acs = false } = features;
      const bridge = new PciBridge({ device, function: plan.function, vendorId, deviceId, portType, acs }, bus);
      bus.add(bridge);
      endpoints.push(...plugIn(plan.behind, bridge.bus, given));
      continue;
    }
    const endpoint = new DmaDevice({
      ...given,
      ...features,
      bus,
      device,
      function: plan.function,
      deviceId,
      bars,
      ignoresFunctionNumber,
      isConventional,
      ...(sriov === undefined ? {} : { sriov }),
    });
    for (const each of [endpoint, ...endpoint.virtualFunctions]) endpoints.push({ fn: each.fn, endpoint: each });
  }
  return endpoints;
}
