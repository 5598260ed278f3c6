/**
 * A node of a device tree: properties of bytes, children, and the standard readings of those bytes.
 *
 * Devicetree Specification v0.4, chapter 2. Numbers in a tree are big-endian. A reading that the bytes do not allow is
 * a {@link DeviceTreeError} that names the node and the property.
 *
 * Not modelled: interrupt mapping (2.4), and `dma-ranges` (2.3.9), which no board here needs.
 */

/** What can be wrong with what a tree says. */
export type DeviceTreeErrorCode =
  | 'missing property'
  | 'bad property length'
  | 'bad string'
  | 'number too large'
  | 'bad cells'
  | 'duplicate name';

/** A property that cannot be read as what it ought to be. */
export class DeviceTreeError extends Error {
  readonly code: DeviceTreeErrorCode;
  /** Path of the node. */
  readonly path: string;
  readonly property: string;
  constructor(code: DeviceTreeErrorCode, path: string, property: string, text: string) {
    super(`${path}: ${property}: ${text}`);
    this.name = 'DeviceTreeError';
    this.code = code;
    this.path = path;
    this.property = property;
  }
}

/** One entry of `reg`: an address on the parent's bus, and a length in bytes. */
export interface RegEntry {
  /** The address as its cells stand in the property, first cell first. */
  readonly cells: readonly number[];
  /**
   * The last two cells of the address (or the only one) as a number: all of it but for PCI, whose first cell is apart.
   */
  readonly address: number;
  /** 0 where the parent has no size cells. */
  readonly size: number;
}

/** One entry of `ranges`: a window from a child bus to its parent bus. */
export interface RangeEntry {
  /** Cells of the child address, first cell first. */
  readonly cells: readonly number[];
  /** Last two cells of the child address as a number. */
  readonly child: number;
  /** Address on the parent bus. */
  readonly parent: number;
  readonly size: number;
}

const TWO_32 = 0x1_0000_0000;
const decoder = new TextDecoder('utf-8', { fatal: true });

/** A node. Its parent is known, so that addresses can be read with the parent's cell counts. */
export class DeviceNode {
  /** `name` or `name@unit-address`; empty for the root. */
  readonly name: string;
  readonly properties = new Map<string, Uint8Array>();
  #parent: DeviceNode | undefined;
  readonly #children: DeviceNode[] = [];
  readonly #byName = new Map<string, DeviceNode>();

  constructor(name: string) {
    this.name = name;
  }

  get parent(): DeviceNode | undefined {
    return this.#parent;
  }

  get children(): readonly DeviceNode[] {
    return this.#children;
  }

  /**
   * Adds a child at the end.
   * @throws DeviceTreeError if there is a child of that name.
   */
  append(child: DeviceNode): DeviceNode {
    if (this.hasChild(child.name)) {
      throw new DeviceTreeError('duplicate name', this.path, child.name, 'there are two children of this name');
    }
    this.#children.push(child);
    this.#byName.set(child.name, child);
    child.#parent = this;
    return child;
  }

  /** Takes a child away. */
  remove(child: DeviceNode): void {
    const at = this.#children.indexOf(child);
    if (at < 0) return;
    this.#children.splice(at, 1);
    this.#byName.delete(child.name);
    child.#parent = undefined;
  }

