/**
 * Reads what an SMMUv3 recorded, from the event queue in memory, as an observer beside the driver: it keeps an index of
 * its own and moves no register. Positions are restated from Arm IHI 0070 G.b: queue registers 6.3.26 to 6.3.28,
 * records 7.3.
 */
import { hex, join, type Pa } from '../src/hw/address.js';
import type { Machine } from '../src/hw/machine.js';
import type { FaultReader, FaultRecord } from './fault-record.js';

const EVENTQ_BASE = 0xa0;
const EVENTQ_PROD = 0x100a8;
const RECORD_BYTES = 32;

const NAMES: Readonly<Record<number, string>> = {
  1: 'F_UUT',
  2: 'C_BAD_STREAMID',
  3: 'F_STE_FETCH',
  4: 'C_BAD_STE',
  5: 'F_BAD_ATS_TREQ',
  6: 'F_STREAM_DISABLED',
  7: 'F_TRANSL_FORBIDDEN',
  8: 'C_BAD_SUBSTREAMID',
  9: 'F_CD_FETCH',
  10: 'C_BAD_CD',
  11: 'F_WALK_EABT',
  16: 'F_TRANSLATION',
  17: 'F_ADDR_SIZE',
  18: 'F_ACCESS',
  19: 'F_PERMISSION',
  32: 'F_TLB_CONFLICT',
  33: 'F_CFG_CONFLICT',
};

const KINDS: Readonly<Record<string, FaultRecord['kind']>> = {
  F_TRANSLATION: 'translation',
  F_PERMISSION: 'permission',
  F_ADDR_SIZE: 'address size',
};

/** A record of the event queue, with what only an SMMUv3 tells. */
export interface EventRecord extends FaultRecord {
  /** Whether stage 2 found the fault. */
  readonly stage2: boolean;
  /** Bits 51:12 of the intermediate address; of meaning if {@link stage2}. */
  readonly ipa: number;
}

/** Follows the event queue of one SMMUv3. */
export class EventQueueReader implements FaultReader {
  readonly #machine: Machine;
  readonly #base: Pa;
  #index = 0;

  /** @param base physical address of the SMMU's registers */
  constructor(machine: Machine, base: Pa) {
    this.#machine = machine;
    this.#base = base;
  }

  /** Index and wrap bit of the producer, and the queue's place. */
  #queue(): { readonly producer: number; readonly log2: number; readonly address: number } {
    const { lo, hi } = this.#machine.mmio.read64((this.#base + EVENTQ_BASE) as Pa);
    const log2 = lo & 0x1f;
    const producer = this.#machine.mmio.read((this.#base + EVENTQ_PROD) as Pa, 4) & (2 ** (log2 + 1) - 1);
    const size = RECORD_BYTES * 2 ** log2;
    const address = join(hi & 0xfffff, (lo & ~0x1f) >>> 0);
    return { producer, log2, address: address - (address % Math.max(size, 32)) };
  }

  /** Passes over everything recorded so far. */
  skip(): void {
    this.#index = this.#queue().producer;
  }

  /** The records since the last call, oldest first. */
  take(): EventRecord[] {
    const { producer, log2, address } = this.#queue();
    const found: EventRecord[] = [];
    const span = 2 ** (log2 + 1);
    while (this.#index !== producer) {
      const slot = this.#index % 2 ** log2;
      found.push(decode(this.#machine.memory.peek((address + slot * RECORD_BYTES) as Pa, RECORD_BYTES)));
      this.#index = (this.#index + 1) % span;
    }
    return found;
  }
}

function decode(bytes: Uint8Array): EventRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, RECORD_BYTES);
  const word = (index: number) => view.getUint32(index * 4, true);
  const type = word(0) & 0xff;
  const name = NAMES[type] ?? `event ${hex(type)}`;
  const streamId = word(1);
  // Doubleword 1, bit 35 RnW, bit 39 S2: bits 3 and 7 of the word at byte 12.
  const write = (word(3) & (1 << 3)) === 0;
  const stage2 = (word(3) & (1 << 7)) !== 0;
  const inputAddress = join(word(5), word(4));
  const ipa = join(word(7) & 0xfffff, (word(6) & 0xfffff000) >>> 0);
  const where = type >= 0x10 ? ` ${write ? 'write' : 'read'} ${hex(inputAddress)}${stage2 ? ' stage 2' : ''}` : '';
  const kind = KINDS[name] ?? 'other';
  return { kind, name, streamId, write, stage2, inputAddress, ipa, text: `${name} stream ${hex(streamId)}${where}` };
}
