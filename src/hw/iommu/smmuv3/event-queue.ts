/**
 * The event queue and the PRI queue as the SMMU fills them. Arm IHI 0070 3.5.2, 3.5.3, 7.2 and 7.4 (what happens when a
 * record cannot be written), 8.1 and 8.2 (page requests).
 *
 * A record becomes visible some accesses after its transaction ended; a CMD_SYNC makes all of them visible. Records of
 * terminated transactions are lost when the queue cannot take them, those of stalled ones are kept back.
 */
import { encode } from '../../bits.js';
import type { Deferral } from '../../latency.js';
import type { PhysicalMemory } from '../../memory.js';
import { describeEvent, encodeEvent, type Fault } from './events.js';
import { CR0, EVENT_BYTES, GERROR, PAGE_REQUEST, PAGE_REQUEST_BYTES } from './layout.js';
import { isEmpty, isFull, overflow, push } from './queues.js';
import type { RegisterFile } from './registers.js';

/** Takes what is told of a record: the name of the event and the record in words. */
export type Tell = (name: string, text: string) => void;

/** The event queue. */
export class EventQueue {
  readonly #registers: RegisterFile;
  readonly #memory: PhysicalMemory;
  readonly #visible: Deferral;
  readonly #tell: Tell;
  readonly #nonEmpty: () => void;

  /**
   * @param visible where records wait
   * @param nonEmpty told when the queue was empty and is not any more
   */
  constructor(registers: RegisterFile, memory: PhysicalMemory, visible: Deferral, tell: Tell, nonEmpty: () => void) {
    this.#registers = registers;
    this.#memory = memory;
    this.#visible = visible;
    this.#tell = tell;
    this.#nonEmpty = nonEmpty;
  }

  /** Whether the queue takes records: enabled, without an active abort, and with room (3.5.2). */
  get isWritable(): boolean {
    const { events } = this.#registers;
    return this.#takesRecords() && !isFull(events.prod, events.cons, this.#registers.queueBits('EVENTQ'));
  }

  #takesRecords(): boolean {
    return this.#registers.isEnabled(CR0.EVENTQEN) && !this.#registers.isActive(GERROR.EVENTQ_ABT_ERR);
  }

  /**
   * Records the fault of a transaction, in time.
   * @param kept called if the record of a stalled transaction could not be written and must be made again
   */
  record(fault: Fault, kept: () => void = () => {}): void {
    const words = encodeEvent(fault);
    const text = describeEvent(fault);
    const { name } = fault;
    const stalled = fault.stag >= 0;
    this.#visible.defer(() => {
      if (!this.#commit(words, name, text, stalled)) kept();
    });
  }

  /** Makes everything visible that waits. */
  flush(): void {
    this.#visible.flush();
  }

  /** Whether the record is dealt with: written, or lost. A stalled one is never lost. */
  #commit(words: Uint32Array, name: string, text: string, stalled: boolean): boolean {
    if (!this.#takesRecords()) return !stalled;
    const registers = this.#registers;
    const base = registers.queueAddress('EVENTQ', EVENT_BYTES);
    const bits = registers.queueBits('EVENTQ');
    const wasEmpty = isEmpty(registers.events.prod, registers.events.cons, bits);
    const result = push(this.#memory, base, bits, registers.events, words);
    if (result === 'written') {
      this.#tell(name, text);
      if (wasEmpty) this.#nonEmpty();
      return true;
    }
    if (stalled) {
      if (result === 'abort') registers.raise(GERROR.EVENTQ_ABT_ERR);
      return false;
    }
    if (result === 'full') {
      overflow(registers.events);
      this.#tell('OVFLG', `event queue overflow, lost: ${text}`);
    } else {
      registers.raise(GERROR.EVENTQ_ABT_ERR);
      this.#tell('EVENTQ_ABT_ERR', `event queue not in memory, lost: ${text}`);
    }
    return true;
  }
}

/** A PCIe page request message (PCI Express Base 10.4.1), as it reaches the SMMU. */
export interface PageRequest {
  readonly streamId: number;
  /** PASID, or undefined. */
  readonly substreamId: number | undefined;
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  readonly privileged: boolean;
  readonly last: boolean;
  readonly group: number;
  /** Number of the 4 KiB page asked for. */
  readonly page: number;
}

/** What became of a page request: queued or dropped, or answered by the SMMU itself with a PRG response of this code. */
export type PageRequestAnswer = 'queued' | 'dropped' | 'success' | 'failure';

/** The PRI queue. */
export class PageRequestQueue {
  readonly #registers: RegisterFile;
  readonly #memory: PhysicalMemory;
  readonly #queued: (first: boolean, last: boolean) => void;

  /** @param queued told of each request in the queue: whether that was empty, whether it is the last of its group */
  constructor(registers: RegisterFile, memory: PhysicalMemory, queued: (first: boolean, last: boolean) => void) {
    this.#registers = registers;
    this.#memory = memory;
    this.#queued = queued;
  }

  /**
   * Takes a page request. While the queue is off (PRIQEN counts only with SMMUEN, 6.3.9.5) or aborts, it is answered
   * with failure; while the queue is full or an overflow awaits its acknowledgement, with success if it is the last of its
   * group, else dropped (8.1, 8.2).
   */
  take(request: PageRequest): PageRequestAnswer {
    const registers = this.#registers;
    const enabled = registers.isEnabled(CR0.PRIQEN) && registers.isEnabled(CR0.SMMUEN);
    if (!enabled || registers.isActive(GERROR.PRIQ_ABT_ERR)) return 'failure';
    const indices = registers.pageRequests;
    const overflowed = ((indices.prod ^ indices.cons) & 0x8000_0000) !== 0;
    const bits = registers.queueBits('PRIQ');
    if (!overflowed && !isFull(indices.prod, indices.cons, bits)) {
      const base = registers.queueAddress('PRIQ', PAGE_REQUEST_BYTES);
      const wasEmpty = isEmpty(indices.prod, indices.cons, bits);
      if (push(this.#memory, base, bits, indices, encodeRequest(request)) === 'written') {
        this.#queued(wasEmpty, request.last);
        return 'queued';
      }
      registers.raise(GERROR.PRIQ_ABT_ERR);
      return 'failure';
    }
    overflow(indices);
    return request.last ? 'success' : 'dropped';
  }
}

function encodeRequest(request: PageRequest): Uint32Array {
  return encode(PAGE_REQUEST, PAGE_REQUEST_BYTES * 8, {
    SID: request.streamId,
    SSID: request.substreamId ?? 0,
    SSV: request.substreamId === undefined ? 0 : 1,
    PRIV: request.privileged ? 1 : 0,
    EXEC: request.execute ? 1 : 0,
    READ: request.read ? 1 : 0,
    WRITE: request.write ? 1 : 0,
    LAST: request.last ? 1 : 0,
    PRG_INDEX: request.group,
    ADDR: request.page,
  });
}