  /** `/soc/serial@9000000` (2.2.3). */
  get path(): string {
    if (this.#parent === undefined) return this.name === '' ? '/' : this.name;
    const names: string[] = [];
    for (let node: DeviceNode = this; node.#parent !== undefined; node = node.#parent) names.push(node.name);
    return `/${names.reverse().join('/')}`;
  }

  /** The part after `@`, or undefined. */
  get unitAddress(): string | undefined {
    const at = this.name.indexOf('@');
    return at < 0 ? undefined : this.name.slice(at + 1);
  }

  /** Whether there is a child of exactly this name. */
  hasChild(name: string): boolean {
    return this.#byName.has(name);
  }

  /** The child of this name: the exact one, or, without a unit address, the only one whose name begins so. */
  child(name: string): DeviceNode | undefined {
    const exact = this.#byName.get(name);
    if (exact !== undefined || name.includes('@')) return exact;
    const candidates = this.#children.filter((c) => c.name.startsWith(`${name}@`));
    return candidates.length === 1 ? candidates[0] : undefined;
  }

  has(property: string): boolean {
    return this.properties.has(property);
  }

  #error(code: DeviceTreeErrorCode, property: string, text: string): DeviceTreeError {
    return new DeviceTreeError(code, this.path, property, text);
  }

  /**
   * A property as 32-bit cells; undefined if the node does not have it.
   * @throws DeviceTreeError if its length is no multiple of 4.
   */
  cells(property: string): readonly number[] | undefined {
    const bytes = this.properties.get(property);
    if (bytes === undefined) return undefined;
    if (bytes.length % 4 !== 0) {
      throw this.#error('bad property length', property, `${bytes.length} bytes are no whole number of cells`);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(index * 4));
  }

  /**
   * A property of one cell; undefined if the node does not have it.
   * @throws DeviceTreeError if it is not 4 bytes long.
   */
  u32(property: string): number | undefined {
    const bytes = this.properties.get(property);
    if (bytes === undefined) return undefined;
    if (bytes.length !== 4) throw this.#error('bad property length', property, `${bytes.length} bytes, not one cell`);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
  }

  /**
   * A property of one or two cells as a number; undefined if the node does not have it.
   * @throws DeviceTreeError if it is not 4 or 8 bytes long, or 2^53 or more.
   */
  number(property: string): number | undefined {
    const cells = this.cells(property);
    if (cells === undefined) return undefined;
    if (cells.length !== 1 && cells.length !== 2) {
      throw this.#error('bad property length', property, `${cells.length} cells, not one or two`);
    }
    return this.#join(cells, property);
  }

  /**
   * A property of NUL-terminated strings (2.2.4.1, <stringlist>); undefined if the node does not have it.
   * @throws DeviceTreeError if the last one is not terminated or they are not UTF-8.
   */
  strings(property: string): readonly string[] | undefined {
    const bytes = this.properties.get(property);
    if (bytes === undefined) return undefined;
    if (bytes.length === 0) return [];
    if (bytes[bytes.length - 1] !== 0) throw this.#error('bad string', property, 'the string has no terminator');
    try {
      return decoder.decode(bytes.subarray(0, bytes.length - 1)).split('\0');
    } catch {
      throw this.#error('bad string', property, 'the string is not UTF-8');
    }
  }

  /**
   * A property of one string; undefined if the node does not have it.
   * @throws DeviceTreeError if it is not exactly one terminated string.
   */
  string(property: string): string | undefined {
    const strings = this.strings(property);
    if (strings === undefined) return undefined;
    const [only, ...more] = strings;
    if (only === undefined || more.length > 0) {
      throw this.#error('bad string', property, `${strings.length} strings, not one`);
    }
    return only;
  }

  /** Whether `compatible` (2.3.1) lists this model. */
  isCompatible(model: string): boolean {
    return this.strings('compatible')?.includes(model) ?? false;
  }

  /** Whether `status` (2.3.4) lets the node be used: absent, `okay` or the older `ok`. */
  get enabled(): boolean {
    const status = this.string('status');
    return status === undefined || status === 'okay' || status === 'ok';
  }

  /** `phandle` (2.3.3), or its older name `linux,phandle`. */
  get phandle(): number | undefined {
    return this.u32('phandle') ?? this.u32('linux,phandle');
  }

  /** `#address-cells` that this node states for its children (2.3.5); 2 if it states none. */
  get addressCells(): number {
    return this.u32('#address-cells') ?? 2;
  }

  /** `#size-cells` that this node states for its children (2.3.5); 1 if it states none. */
  get sizeCells(): number {
    return this.u32('#size-cells') ?? 1;
  }

  /** The number in the last two cells (or the only one); 0 of none. */
  #join(cells: readonly number[], property: string): number {
    const lo = cells[cells.length - 1] ?? 0;
    const hi = cells[cells.length - 2] ?? 0;
    const value = hi * TWO_32 + lo;
    if (value > Number.MAX_SAFE_INTEGER) {
      throw this.#error(
        'number too large',
        property,
        `0x${hi.toString(16)}${lo.toString(16).padStart(8, '0')} is beyond 2^53`,
      );
    }
    return value;
  }

