/** Flattened device tree: a tree to bytes (Devicetree Specification v0.4, chapter 5). */
import {
  align4,
  HEADER,
  HEADER_BYTES,
  isNodeName,
  isPropertyName,
  LAST_COMPATIBLE_VERSION,
  MAGIC,
  TOKEN,
  VERSION,
} from './fdt-layout.js';
import type { DeviceNode, DeviceTree } from './tree.js';

/**
 * Writes a blob of version 17: header, memory reservation block, structure block, strings block, in this order.
 * @throws RangeError if a name of the tree cannot be written.
 */
export function encodeFdt(tree: DeviceTree): Uint8Array {
  const nameOffsets = new Map<string, number>();
  let strings = '';
  let structBytes = 4;
  for (const node of tree.root.walk()) {
    const isRoot = node === tree.root;
    if (isRoot ? node.name !== '' : !isNodeName(node.name)) throw new RangeError(`'${node.name}' is no node name`);
    structBytes += 4 + align4(node.name.length + 1) + 4;
    for (const [name, value] of node.properties) {
      if (!isPropertyName(name)) throw new RangeError(`'${name}' of ${node.path} is no property name`);
      structBytes += 12 + align4(value.length);
      if (nameOffsets.has(name)) continue;
      nameOffsets.set(name, strings.length);
      strings += `${name}\0`;
    }
  }
  const reserveBytes = (tree.reservations.length + 1) * 16;
  const structStart = HEADER_BYTES + reserveBytes;
  const stringsStart = structStart + structBytes;
  const bytes = new Uint8Array(stringsStart + strings.length);
  const view = new DataView(bytes.buffer);
  const put = (field: keyof typeof HEADER, value: number) => view.setUint32(HEADER[field], value);
  put('magic', MAGIC);
  put('totalsize', bytes.length);
  put('off_dt_struct', structStart);
  put('off_dt_strings', stringsStart);
  put('off_mem_rsvmap', HEADER_BYTES);
  put('version', VERSION);
  put('last_comp_version', LAST_COMPATIBLE_VERSION);
  put('boot_cpuid_phys', tree.bootCpu);
  put('size_dt_strings', strings.length);
  put('size_dt_struct', structBytes);
  tree.reservations.forEach(({ address, size }, index) => {
    view.setBigUint64(HEADER_BYTES + index * 16, address);
    view.setBigUint64(HEADER_BYTES + index * 16 + 8, size);
  });

  const encoder = new TextEncoder();
  let at = structStart;
  const putCell = (value: number) => {
    view.setUint32(at, value);
    at += 4;
  };
  const putNode = (node: DeviceNode) => {
    putCell(TOKEN.BEGIN_NODE);
    bytes.set(encoder.encode(node.name), at);
    at += align4(node.name.length + 1);
    for (const [name, value] of node.properties) {
      putCell(TOKEN.PROP);
      putCell(value.length);
      putCell(nameOffsets.get(name) as number);
      bytes.set(value, at);
      at += align4(value.length);
    }
    for (const child of node.children) putNode(child);
    putCell(TOKEN.END_NODE);
  };
  putNode(tree.root);
  putCell(TOKEN.END);
  bytes.set(encoder.encode(strings), stringsStart);
  return bytes;
}
