/**
 * Boards: machines described by a device tree.
 *
 * A board file is the device tree that its firmware hands over, with one node more: `/tracewright`, taken away before
 * the blob is made, which says what no device tree says. Its properties: `latency` (largest delay of the hardware, in
 * accesses) and `seed`, `fdt-address` (where firmware leaves the blob). Its children: the parameters of the models that
 * the table below names, each in its own file.
 *
 * {@link loadBoard} reads and judges a board once; {@link Board.power} makes a machine of it as often as wanted.
 */
import { type DtsSource, readDts } from '../firmware/dts.js';
import { encodeFdt } from '../firmware/fdt.js';
import { type DeviceNode, DeviceTree } from '../firmware/tree.js';
import { ADDRESS_LIMIT, pa } from '../hw/address.js';
import { COMPATIBLE as IPMMU_MODELS } from '../hw/iommu/ipmmu/layout.js';
import { buildArm64, planArm64 } from './arm64.js';
import { BoardError, BoardSource } from './board-error.js';
import type { BoardPlan, PowerOptions, RamBank } from './board-plan.js';
import { type DevicePlan, type DevicePlanner, notModelled, type Region } from './device-plan.js';
import { planGicv2 } from './gicv2.js';
import { planGicv3 } from './gicv3.js';
import { planHostBridge } from './host-bridge.js';
import { planIpmmu } from './ipmmu.js';
import { planIts } from './its.js';
import type { BoardMachine } from './machine.js';
import { planPlatformDevice } from './platform-device.js';
import { planSmmuv3 } from './smmuv3.js';

/** THE table: each `compatible` with what makes the device. */
const DEVICES: Readonly<Record<string, DevicePlanner>> = {
  'arm,smmu-v3': planSmmuv3,
  'arm,gic-v3': planGicv3,
  'arm,gic-v3-its': planIts,
  'arm,gic-400': planGicv2,
  'arm,cortex-a15-gic': planGicv2,
  ...Object.fromEntries(Object.keys(IPMMU_MODELS).map((model) => [model, planIpmmu])),
  'pci-host-ecam-generic': planHostBridge,
  'tracewright,platform-device': planPlatformDevice,
  'tracewright,registers': planPlatformDevice,
  'arm,pl011': notModelled('the serial port'),
  'renesas,scif': notModelled('the serial port'),
  'arm,pl031': notModelled('the real-time clock'),
};

/** Nodes whose `reg` is no region of the bus (Devicetree Specification 3.4, 3.5, 3.8). */
const NOT_DEVICES = new Set(['memory', 'cpus', 'reserved-memory', 'chosen', 'tracewright']);

export type { PowerOptions } from './board-plan.js';

/** A board. */
export class Board {
  readonly name: string;
  /** The device tree that firmware hands over, without the model's parameters. */
  readonly tree: DeviceTree;
  /** Nodes by label, as in the source. */
  readonly labels: ReadonlyMap<string, DeviceNode>;
  readonly #plan: BoardPlan;

  constructor(plan: BoardPlan, tree: DeviceTree, labels: ReadonlyMap<string, DeviceNode>) {
    this.name = plan.name;
    this.tree = tree;
    this.labels = labels;
    this.#plan = plan;
  }

  /** The blob that firmware leaves in memory. */
  get fdt(): Uint8Array {
    return this.#plan.fdt.slice();
  }

