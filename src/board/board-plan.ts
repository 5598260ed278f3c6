/** A board as read and judged: all that making a machine of it needs. */
import type { DeviceTree } from '../firmware/tree.js';
import type { ObserverPorts } from '../hw/observer.js';
import type { DevicePlan } from './device-plan.js';

/** Choices of who powers a board on, beyond what observes it. */
export interface PowerOptions extends ObserverPorts {
  /** Largest delay of the hardware in accesses, instead of the board's. */
  readonly latency?: number;
  /** Seed of the delays, instead of the board's. */
  readonly seed?: number;
  /**
   * What a boot loader changes in the tree before it is handed over: nodes of domains and modules below `/chosen`, say. The
   * bytes of modules are poked by the caller, into RAM that the tree reserves.
   */
  readonly boot?: (tree: DeviceTree) => void;
}

/** A RAM bank. */
export interface RamBank {
  readonly address: number;
  readonly size: number;
}

/** What a board file says, judged. */
export interface BoardPlan {
  readonly name: string;
  readonly ram: readonly RamBank[];
  readonly devices: readonly DevicePlan[];
  readonly cpus: Arm64Plan;
  readonly latency: number;
  readonly seed: number;
  readonly fdtAddress: number;
  readonly fdt: Uint8Array;
}

/** The CPUs of an Arm64 board. */
export interface Arm64Plan {
  readonly count: number;
}
