/**
 * Device tree source: text to a tree.
 *
 * Devicetree Specification v0.4, chapter 6: nodes, labels, references by label and by path to nodes (as phandles inside
 * of `<...>`, as paths outside), cells of 8, 16, 32 and 64 bits, strings, byte strings, integer expressions, repeated
 * definitions that override earlier ones, `/delete-node/`, `/delete-property/`, `/memreserve/`.
 *
 * The first thing that is wrong ends the reading: a {@link DtsError} with file, line and column.
 *
 * Not supported, and reported as such: `/include/`, `/incbin/`, `/plugin/`, `/omit-if-no-ref/`, the C preprocessor.
 */
import { Scanner, type SourceLocation } from './dts-scanner.js';
import {
  type Label,
  type Piece,
  type Reference,
  readLabels,
  readReference,
  readValue,
  refuseUnsupported,
} from './dts-value.js';
import { DEPTH_LIMIT, isNodeName, isPropertyName } from './fdt-layout.js';
import { cellBytes, DeviceNode, DeviceTree, stringBytes } from './tree.js';

export { DtsError, type SourceLocation } from './dts-scanner.js';

/** A source that was read: its tree, and where in the text things stand. */
export interface DtsSource {
  readonly tree: DeviceTree;
  /** The nodes that have a label, by label. */
  readonly labels: ReadonlyMap<string, DeviceNode>;
  /**
   * Where a node was first opened, or one of its properties last defined; undefined for what the text does not hold.
   */
  locationOf(node: DeviceNode, property?: string): SourceLocation | undefined;
}

