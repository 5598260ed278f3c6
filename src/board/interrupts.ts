/**
 * Wired interrupts: which input of which controller a node of the device tree names.
 *
 * Devicetree Specification v0.4, 2.4: `interrupts`, `interrupts-extended`, `interrupt-parent`, and the nexus properties
 * `interrupt-map` and `interrupt-map-mask`, which a host bridge has for INTx (IEEE 1275 PCI Bus Binding 2.1; Linux
 * Documentation/devicetree/bindings/pci/host-generic-pci.yaml).
 *
 * Not read: `interrupts` of a node below a nexus; the host bridge alone resolves through its map.
 */
import type { DeviceNode } from '../firmware/tree.js';
import type { InterruptController, InterruptLine } from '../hw/interrupt.js';
import type { BoardSource } from './board-error.js';
import { WiredLine } from './wired-lines.js';

/** An interrupt as a node names it. */
export interface InterruptSpecifier {
  readonly controller: DeviceNode;
  readonly cells: readonly number[];
  /** The property that holds it. */
  readonly property: string;
}

/**
 * The interrupts of a node, in order; none if it has no property for them. `interrupts-extended` goes before
 * `interrupts` (2.4.1.4).
 * @throws BoardError if a phandle names no node, or the cells are no whole number of specifiers.
 */
export function readInterrupts(board: BoardSource, node: DeviceNode): InterruptSpecifier[] {
  if (node.has('interrupts-extended')) {
    const property = 'interrupts-extended';
    return board
      .reading(() => board.source.tree.specifiers(node, property, '#interrupt-cells'))
      .map((entry) => ({ controller: entry.node, cells: entry.cells, property }));
  }
  const property = 'interrupts';
  const cells = board.reading(() => node.cells(property));
  if (cells === undefined) return [];
  const controller = interruptParent(board, node);
  const each = interruptCells(board, node, controller, property);
  if (cells.length % each !== 0) {
    board.fail('bad property', node, `${property}: ${cells.length} cells are no multiple of ${each}`, property);
  }
  return split(cells, each).map((entry) => ({ controller, cells: entry, property }));
}

/** The nearest `interrupt-parent` on the way up, or the nearest node above that has `#interrupt-cells` (2.4.1.2). */
function interruptParent(board: BoardSource, node: DeviceNode): DeviceNode {
  for (let at: DeviceNode | undefined = node; at !== undefined; at = at.parent) {
    if (at.has('interrupt-parent')) return board.nodeNamed(at, 'interrupt-parent');
    if (at.parent?.has('#interrupt-cells')) return at.parent;
  }
  return board.fail('missing property', node, 'interrupts: there is no interrupt-parent', 'interrupts');
}

function interruptCells(board: BoardSource, node: DeviceNode, controller: DeviceNode, property: string): number {
  const each = board.u32(controller, '#interrupt-cells', 0);
  if (each === 0 || each > 16) {
    board.fail('bad property', node, `${property}: ${controller.path} has no usable #interrupt-cells`, property);
  }
  return each;
}

function split(cells: readonly number[], each: number): number[][] {
  const entries: number[][] = [];
  for (let at = 0; at < cells.length; at += each) entries.push(cells.slice(at, at + each));
  return entries;
}

/** One entry of `interrupt-map`: what it matches, masked, and what that is. */
interface InterruptMapEntry {
  readonly match: readonly number[];
  readonly to: InterruptSpecifier;
}

/** The `interrupt-map` of a host bridge (2.4.3). */
export interface InterruptMap {
  /** Of the three cells of the unit address and the one of the pin. */
  readonly mask: readonly number[];
  readonly entries: readonly InterruptMapEntry[];
}

/** Cells of what a host bridge maps: a PCI address of three, and a pin of one. */
const PCI_MATCH_CELLS = 4;
/** Bits 23:16, 15:11 and 10:8 of the first cell of a PCI address (IEEE 1275 PCI Bus Binding 2.2.1.1). */
const PCI_ADDRESS = { BUS: 16, DEVICE: 11 } as const;

/**
 * Reads the map of a host bridge; empty if it has none.
 * @throws BoardError if the node or what it names has other cell counts than the entries.
 */
