/** Device registers that Xen emulates for a domain: what a guest's access to them traps into. */
import type { Value64 } from '../hw/machine.js';
import type { Vcpu, Xen } from './xen.js';

/** A region of guest physical addresses that Xen answers for. */
export interface MmioHandler {
  /** For messages: `vGICD`. */
  readonly name: string;
  /** Guest physical address, in bytes. */
  readonly address: number;
  readonly size: number;
  /** Reads 1, 2, 4 or 8 naturally aligned bytes. Undefined: the guest takes an abort. */
  read(xen: Xen, vcpu: Vcpu, offset: number, width: 1 | 2 | 4 | 8): Value64 | undefined;
  /** Writes 1, 2, 4 or 8 naturally aligned bytes. False: the guest takes an abort. */
  write(xen: Xen, vcpu: Vcpu, offset: number, width: 1 | 2 | 4 | 8, value: Value64): boolean;
}
