/**
 * Flattened device tree: bytes to a tree (Devicetree Specification v0.4, chapter 5).
 *
 * Takes any bytes: what is wrong with them is a {@link FirmwareFormatError} that says what and at which byte. Each byte
 * of the structure block is read once, and nothing is ever followed backwards.
 */
import {
  align4,
  DEPTH_LIMIT,
  FirmwareFormatError,
  HEADER,
  HEADER_BYTES,
  isNodeName,
  isPropertyName,
  MAGIC,
  NAME_LIMIT,
  TOKEN,
  VERSION,
} from './fdt-layout.js';
import { DeviceNode, DeviceTree } from './tree.js';

interface Block {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Size of the blob that begins here, from its header: how much to read from memory. 0 if there is no header. */
export function fdtSize(bytes: Uint8Array): number {
  if (bytes.length < 8) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return view.getUint32(HEADER.magic) === MAGIC ? view.getUint32(HEADER.totalsize) : 0;
}

/**
 * Reads a blob. Bytes behind its total size are not looked at.
 * @throws FirmwareFormatError if it is not a blob of version 17, or a later one that is compatible with 17.
 */
export function decodeFdt(bytes: Uint8Array): DeviceTree {
  return new Decoder(bytes).decode();
}

class Decoder {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #names = new Map<number, string>();
  #strings: Block = { name: '', start: 0, end: 0 };

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  decode(): DeviceTree {
    const size = this.#bytes.length;
    if (size < HEADER_BYTES) {
      throw new FirmwareFormatError('truncated', size, `the header has ${HEADER_BYTES} bytes, there are ${size}`);
    }
    if (this.#header('magic') !== MAGIC) {
      throw new FirmwareFormatError('bad magic', 0, `0x${this.#header('magic').toString(16)}, not 0xd00dfeed`);
    }
    const version = this.#header('version');
    if (version < VERSION || this.#header('last_comp_version') > VERSION) {
      throw new FirmwareFormatError('unsupported version', HEADER.version, `version ${version} cannot be read as 17`);
    }
    const total = this.#header('totalsize');
    if (total < HEADER_BYTES) {
      throw new FirmwareFormatError('bad offset', HEADER.totalsize, `total size ${total} is smaller than the header`);
    }
    if (total > size) {
      throw new FirmwareFormatError('truncated', size, `the total size is ${total} bytes, there are ${size}`);
    }
    const structure = this.#block('structure block', 'off_dt_struct', this.#header('size_dt_struct'), 4, total);
    this.#strings = this.#block('strings block', 'off_dt_strings', this.#header('size_dt_strings'), 1, total);
    const tree = new DeviceTree();
    tree.bootCpu = this.#header('boot_cpuid_phys');
    const reserved = this.#reservations(tree, total);
    this.#refuseOverlap([{ name: 'header', start: 0, end: HEADER_BYTES }, reserved, structure, this.#strings]);
    this.#structure(tree, structure);
    return tree;
  }

  #header(field: keyof typeof HEADER): number {
    return this.#view.getUint32(HEADER[field]);
  }

