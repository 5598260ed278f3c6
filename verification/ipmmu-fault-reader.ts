/**
 * Reads what an IPMMU-VMSA shows of its last fault in each context. It records less than other IOMMUs: an address, and
 * nothing of who made the access or in which direction. Offsets are those that the Linux and Xen drivers of R-Car Gen3 use:
 * contexts 0x40 apart, IMSTR 0x20, IMELAR 0x30, IMEUAR 0x34; there is no public manual.
 */
import { hex, join, type Pa } from '../src/hw/address.js';
import type { Machine } from '../src/hw/machine.js';
import type { FaultReader, FaultRecord } from './fault-record.js';

const CONTEXTS = 8;
const CONTEXT_BYTES = 0x40;
const IMSTR = 0x20;
const IMELAR = 0x30;
const IMEUAR = 0x34;
/** Bits of IMSTR. */
const TRANSLATION_FAULT = 1;
const PERMISSION_FAULT = 2;
const MULTIPLE_HIT = 0x10;

/** Looks at the contexts of a root IPMMU. Its driver clears what is shown; until then a further fault shows nothing. */
export class IpmmuFaultReader implements FaultReader {
  readonly #machine: Machine;
  readonly #base: Pa;

  /** @param base physical address of the root's registers */
  constructor(machine: Machine, base: Pa) {
    this.#machine = machine;
    this.#base = base;
  }

  #read(context: number, offset: number): number {
    return this.#machine.mmio.read((this.#base + context * CONTEXT_BYTES + offset) as Pa, 4);
  }

  #clear(context: number): void {
    this.#machine.mmio.write((this.#base + context * CONTEXT_BYTES + IMSTR) as Pa, 4, 0);
  }

  skip(): void {
    for (let context = 0; context < CONTEXTS; context++) this.#clear(context);
  }

  take(): FaultRecord[] {
    const found: FaultRecord[] = [];
    for (let context = 0; context < CONTEXTS; context++) {
      const status = this.#read(context, IMSTR);
      if ((status & (TRANSLATION_FAULT | PERMISSION_FAULT | MULTIPLE_HIT)) === 0) continue;
      const inputAddress = join(this.#read(context, IMEUAR) & 0xff, this.#read(context, IMELAR));
      const kind = (status & PERMISSION_FAULT) !== 0 ? 'permission' : 'translation';
      found.push({
        kind,
        name: `IMSTR ${hex(status)}`,
        streamId: undefined,
        write: undefined,
        inputAddress,
        text: `${kind} fault at ${hex(inputAddress)} in context ${context}`,
      });
      this.#clear(context);
    }
    return found;
  }
}