  /**
   * `reg` (2.3.6), read with the cell counts of the parent; empty if the node has none.
   * @throws DeviceTreeError if it is no whole number of entries, or a number is 2^53 or more.
   */
  reg(): readonly RegEntry[] {
    const cells = this.cells('reg');
    if (cells === undefined) return [];
    const addressCells = this.#parent?.addressCells ?? 2;
    const sizeCells = this.#parent?.sizeCells ?? 1;
    return this.#split(cells, addressCells + sizeCells, 'reg').map((entry) => {
      const address = entry.slice(0, addressCells);
      return {
        cells: address,
        address: this.#join(address.slice(-2), 'reg'),
        size: this.#join(entry.slice(addressCells).slice(-2), 'reg'),
      };
    });
  }

  /**
   * `ranges` (2.3.8) of a bus node: child addresses by its own cell counts, parent addresses by its parent's. Undefined
   * if the node has none (nothing below can be reached from above); empty means that the two address spaces are one.
   * @throws DeviceTreeError if it is no whole number of entries, or a number is 2^53 or more.
   */
  ranges(): readonly RangeEntry[] | undefined {
    const cells = this.cells('ranges');
    if (cells === undefined) return undefined;
    const parentCells = this.#parent?.addressCells ?? 2;
    const childCells = this.addressCells;
    return this.#split(cells, childCells + parentCells + this.sizeCells, 'ranges').map((entry) => {
      const child = entry.slice(0, childCells);
      return {
        cells: child,
        child: this.#join(child.slice(-2), 'ranges'),
        parent: this.#join(entry.slice(childCells, childCells + parentCells).slice(-2), 'ranges'),
        size: this.#join(entry.slice(childCells + parentCells).slice(-2), 'ranges'),
      };
    });
  }

  #split(cells: readonly number[], each: number, property: string): number[][] {
    if (each === 0 && cells.length > 0) throw this.#error('bad cells', property, 'entries have no cells');
    if (each > 16) throw this.#error('bad cells', property, `an entry of ${each} cells is too long`);
    if (each > 0 && cells.length % each !== 0) {
      throw this.#error('bad property length', property, `${cells.length} cells are no multiple of ${each}`);
    }
    const entries: number[][] = [];
    for (let at = 0; at < cells.length; at += each) entries.push(cells.slice(at, at + each));
    return entries;
  }

  /**
   * An address on this node's parent bus as an address on the root's, by the `ranges` of each bus between (2.3.8).
   * Undefined if a bus on the way does not pass it on.
   */
  translate(address: number): number | undefined {
    let translated = address;
    for (let bus = this.#parent; bus?.parent !== undefined; bus = bus.parent) {
      const ranges = bus.ranges();
      if (ranges === undefined) return undefined;
      if (ranges.length === 0) continue;
      const at: number = translated;
      const range = ranges.find((r) => at >= r.child && at - r.child < r.size);
      if (range === undefined) return undefined;
      translated = at - range.child + range.parent;
    }
    return translated;
  }

  /**
   * The bytes of a property.
   * @throws DeviceTreeError if the node does not have it.
   */
  require(property: string): Uint8Array {
    const bytes = this.properties.get(property);
    if (bytes === undefined) throw this.#error('missing property', property, 'the property is missing');
    return bytes;
  }

  /** This node and everything below, parents first, in order. */
  *walk(): Generator<DeviceNode> {
    const waiting: DeviceNode[] = [this];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      yield node;
      for (let i = node.#children.length - 1; i >= 0; i--) waiting.push(node.#children[i] as DeviceNode);
    }
  }

  /** A copy with everything below, without a parent. */
  clone(): DeviceNode {
    const copy = new DeviceNode(this.name);
    for (const [name, bytes] of this.properties) copy.properties.set(name, bytes.slice());
    for (const child of this.#children) copy.append(child.clone());
    return copy;
  }
}
