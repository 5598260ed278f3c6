/** What Xen knows of each physical interrupt: how it is signalled, who has it (xen/arch/arm/irq.c, struct irq_desc). */
import { DeviceTreeError } from '../../firmware/node.js';
import type { DeviceNode, DeviceTree } from '../../firmware/tree.js';
import { failure } from '../errno.js';
import { FIRST_PPI, FIRST_SPI, type IrqType } from '../gic/driver.js';
import type { PendingIrq } from '../vgic/state.js';
import { type DeviceInterrupt, type Domain, print, type Xen } from '../xen.js';

/** A physical interrupt. */
export interface IrqDescriptor {
  /** INTID. */
  readonly irq: number;
  /** Undefined until the device tree has said it. */
  type: IrqType | undefined;
  owner: 'none' | 'xen' | 'guest';
  /** Xen's own: what is done when it is taken. */
  handler: ((xen: Xen) => void) | undefined;
  /** A guest's: whose, and which of its virtual interrupts. */
  domain: Domain | undefined;
  virtual: PendingIrq | undefined;
  /** How many devices of the domain share it. */
  users: number;
}

/** The descriptor of an interrupt; one that nothing is known of yet comes into being. */
export function descriptor(xen: Xen, irq: number): IrqDescriptor {
  const known = xen.irqs.get(irq);
  if (known !== undefined) return known;
  const fresh: IrqDescriptor = {
    irq,
    type: undefined,
    owner: 'none',
    handler: undefined,
    domain: undefined,
    virtual: undefined,
    users: 0,
  };
  xen.irqs.set(irq, fresh);
  return fresh;
}

/** Kinds of interrupt in the first cell of a specifier (Linux binding arm,gic-v3). */
const KIND = { SPI: 0, PPI: 1 } as const;
/** Flags of a specifier: edges in the lower two bits, levels in the upper two. */
const FLAG = { EDGE: 3, LEVEL: 12 } as const;

/** An interrupt by the three cells of a GIC's specifier. Undefined: they name none. */
export function interruptOf(cells: readonly number[]): DeviceInterrupt | undefined {
  const [kind, number, flags] = cells;
  if (number === undefined || flags === undefined) return undefined;
  const type = (flags & FLAG.EDGE) !== 0 ? 'edge' : (flags & FLAG.LEVEL) !== 0 ? 'level' : undefined;
  if (type === undefined) return undefined;
  if (kind === KIND.SPI) return { irq: FIRST_SPI + number, type };
  return kind === KIND.PPI && number < FIRST_SPI - FIRST_PPI ? { irq: FIRST_PPI + number, type } : undefined;
}

/** The node that a node's `interrupts` are of (Devicetree Specification 2.4.1, interrupt-parent). */
function interruptParent(tree: DeviceTree, node: DeviceNode): DeviceNode | undefined {
  for (let at: DeviceNode | undefined = node; at !== undefined; at = at.parent) {
    const phandle = at.u32('interrupt-parent');
    if (phandle !== undefined) return tree.byPhandle(phandle);
    if (at !== node && at.has('interrupt-controller')) return at;
  }
  return undefined;
}

function split(cells: readonly number[], each: number): (readonly number[])[] {
  const parts: (readonly number[])[] = [];
  for (let at = 0; each > 0 && at + each <= cells.length; at += each) parts.push(cells.slice(at, at + each));
  return parts;
}

/** Specifiers of `interrupt-map` that are of `controller` (Devicetree Specification 2.4.3). */
function mappedSpecifiers(tree: DeviceTree, node: DeviceNode, controller: DeviceNode): (readonly number[])[] {
  const cells = node.cells('interrupt-map') ?? [];
  const child = node.addressCells + (node.u32('#interrupt-cells') ?? 1);
  const found: (readonly number[])[] = [];
  for (let at = 0; at + child < cells.length; ) {
    const parent = tree.byPhandle(cells[at + child] as number);
    if (parent === undefined) break;
    const from = at + child + 1 + (parent.u32('#address-cells') ?? 0);
    const end = from + (parent.u32('#interrupt-cells') ?? 1);
    if (parent === controller) found.push(cells.slice(from, end));
    at = end;
  }
  return found;
}

/** Specifiers of a controller's interrupts that a node has: of its own, and of what is behind it. */
function specifiersOf(tree: DeviceTree, node: DeviceNode, controller: DeviceNode): (readonly number[])[] {
  const found = mappedSpecifiers(tree, node, controller);
  if (node.has('interrupts-extended')) {
    for (const { node: named, cells } of tree.specifiers(node, 'interrupts-extended', '#interrupt-cells')) {
      if (named === controller) found.push(cells);
    }
  } else if (node.has('interrupts') && interruptParent(tree, node) === controller) {
    found.push(...split(node.cells('interrupts') ?? [], controller.u32('#interrupt-cells') ?? 3));
  }
  return found;
}

/**
 * Notes how each interrupt of the device tree is signalled. Where nodes contradict each other the first one counts; a node
 * that cannot be read is passed over.
 */
export function discoverTypes(xen: Xen, controller: DeviceNode): void {
  const { tree } = xen.platform;
  for (const node of tree.root.walk()) {
    try {
      for (const cells of specifiersOf(tree, node, controller)) {
        const interrupt = interruptOf(cells);
        if (interrupt !== undefined) xen.steps.irq.setType(xen, interrupt.irq, interrupt.type);
      }
    } catch (error) {
      if (!(error instanceof DeviceTreeError)) throw error;
      print(xen, `interrupts of ${node.path}: ${error.message}`);
    }
  }
}

/**
 * Says how an interrupt is signalled.
 * @returns 0, or -EINVAL if it is known to be signalled otherwise
 */
export function setType(xen: Xen, irq: number, type: IrqType): number {
  const known = xen.steps.irq.descriptor(xen, irq);
  if (known.type === undefined) known.type = type;
  if (known.type === type) return 0;
  print(xen, `irq ${irq} is ${known.type}-triggered, not ${type}-triggered`);
  return failure('EINVAL');
}