  #block(name: string, field: keyof typeof HEADER, size: number, alignment: number, total: number): Block {
    const start = this.#header(field);
    if (start % alignment !== 0) {
      throw new FirmwareFormatError(
        'bad offset',
        HEADER[field],
        `the ${name} at ${start} is not aligned to ${alignment}`,
      );
    }
    if (start > total || size > total - start) {
      throw new FirmwareFormatError(
        'bad offset',
        HEADER[field],
        `the ${name} at ${start}, size ${size}, ends behind ${total}`,
      );
    }
    return { name, start, end: start + size };
  }

  /** 5.3.2: pairs of 64-bit address and size, ended by a pair of zeros. */
  #reservations(tree: DeviceTree, total: number): Block {
    const { start } = this.#block('memory reservation block', 'off_mem_rsvmap', 0, 8, total);
    let at = start;
    for (; at + 16 <= total; at += 16) {
      const address = this.#view.getBigUint64(at);
      const size = this.#view.getBigUint64(at + 8);
      if (address === 0n && size === 0n) return { name: 'memory reservation block', start, end: at + 16 };
      tree.reservations.push({ address, size });
    }
    throw new FirmwareFormatError('unterminated block', at, 'the memory reservation block has no end');
  }

  #refuseOverlap(blocks: Block[]): void {
    const sorted = blocks.filter((b) => b.end > b.start).sort((a, b) => a.start - b.start);
    for (let i = 1; i < sorted.length; i++) {
      const [lower, upper] = [sorted[i - 1] as Block, sorted[i] as Block];
      if (upper.start < lower.end) {
        throw new FirmwareFormatError(
          'blocks overlap',
          upper.start,
          `the ${upper.name} begins inside the ${lower.name}`,
        );
      }
    }
  }

  /** A terminated string that begins at `start` and must end before `end`. */
  #text(start: number, end: number, what: string): string {
    const limit = Math.min(end, start + NAME_LIMIT + 1);
    let text = '';
    for (let at = start; at < limit; at++) {
      const code = this.#bytes[at] as number;
      if (code === 0) return text;
      if (code < 0x20 || code > 0x7e) {
        throw new FirmwareFormatError('bad name', at, `the byte 0x${code.toString(16)} cannot be part of a ${what}`);
      }
      text += String.fromCharCode(code);
    }
    if (limit < end)
      throw new FirmwareFormatError('bad name', start, `the ${what} is longer than ${NAME_LIMIT} characters`);
    throw new FirmwareFormatError('unterminated string', start, `the ${what} has no end`);
  }

  #propertyName(offset: number, at: number): string {
    const known = this.#names.get(offset);
    if (known !== undefined) return known;
    const start = this.#strings.start + offset;
    if (start >= this.#strings.end) {
      throw new FirmwareFormatError('bad offset', at, `the name at ${offset} lies behind the strings block`);
    }
    const name = this.#text(start, this.#strings.end, 'property name');
    if (!isPropertyName(name)) throw new FirmwareFormatError('bad name', start, `'${name}' is no property name`);
    this.#names.set(offset, name);
    return name;
  }

  /** 5.4.2: one root node, then the end. */
  #structure(tree: DeviceTree, block: Block): void {
    let at = block.start;
    const open: DeviceNode[] = [];
    let begun = false;
    const need = (count: number, what: string) => {
      if (count > block.end - at) {
        throw new FirmwareFormatError('truncated', at, `${what} ends behind the structure block`);
      }
    };
    for (;;) {
      if (block.end - at < 4) throw new FirmwareFormatError('unterminated block', at, 'the structure block has no end');
      const tokenAt = at;
      const token = this.#view.getUint32(at);
      at += 4;
      const current = open[open.length - 1];
      if (token === TOKEN.NOP) continue;
      if (token === TOKEN.END) {
        if (current !== undefined || !begun) {
          throw new FirmwareFormatError(
            'bad nesting',
            tokenAt,
            begun ? `${current?.path} is not closed` : 'no root node',
          );
        }
        if (at !== block.end)
          throw new FirmwareFormatError('trailing data', at, 'the structure block goes on behind its end');
        return;
      }
      if (token === TOKEN.BEGIN_NODE) {
        if (current === undefined && begun)
          throw new FirmwareFormatError('bad nesting', tokenAt, 'there are two root nodes');
        if (open.length >= DEPTH_LIMIT) {
          throw new FirmwareFormatError('bad nesting', tokenAt, `nodes nest deeper than ${DEPTH_LIMIT}`);
        }
        const name = this.#text(at, block.end, 'node name');
        if (current === undefined ? name !== '' : !isNodeName(name)) {
          throw new FirmwareFormatError('bad name', at, `'${name}' is no name of a ${current ? '' : 'root '}node`);
        }
        at = align4(at + name.length + 1);
        begun = true;
        if (current === undefined) {
          open.push(tree.root);
          continue;
        }
        if (current.hasChild(name)) {
          throw new FirmwareFormatError('duplicate name', tokenAt, `${current.path} has two children ${name}`);
        }
        open.push(current.append(new DeviceNode(name)));
        continue;
      }
      if (token === TOKEN.END_NODE) {
        if (current === undefined)
          throw new FirmwareFormatError('bad nesting', tokenAt, 'the end of a node that never began');
        open.pop();
        continue;
      }
      if (token !== TOKEN.PROP) {
        throw new FirmwareFormatError('bad token', tokenAt, `0x${token.toString(16)} is no token`);
      }
      if (current === undefined)
        throw new FirmwareFormatError('misplaced property', tokenAt, 'a property outside of any node');
      if (current.children.length > 0) {
        throw new FirmwareFormatError(
          'misplaced property',
          tokenAt,
          `a property of ${current.path} behind its children`,
        );
      }
      need(8, 'a property');
      const length = this.#view.getUint32(at);
      const name = this.#propertyName(this.#view.getUint32(at + 4), at + 4);
      at += 8;
      need(length, `the property ${name}`);
      if (current.properties.has(name)) {
        throw new FirmwareFormatError('duplicate name', tokenAt, `${current.path} has two properties ${name}`);
      }
      current.properties.set(name, this.#bytes.slice(at, at + length));
      at = align4(at + length);
    }
  }
}
