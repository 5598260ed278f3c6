/**
 * Frame numbers. It is important not to mix these spaces up, so each has a type of its own; all count 4 KiB frames.
 *
 * - `Mfn`  machine frame: a frame of the machine's physical address space.
 * - `Gfn`  guest frame: a frame as a guest sees it, input of the domain's p2m.
 *
 * Xen has a third, `dfn`: a frame as a device sees it on its bus. Here IOMMUs translate by the p2m, and a dfn is a gfn.
 */
import { type Pa, pa } from '../hw/address.js';

declare const space: unique symbol;

/** A machine frame number. */
export type Mfn = number & { readonly [space]: 'mfn' };
/** A guest frame number. */
export type Gfn = number & { readonly [space]: 'gfn' };

/** Bytes of a frame; the granule of all translation tables. */
export const PAGE_SIZE = 4096;
export const PAGE_SHIFT = 12;

/** Makes a machine frame number. */
export const mfn = (value: number): Mfn => value as Mfn;
/** Makes a guest frame number. */
export const gfn = (value: number): Gfn => value as Gfn;

/** The machine address at which a frame begins. */
export const maddr = (frame: Mfn): Pa => pa(frame * PAGE_SIZE);
/** The frame that holds a machine address. */
export const maddrToMfn = (address: number): Mfn => Math.floor(address / PAGE_SIZE) as Mfn;
/** The frame that holds a guest physical address. */
export const gaddrToGfn = (address: number): Gfn => Math.floor(address / PAGE_SIZE) as Gfn;

/** A frame some frames further on. */
export const mfnAdd = (frame: Mfn, count: number): Mfn => (frame + count) as Mfn;
export const gfnAdd = (frame: Gfn, count: number): Gfn => (frame + count) as Gfn;

/** Frames that hold so many bytes. */
export const frames = (bytes: number): number => Math.ceil(bytes / PAGE_SIZE);
