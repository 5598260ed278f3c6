/**
 * Interrupts of the SMMU. Arm IHI 0070 3.18 (sources, wired outputs and MSIs), 6.3.16 to 6.3.23, 6.3.31 to 6.3.36, 7.5.
 *
 * A source is an event, never a level: the event queue becomes non-empty, the PRI queue does or a page request is the
 * last of its group (PRIQ_IRQ_CFG2.LO), an error becomes active, a CMD_SYNC completes. IRQ_CTRL lets it through at that
 * time, or it is lost; CMD_SYNC has no such enable. It is sent as an MSI if the SMMU has MSIs and an address is set for
 * it, else as a pulse of the source's wired output, if the system connects one. It arrives some accesses after what it
 * tells of.
 *
 * An aborted GERROR MSI becomes an active error without an interrupt: that would go the same way.
 */

import { hex } from '../../address.js';
import { type Field, get, getAddress } from '../../bits.js';
import type { InterruptLine } from '../../interrupt.js';
import type { Deferral } from '../../latency.js';
import type { Tell } from './event-queue.js';
import type { Features } from './features.js';
import { GERROR, IRQ_CFG0, IRQ_CTRL, PRIQ_IRQ_CFG2 } from './layout.js';
import { type InterruptSource, mask, type RegisterFile } from './registers.js';

/** The wired outputs that the system connects. Each is edge-triggered. */
export interface InterruptLines {
  readonly eventq?: InterruptLine;
  readonly priq?: InterruptLine;
  readonly cmdqSync?: InterruptLine;
  readonly gerror?: InterruptLine;
}

/** What interrupts need. */
export interface InterruptParts {
  readonly features: Features;
  readonly registers: RegisterFile;
  readonly lines: InterruptLines;
  /** Where interrupts are on their way. */
  readonly deliveries: Deferral;
  /** Writes an MSI. False: it was aborted. */
  readonly writeMsi: (address: number, data: number) => boolean;
  readonly tell: Tell;
}

/** What has interrupts, with its output and the error that its aborted MSI becomes. */
const OUTPUTS = {
  EVENTQ: { line: 'eventq', aborted: GERROR.MSI_EVENTQ_ABT_ERR },
  PRIQ: { line: 'priq', aborted: GERROR.MSI_PRIQ_ABT_ERR },
  CMD_SYNC: { line: 'cmdqSync', aborted: GERROR.MSI_CMDQ_ABT_ERR },
  GERROR: { line: 'gerror', aborted: GERROR.MSI_GERROR_ABT_ERR },
} as const satisfies Record<InterruptSource | 'CMD_SYNC', { line: keyof InterruptLines; aborted: Field }>;

/** The interrupts of one SMMU. */
export class Interrupts {
  readonly #parts: InterruptParts;

  constructor(parts: InterruptParts) {
    this.#parts = parts;
  }

  /** The event queue was empty and holds a record. */
  eventQueueNonEmpty(): void {
    this.#trigger('EVENTQ');
  }

  /**
   * A page request was queued.
   * @param first the queue was empty
   * @param last it is the last of its group
   */
  pageRequestQueued(first: boolean, last: boolean): void {
    const cfg2 = this.#parts.registers.interrupts.PRIQ.subarray(3);
    if (get(cfg2, PRIQ_IRQ_CFG2.LO) === 1 ? last : first) this.#trigger('PRIQ');
  }

  /** A global error became active. */
  errorActive(error: Field): void {
    if (error !== GERROR.MSI_GERROR_ABT_ERR) this.#trigger('GERROR');
  }

  /** A CMD_SYNC that asks for an interrupt completed; its MSI has an address of its own, 0 for none (4.7.3). */
  synchronized(address: number, data: number): void {
    this.#send('CMD_SYNC', address, data);
  }

  /** Everything under way arrives. */
  flush(): void {
    this.#parts.deliveries.flush();
  }

  #trigger(source: InterruptSource): void {
    const { registers } = this.#parts;
    if ((registers.irqCtrlAck & mask(IRQ_CTRL[source])) === 0) return;
    const words = registers.interrupts[source];
    this.#send(source, getAddress(words, IRQ_CFG0.ADDR), words[2] as number);
  }

  #send(source: InterruptSource | 'CMD_SYNC', address: number, data: number): void {
    const { features, registers, lines, deliveries, writeMsi, tell } = this.#parts;
    const { line: output, aborted } = OUTPUTS[source];
    if (features.msi && address !== 0) {
      const to = address % 2 ** features.outputBits;
      deliveries.defer(() => {
        tell(source, `MSI ${hex(data)} to ${hex(to)}`);
        if (!writeMsi(to, data)) registers.raise(aborted);
      });
      return;
    }
    const line = lines[output];
    if (line === undefined) return;
    deliveries.defer(() => {
      tell(source, 'wired');
      line.set(true);
      line.set(false);
    });
  }
}
