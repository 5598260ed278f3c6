/** Errors of a board description, each with its place in the text. */
import type { DtsSource, SourceLocation } from '../firmware/dts.js';
import { type DeviceNode, DeviceTreeError } from '../firmware/tree.js';

/** What can be wrong with a board description. */
export type BoardErrorCode =
  | 'missing node'
  | 'missing property'
  | 'bad property'
  | 'unknown device'
  | 'overlap'
  | 'no room';

/** A board description that makes no machine. The message begins with `file:line:column` where the place is known. */
export class BoardError extends Error {
  readonly code: BoardErrorCode;
  readonly location: SourceLocation | undefined;
  constructor(code: BoardErrorCode, location: SourceLocation | undefined, text: string) {
    super(location === undefined ? text : `${location.file}:${location.line}:${location.column}: ${text}`);
    this.name = 'BoardError';
    this.code = code;
    this.location = location;
  }
}

/** A source, with readings that say where it is wrong. */
export class BoardSource {
  readonly source: DtsSource;

  constructor(source: DtsSource) {
    this.source = source;
  }

  /** Throws with the place of a node, or of one of its properties if that stands in the text. */
  fail(code: BoardErrorCode, node: DeviceNode, text: string, property?: string): never {
    const place = property === undefined ? undefined : this.source.locationOf(node, property);
    throw new BoardError(code, place ?? this.source.locationOf(node), `${node.path}: ${text}`);
  }

  /** Runs a reading; a property that cannot be read becomes a {@link BoardError} with its place. */
  reading<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof DeviceTreeError)) throw error;
      const node = this.source.tree.byPath(error.path);
      const place = node && (this.source.locationOf(node, error.property) ?? this.source.locationOf(node));
      const code = error.code === 'missing property' ? 'missing property' : 'bad property';
      throw new BoardError(code, place, error.message);
    }
  }

  /** Makes a part of the model; a parameter that it refuses is a mistake of the node that gives it. */
  making<T>(node: DeviceNode, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (error instanceof RangeError) return this.fail('bad property', node, error.message);
      throw error;
    }
  }

  /** The node that a phandle property names. */
  nodeNamed(node: DeviceNode, property: string): DeviceNode {
    const phandle = this.reading(() => node.u32(property));
    if (phandle === undefined) return this.fail('missing property', node, `the property ${property} is missing`);
    const named = this.source.tree.byPhandle(phandle);
    return named ?? this.fail('missing node', node, `${property}: no node has the phandle ${phandle}`, property);
  }

  /** A property of one cell, with a default. */
  u32(node: DeviceNode, property: string, otherwise: number): number {
    return this.reading(() => node.u32(property)) ?? otherwise;
  }
}