export function readInterruptMap(board: BoardSource, host: DeviceNode): InterruptMap {
  const property = 'interrupt-map';
  const cells = board.reading(() => host.cells(property)) ?? [];
  const mask = board.reading(() => host.cells('interrupt-map-mask')) ?? Array(PCI_MATCH_CELLS).fill(0xffff_ffff);
  if (cells.length === 0) return { mask, entries: [] };
  const childCells = board.reading(() => host.addressCells) + board.u32(host, '#interrupt-cells', 0);
  if (childCells !== PCI_MATCH_CELLS) {
    board.fail('bad property', host, `${property}: needs #address-cells = <3> and #interrupt-cells = <1>`, property);
  }
  if (mask.length !== PCI_MATCH_CELLS) {
    board.fail('bad property', host, `interrupt-map-mask: ${mask.length} cells, not 4`, 'interrupt-map-mask');
  }
  const entries: InterruptMapEntry[] = [];
  for (let at = 0; at < cells.length; ) {
    const match = cells.slice(at, at + PCI_MATCH_CELLS).map((cell, index) => (cell & (mask[index] as number)) >>> 0);
    const phandle = cells[at + PCI_MATCH_CELLS] ?? 0;
    const controller = board.source.tree.byPhandle(phandle);
    if (controller === undefined) {
      return board.fail('missing node', host, `${property}: no node has the phandle ${phandle}`, property);
    }
    // A controller that states no #address-cells has no unit address in an entry, unlike a bus with its default of 2.
    const begin = at + PCI_MATCH_CELLS + 1 + board.u32(controller, '#address-cells', 0);
    const end = begin + interruptCells(board, host, controller, property);
    if (end > cells.length) board.fail('bad property', host, `${property}: the last entry is cut short`, property);
    entries.push({ match, to: { controller, cells: cells.slice(begin, end), property } });
    at = end;
  }
  return { mask, entries };
}

/** The interrupt of INTA to INTD (`pin` 1 to 4) of a device on the root bus, or undefined if the map has none. */
export function mapPin(map: InterruptMap, bus: number, device: number, pin: number): InterruptSpecifier | undefined {
  const wanted = [(bus << PCI_ADDRESS.BUS) | (device << PCI_ADDRESS.DEVICE), 0, 0, pin];
  const masked = wanted.map((cell, index) => (cell & (map.mask[index] as number)) >>> 0);
  return map.entries.find(({ match }) => match.every((cell, index) => cell === masked[index]))?.to;
}

/** The controllers of a machine, and what is wired to them. */
export class InterruptWiring {
  readonly controllers = new Map<DeviceNode, InterruptController>();
  readonly #lines = new Map<string, { readonly line: WiredLine; readonly cells: readonly number[] }>();

  /**
   * A line of its own for one more that drives an interrupt: the input is high while any of its drivers is.
   * @throws BoardError as {@link line}
   */
  driver(board: BoardSource, node: DeviceNode, interrupt: InterruptSpecifier): InterruptLine {
    return this.line(board, node, interrupt).driver();
  }

  /**
   * The line of an interrupt.
   * @param node whose interrupt it is: where a mistake is
   * @throws BoardError if the controller is none that the board has, it has no such input, or another node wants another
   *   trigger of it.
   */
  line(board: BoardSource, node: DeviceNode, { controller, cells, property }: InterruptSpecifier): WiredLine {
    const target = this.controllers.get(controller);
    if (target === undefined) {
      const text = `${property}: ${controller.path} is no interrupt controller that the board has`;
      return board.fail('missing node', node, text, property);
    }
    // Type and number; what follows says how it is triggered.
    const [type = 0, number = 0] = cells;
    const key = `${controller.path} ${type} ${number}`;
    const known = this.#lines.get(key);
    if (known !== undefined) {
      if (known.cells !== cells && known.cells.some((cell, index) => cell !== cells[index])) {
        const text = `${property}: ${written(cells)} is shared with another device that says ${written(known.cells)}`;
        board.fail('bad property', node, text, property);
      }
      return known.line;
    }
    const input = target.line(cells);
    if (input === undefined) {
      return board.fail(
        'bad property',
        node,
        `${property}: ${written(cells)} is no input of ${controller.path}`,
        property,
      );
    }
    const line = new WiredLine(input);
    this.#lines.set(key, { line, cells });
    return line;
  }
}

function written(cells: readonly number[]): string {
  return `<${cells.join(' ')}>`;
}
