/**
 * The devices of the boards, named once for all checks, by hand from the board files. Stream ids follow from `iommu-map`:
 * segment 0 maps requester ids one to one, segment 1 from 0x8000.
 */
import type { Sbdf } from '../src/hw/machine.js';

/** A device that DMAs on command, with the stream id that its requests carry at the IOMMU. */
export interface Endpoint extends Sbdf {
  readonly streamId: number;
}

/** Kept for passthrough: quarantined from boot. */
export const QUARANTINED: {
  readonly first: Endpoint;
  readonly behindBridge: Endpoint;
  readonly otherSegment: Endpoint;
} = {
  first: { segment: 0, bus: 0, device: 1, function: 0, streamId: 0x8 },
  behindBridge: { segment: 0, bus: 5, device: 0, function: 0, streamId: 0x500 },
  otherSegment: { segment: 1, bus: 0, device: 2, function: 0, streamId: 0x8010 },
};

/** Given to the hardware domain at boot. */
export const HARDWARE_DOMAINS: {
  readonly first: Endpoint;
  readonly second: Endpoint;
  readonly otherSegment: Endpoint;
} = {
  first: { segment: 0, bus: 0, device: 2, function: 0, streamId: 0x10 },
  second: { segment: 0, bus: 0, device: 5, function: 0, streamId: 0x28 },
  otherSegment: { segment: 1, bus: 0, device: 1, function: 0, streamId: 0x8008 },
};

/** Where guests have their RAM (xen/include/public/arch-arm.h, GUEST_RAM0_BASE). */
export const GUEST_RAM = 0x4000_0000;

/** The registers device with three adjacent pages, and one page above that is nothing. */
export const REGISTERS = { address: 0x0a00_0000, size: 0x3000 } as const;