  /**
   * Makes a machine that has just been powered on: firmware has run, the hypervisor has not.
   * @throws BoardError if there is no room for the tree that the boot loader has made.
   */
  power(options: PowerOptions = {}): BoardMachine {
    if (options.boot === undefined) return buildArm64(this.#plan, options);
    const tree = copyOf(this.tree);
    options.boot(tree);
    const fdt = encodeFdt(tree);
    if (!hasRoom(this.#plan, fdt.length)) {
      const text = `no RAM for a device tree of ${fdt.length} bytes at 0x${this.#plan.fdtAddress.toString(16)}`;
      throw new BoardError('no room', undefined, text);
    }
    return buildArm64({ ...this.#plan, fdt }, options);
  }
}

function copyOf(tree: DeviceTree): DeviceTree {
  const copy = new DeviceTree(tree.root.clone());
  copy.reservations.push(...tree.reservations);
  copy.bootCpu = tree.bootCpu;
  return copy;
}

/** Whether a blob of this length fits where firmware leaves it. */
function hasRoom({ ram, fdtAddress }: Pick<BoardPlan, 'ram' | 'fdtAddress'>, length: number): boolean {
  return ram.some(({ address, size }) => fdtAddress >= address && fdtAddress + length <= address + size);
}

/**
 * Reads a board description.
 * @param name what the board is called; also what positions call its text
 * @throws DtsError if the text is no device tree; BoardError if it makes no machine.
 */
export function loadBoard(text: string, name: string): Board {
  const source: DtsSource = readDts(text, name);
  const board = new BoardSource(source);
  const { root } = source.tree;
  const parameters = root.child('tracewright') ?? board.fail('missing node', root, 'there is no node /tracewright');

  const tree = copyOf(source.tree);
  const copied = tree.root.child('tracewright');
  if (copied !== undefined) tree.root.remove(copied);
  const fdt = encodeFdt(tree);

  const ram = planRam(board, root);
  const fdtAddress =
    board.reading(() => parameters.number('fdt-address')) ??
    board.fail('missing property', parameters, 'the property fdt-address is missing');
  if (!hasRoom({ ram, fdtAddress }, fdt.length) || fdtAddress % 8 !== 0) {
    board.fail('bad property', parameters, 'fdt-address: not 8-byte aligned RAM with room for the blob', 'fdt-address');
  }
  const devices = planDevices(board, root, parameters);
  refuseOverlap(board, ram, devices);
  const plan: BoardPlan = {
    name,
    ram,
    devices,
    cpus: planArm64(board, root),
    latency: board.u32(parameters, 'latency', 0),
    seed: board.u32(parameters, 'seed', 1),
    fdtAddress,
    fdt,
  };
  const loaded = new Board(plan, tree, source.labels);
  loaded.power();
  return loaded;
}

/** The memory nodes (Devicetree Specification 3.4). */
function planRam(board: BoardSource, root: DeviceNode): RamBank[] {
  const banks: RamBank[] = [];
  for (const node of root.children) {
    if (node.name.split('@')[0] !== 'memory') continue;
    for (const { address, size } of board.reading(() => node.reg())) {
      if (address % 4096 !== 0 || size % 4096 !== 0 || size === 0) {
        board.fail('bad property', node, 'reg: RAM is whole pages of 4 KiB', 'reg');
      }
      refuseRange(board, node, { name: 'RAM', address, size });
      const other = banks.find((b) => address < b.address + b.size && b.address < address + size);
      if (other !== undefined)
        board.fail('overlap', node, `reg: overlaps RAM at 0x${other.address.toString(16)}`, 'reg');
      banks.push({ address: pa(address), size });
    }
  }
  if (banks.length === 0) board.fail('missing node', root, 'there is no memory node');
  return banks;
}

/** Every node that claims a region of the bus, through the table. */
function planDevices(board: BoardSource, root: DeviceNode, parameters: DeviceNode): DevicePlan[] {
  const plans: DevicePlan[] = [];
  const visit = (parent: DeviceNode) => {
    for (const node of parent.children) {
      if (parent === root && NOT_DEVICES.has(node.name.split('@')[0] as string)) continue;
      const compatible = board.reading(() => node.strings('compatible')) ?? [];
      const known = compatible.find((model) => Object.hasOwn(DEVICES, model));
      if (known !== undefined) {
        const planner = DEVICES[known] as DevicePlanner;
        if (!board.reading(() => node.enabled)) continue;
        const plan = planner({ board, node, parameters });
        plans.push(plan);
        if (plan.hasDevicesBelow) visit(node);
        continue;
      }
      if (node.has('reg')) {
        const models = compatible.length === 0 ? 'no compatible' : compatible.join(', ');
        board.fail('unknown device', node, `no model for this device (${models})`, 'compatible');
      }
      visit(node);
    }
  };
  visit(root);
  return plans;
}

/** Refuses what is no range of the 52-bit address space. */
function refuseRange(board: BoardSource, node: DeviceNode, { name, address, size }: Region): void {
  if (size > 0 && address + size <= ADDRESS_LIMIT) return;
  const range = `0x${address.toString(16)}, size 0x${size.toString(16)}`;
  board.fail('bad property', node, `${name} at ${range}, does not lie in the address space`, 'reg');
}

function refuseOverlap(board: BoardSource, ram: readonly RamBank[], devices: readonly DevicePlan[]): void {
  const taken = ram.map((r) => ({ name: 'RAM', address: r.address, size: r.size }));
  for (const { node, regions } of devices) {
    for (const region of regions) {
      refuseRange(board, node, region);
      const other = taken.find((r) => region.address < r.address + r.size && r.address < region.address + region.size);
      if (other !== undefined) {
        board.fail('overlap', node, `${region.name} at 0x${region.address.toString(16)} overlaps ${other.name}`, 'reg');
      }
      taken.push(region);
    }
  }
}
