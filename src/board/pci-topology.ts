/**
 * What is plugged into a host bridge, as the board description says, and the functions made of it.
 *
 * A node `compatible = "tracewright,pci-topology"` below `/tracewright` names its `host`; its children are functions,
 * each with a unit address `device,function` in hexadecimal:
 *
 * - `tracewright,dma-endpoint`: `bars` of (index, flags as in the register's low bits, size) for each base address
 *   register; `device-id`; `ignores-function-number` for a device that answers to every function number.
 * - `tracewright,pci-bridge`: children behind it; `secondary-bus` as firmware shall number it (the next free one if
 *   absent); `unconfigured` if firmware shall leave it as it comes out of reset.
 */
import type { DeviceNode } from '../firmware/tree.js';
import type { Latency } from '../hw/latency.js';
import type { Observer } from '../hw/observer.js';
import { PciBridge, type PciBus } from '../hw/pci/bridge.js';
import { DmaDevice } from '../hw/pci/dma-device.js';
import { DMA_DEVICE_IDS } from '../hw/pci/dma-device-layout.js';
import type { BarDescription, PciFunction } from '../hw/pci/pci-function.js';
import type { RootComplex } from '../hw/pci/root-complex.js';
import type { BoardSource } from './board-error.js';

/** A function of a board. */
export interface FunctionPlan {
  readonly node: DeviceNode;
  readonly device: number;
  readonly function: number;
  readonly kind: 'endpoint' | 'bridge';
  readonly bars: readonly BarDescription[];
  readonly deviceId: number;
  readonly ignoresFunctionNumber: boolean;
  /** What firmware does with a bridge: a bus number, the next free one, or nothing. */
  readonly secondary: number | 'next' | 'leave';
  readonly behind: readonly FunctionPlan[];
}

const BRIDGE_DEVICE_ID = 0x0010;
/** BAR flags (PCI Express Base 7.5.1.2.1): 64-bit, prefetchable. */
const FLAG = { IS_64_BIT: 0x4, PREFETCHABLE: 0x8 } as const;

/** Reads the functions below a node. */
export function readTopology(board: BoardSource, parent: DeviceNode): FunctionPlan[] {
  const plans = parent.children.map((node) => readFunction(board, node));
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
  }
  return plans;
}

function readFunction(board: BoardSource, node: DeviceNode): FunctionPlan {
  const address = /^([0-9a-f]{1,2})(?:,([0-7]))?$/.exec(node.unitAddress ?? '');
  const device = Number.parseInt(address?.[1] ?? '99', 16);
  if (device > 31)
    board.fail('bad property', node, "the unit address of a function is 'device,function' in hexadecimal");
  const common = { node, device, function: Number(address?.[2] ?? 0) };
  const is = (model: string) => board.reading(() => node.isCompatible(model));
  if (is('tracewright,pci-bridge')) {
    const number = board.reading(() => node.u32('secondary-bus'));
    return {
      ...common,
      kind: 'bridge',
      bars: [],
      deviceId: BRIDGE_DEVICE_ID,
      ignoresFunctionNumber: false,
      secondary: node.has('unconfigured') ? 'leave' : (number ?? 'next'),
      behind: readTopology(board, node),
    };
  }
  if (!is('tracewright,dma-endpoint')) {
    board.fail(
      'unknown device',
      node,
      'a function is a tracewright,dma-endpoint or a tracewright,pci-bridge',
      'compatible',
    );
  }
  return {
    ...common,
    kind: 'endpoint',
    bars: readBars(board, node),
    deviceId: board.u32(node, 'device-id', DMA_DEVICE_IDS.deviceId),
    ignoresFunctionNumber: node.has('ignores-function-number'),
    secondary: 'leave',
    behind: [],
  };
}

function readBars(board: BoardSource, node: DeviceNode): BarDescription[] {
  const cells = board.reading(() => node.cells('bars')) ?? [];
  if (cells.length === 0 || cells.length % 3 !== 0) {
    board.fail('bad property', node, 'bars: give (index, flags, size) for at least one base address register', 'bars');
  }
  const bars: BarDescription[] = [];
  const taken = new Set<number>();
  for (let at = 0; at < cells.length; at += 3) {
    const [index, flags, size] = cells.slice(at, at + 3) as [number, number, number];
    const is64Bit = (flags & FLAG.IS_64_BIT) !== 0;
    const last = is64Bit ? index + 1 : index;
    if (last > 5 || taken.has(index) || taken.has(last)) {
      board.fail('bad property', node, `bars: register ${index} does not exist or is taken`, 'bars');
    }
    if (!Number.isInteger(Math.log2(size)) || size < (at === 0 ? 4096 : 16)) {
      board.fail('bad property', node, `bars: register ${index} cannot be of size 0x${size.toString(16)}`, 'bars');
    }
    taken.add(index).add(last);
    bars.push({ index, size, is64Bit, prefetchable: (flags & FLAG.PREFETCHABLE) !== 0 });
  }
  return bars;
}

/** Makes the functions and puts them on the bus. Returns the endpoints. */
export function plugIn(
  plans: readonly FunctionPlan[],
  bus: PciBus,
  given: { readonly rootComplex: RootComplex; readonly latency: Latency; readonly observer: Observer },
  depth = 0,
): { readonly fn: PciFunction; readonly endpoint: DmaDevice }[] {
  const endpoints: { fn: PciFunction; endpoint: DmaDevice }[] = [];
  for (const plan of plans) {
    const { device, deviceId, bars, ignoresFunctionNumber } = plan;
    if (plan.kind === 'endpoint') {
      const options = { ...given, bus, device, function: plan.function, deviceId, bars, ignoresFunctionNumber };
      const endpoint = new DmaDevice(options);
      endpoints.push({ fn: endpoint.fn, endpoint });
      continue;
    }
    const portType = depth === 0 ? 'root port' : depth % 2 === 1 ? 'upstream port' : 'downstream port';
    const description = {
      device,
      function: plan.function,
      vendorId: DMA_DEVICE_IDS.vendorId,
      deviceId,
      portType,
    } as const;
    const bridge = new PciBridge(description, bus);
    bus.add(bridge);
    endpoints.push(...plugIn(plan.behind, bridge.bus, given, depth + 1));
  }
  return endpoints;
}
