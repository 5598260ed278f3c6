/**
 * Flattened device tree: a tree as one block of bytes, both ways.
 *
 * Devicetree Specification v0.4, chapter 5; version 17 of the format. Everything is big-endian.
 *
 * Not modelled: versions before 17 (no size of the structure block), and overlays.
 */
export { decodeFdt, fdtSize } from './fdt-decode.js';
export { encodeFdt } from './fdt-encode.js';
export { FirmwareFormatError } from './fdt-layout.js';