const NAME = /[0-9a-zA-Z,._+?#@-]+/y;

interface Property {
  readonly offset: number;
  readonly pieces: readonly Piece[];
}

/**
 * Reads a source.
 * @param file what positions call it
 * @throws DtsError
 */
export function readDts(text: string, file = 'device tree'): DtsSource {
  return new Reader(new Scanner(text, file)).read();
}

class Reader {
  readonly #scanner: Scanner;
  readonly #tree = new DeviceTree();
  readonly #labels = new Map<string, DeviceNode>();
  readonly #nodeOffsets = new Map<DeviceNode, number>();
  /** Properties whose value holds references, and the offsets of all. */
  readonly #properties = new Map<DeviceNode, Map<string, Property>>();
  #nextPhandle = 1;

  constructor(scanner: Scanner) {
    this.#scanner = scanner;
  }

  read(): DtsSource {
    const s = this.#scanner;
    if (s.text.charCodeAt(0) === 0xfeff) s.offset = 1;
    if (!s.accept('/dts-v1/')) s.fail('syntax', `a device tree source begins with '/dts-v1/;', found ${s.found}`);
    s.expect(';');
    let hasRoot = false;
    for (;;) {
      s.skip();
      if (s.offset >= s.text.length) break;
      hasRoot = this.#topLevel() || hasRoot;
    }
    if (!hasRoot) s.fail('syntax', 'the source has no root node');
    this.#resolve();
    const { locate } = s;
    return {
      tree: this.#tree,
      labels: this.#labels,
      locationOf: (node, property) => {
        const offset =
          property === undefined ? this.#nodeOffsets.get(node) : this.#properties.get(node)?.get(property)?.offset;
        return offset === undefined ? undefined : locate.call(s, offset);
      },
    };
  }

  /** One definition of the top level. True if it was the root node. */
  #topLevel(): boolean {
    const s = this.#scanner;
    refuseUnsupported(s);
    if (s.accept('/dts-v1/')) {
      s.expect(';');
      return false;
    }
    const labels = readLabels(s);
    if (s.accept('/memreserve/')) {
      const address = s.integer() ?? s.fail('syntax', `expected an address, found ${s.found}`);
      const size = s.integer() ?? s.fail('syntax', `expected a size, found ${s.found}`);
      this.#tree.reservations.push({ address, size });
      s.expect(';');
      return false;
    }
    if (s.accept('/delete-node/')) {
      const node = this.#definedNode(readReference(s));
      if (node.parent === undefined) s.fail('syntax', 'the root node cannot be deleted');
      this.#delete(node);
      s.expect(';');
      return false;
    }
    const start = s.offset;
    if (s.at('&')) {
      const node = this.#definedNode(readReference(s));
      this.#label(labels, node);
      this.#body(node, 1);
      return false;
    }
    if (s.accept('/')) {
      if (!this.#nodeOffsets.has(this.#tree.root)) this.#nodeOffsets.set(this.#tree.root, start);
      this.#label(labels, this.#tree.root);
      this.#body(this.#tree.root, 1);
      return true;
    }
    return s.fail('syntax', `expected a node, found ${s.found}`);
  }

  #label(labels: readonly Label[], node: DeviceNode): void {
    for (const { name, offset } of labels) {
      const other = this.#labels.get(name);
      if (other !== undefined && other !== node) {
        this.#scanner.fail('duplicate', `the label ${name} stands for ${other.path} already`, offset);
      }
      this.#labels.set(name, node);
    }
  }

  #definedNode(reference: Reference): DeviceNode {
    const { target, isPath, offset } = reference;
    const node = isPath ? this.#tree.byPath(target) : this.#labels.get(target);
    return (
      node ??
      this.#scanner.fail('undefined reference', `there is no node ${isPath ? target : `labelled ${target}`}`, offset)
    );
  }

  #delete(node: DeviceNode): void {
    for (const gone of node.walk()) {
      this.#properties.delete(gone);
      for (const [label, owner] of this.#labels) if (owner === gone) this.#labels.delete(label);
    }
    node.parent?.remove(node);
  }

  /** `{ properties and children };` */
  #body(node: DeviceNode, depth: number): void {
    const s = this.#scanner;
    if (depth > DEPTH_LIMIT) s.fail('nesting', `nodes nest deeper than ${DEPTH_LIMIT}`);
    s.expect('{');
    const seen = new Set<string>();
    let hasChild = false;
    while (!s.accept('}')) {
      refuseUnsupported(s);
      if (s.accept('/delete-node/')) {
        const name = this.#name('node');
        if (node.hasChild(name)) this.#delete(node.child(name) as DeviceNode);
        seen.delete(`${name} {`);
        s.expect(';');
        continue;
      }
      if (s.accept('/delete-property/')) {
        const name = this.#name('property');
        node.properties.delete(name);
        this.#properties.get(node)?.delete(name);
        seen.delete(name);
        s.expect(';');
        continue;
      }
      const labels = readLabels(s);
      s.skip();
      const offset = s.offset;
      const name = s.match(NAME) ?? s.fail('syntax', `expected a property or a node, found ${s.found}`);
      if (s.at('{')) {
        if (!isNodeName(name)) s.fail('syntax', `'${name}' is no node name`, offset);
        if (seen.has(`${name} {`)) s.fail('duplicate', `the node ${name} is here already`, offset);
        seen.add(`${name} {`);
        hasChild = true;
        const child = node.hasChild(name) ? (node.child(name) as DeviceNode) : node.append(new DeviceNode(name));
        if (!this.#nodeOffsets.has(child)) this.#nodeOffsets.set(child, offset);
        this.#label(labels, child);
        this.#body(child, depth + 1);
        continue;
      }
      if (!isPropertyName(name)) s.fail('syntax', `'${name}' is no property name`, offset);
      if (hasChild) s.fail('syntax', `the property ${name} stands behind a child node`, offset);
      if (seen.has(name)) s.fail('duplicate', `the property ${name} is here already`, offset);
      seen.add(name);
      this.#property(node, name, offset);
    }
    s.expect(';');
  }

  #name(what: 'node' | 'property'): string {
    const s = this.#scanner;
    s.skip();
    return s.match(NAME) ?? s.fail('syntax', `expected the name of a ${what}, found ${s.found}`);
  }

  #property(node: DeviceNode, name: string, offset: number): void {
    const s = this.#scanner;
    const pieces: Piece[] = [];
    if (s.accept('=')) {
      do readValue(s, pieces);
      while (s.accept(','));
    }
    if (!s.accept(';')) s.fail('syntax', `expected ';' behind the property ${name}, found ${s.found}`);
    let properties = this.#properties.get(node);
    if (properties === undefined) {
      properties = new Map();
      this.#properties.set(node, properties);
    }
    properties.set(name, { offset, pieces });
    // Holds the property's place among its node's; its bytes come when all nodes are known.
    node.properties.set(name, new Uint8Array(0));
  }

  /** Gives every node that is referred to a phandle, and every property its bytes. */
  #resolve(): void {
    const taken = new Map<number, DeviceNode>();
    for (const [node, properties] of this.#properties) {
      for (const name of ['phandle', 'linux,phandle']) {
        const property = properties.get(name);
        if (property === undefined) continue;
        if (property.pieces.some((piece) => !(piece instanceof Uint8Array))) {
          this.#scanner.fail('unsupported', `${name} is a number of its own, not a reference`, property.offset);
        }
        const bytes = this.#concatenate(property.pieces, taken);
        const value = bytes.length === 4 ? new DataView(bytes.buffer).getUint32(0) : 0;
        if (value === 0 || value === 0xffffffff) {
          this.#scanner.fail('out of range', 'a phandle is one cell, neither 0 nor 0xffffffff', property.offset);
        }
        const other = taken.get(value);
        if (other !== undefined && other !== node) {
          this.#scanner.fail('duplicate', `${other.path} has the phandle ${value} already`, property.offset);
        }
        taken.set(value, node);
        node.properties.set(name, bytes);
      }
    }
    for (const node of this.#tree.root.walk()) {
      for (const [name, property] of this.#properties.get(node) ?? []) {
        node.properties.set(name, this.#concatenate(property.pieces, taken));
      }
    }
  }

  #concatenate(pieces: readonly Piece[], taken: Map<number, DeviceNode>): Uint8Array {
    const parts = pieces.map((piece) => {
      if (piece instanceof Uint8Array) return piece;
      const node = this.#definedNode(piece.reference);
      return piece.as === 'path' ? stringBytes(node.path) : cellBytes(this.#phandle(node, taken));
    });
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  #phandle(node: DeviceNode, taken: Map<number, DeviceNode>): number {
    const own = node.phandle;
    if (own !== undefined) return own;
    while (taken.has(this.#nextPhandle)) this.#nextPhandle++;
    taken.set(this.#nextPhandle, node);
    node.properties.set('phandle', cellBytes(this.#nextPhandle));
    return this.#nextPhandle;
  }
}
