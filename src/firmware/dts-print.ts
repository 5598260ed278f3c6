/**
 * Prints a tree as device tree source (Devicetree Specification v0.4, chapter 6): what {@link readDts} reads back as
 * the same tree, byte for byte. Labels are not part of a tree, so phandles are printed as numbers.
 */
import type { DeviceNode, DeviceTree } from './tree.js';

/** Whether the bytes are strings that a reader would want to see as such: terminated, printable, none of them empty. */
function asStrings(bytes: Uint8Array): string[] | undefined {
  if (bytes.length < 2 || bytes[bytes.length - 1] !== 0) return undefined;
  const strings: string[] = [];
  let text = '';
  for (const byte of bytes) {
    if (byte === 0) {
      if (text === '') return undefined;
      strings.push(text);
      text = '';
    } else if (byte >= 0x20 && byte <= 0x7e) {
      text += String.fromCharCode(byte);
    } else {
      return undefined;
    }
  }
  return strings;
}

function printValue(bytes: Uint8Array): string {
  const strings = asStrings(bytes);
  if (strings !== undefined) return strings.map((s) => `"${s.replace(/["\\]/g, '\\$&')}"`).join(', ');
  const digits = (index: number, count: number) =>
    Array.from(bytes.subarray(index, index + count), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const parts: string[] = [];
  const step = bytes.length % 4 === 0 ? 4 : 1;
  for (let at = 0; at < bytes.length; at += step) parts.push(digits(at, step));
  return step === 4 ? `<${parts.map((p) => `0x${p.replace(/^0+(?=.)/, '')}`).join(' ')}>` : `[${parts.join(' ')}]`;
}

function printNode(node: DeviceNode, indent: string, lines: string[]): void {
  lines.push(`${indent}${node.name === '' ? '/' : node.name} {`);
  const inner = `${indent}\t`;
  for (const [name, bytes] of node.properties) {
    lines.push(bytes.length === 0 ? `${inner}${name};` : `${inner}${name} = ${printValue(bytes)};`);
  }
  for (const child of node.children) {
    lines.push('');
    printNode(child, inner, lines);
  }
  lines.push(`${indent}};`);
}

/** The source text of a tree, with a line feed at its end. */
export function printDts(tree: DeviceTree): string {
  const lines = ['/dts-v1/;', ''];
  for (const { address, size } of tree.reservations) {
    lines.push(`/memreserve/ 0x${address.toString(16)} 0x${size.toString(16)};`, '');
  }
  printNode(tree.root, '', lines);
  return `${lines.join('\n')}\n`;
}
