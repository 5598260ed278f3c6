/**
 * Replays SMMUv3 cases on a bare {@link Smmuv3} with memory, as the cases were recorded: from reset, without latency.
 *
 * A write has to arrive where it was observed and to change nothing else in memory but the records of its events; a
 * read has to bring the bytes that were there. `event` and `no event` speak of the records that the DMA step before
 * appended. A step that was observed to be stale may end as on an SMMU with cold caches instead; the records that follow
 * are not compared then.
 */
import { join, pa } from '../hw/address.js';
import { get } from '../hw/bits.js';
import { Bus } from '../hw/bus.js';
import type { IdRegisters } from '../hw/iommu/smmuv3/features.js';
import { EVENT_BYTES, QUEUE_BASE, REGISTER } from '../hw/iommu/smmuv3/layout.js';
import { advance, entryAddress } from '../hw/iommu/smmuv3/queues.js';
import { Smmuv3 } from '../hw/iommu/smmuv3/smmuv3.js';
import { Latency } from '../hw/latency.js';
import { type ByteRange, PhysicalMemory } from '../hw/memory.js';
import { Observer } from '../hw/observer.js';
import type { StepDifference } from './replay.js';
import type { DmaExpectation, Number64, Step, VectorCase } from './vectors.js';

/** The machine that cases were recorded on. */
export interface RecordedMachine {
  readonly idr: IdRegisters;
  readonly ram: readonly { readonly base: number; readonly length: number }[];
}

/** The `virt` board of the recording: SMMUv3.1, 256 MiB of RAM. */
export const RECORDED_MACHINE: RecordedMachine = {
  idr: { IDR0: 0x0d44101b, IDR1: 0x02730010, IDR3: 0x1414, IDR5: 0x74, IIDR: 0, AIDR: 1 },
  ram: [{ base: 0x4000_0000, length: 0x1000_0000 }],
};

/** Replays a case; {@link RECORDED_MACHINE} unless another is given. */
export function replaySmmuv3(vector: VectorCase, machine: RecordedMachine = RECORDED_MACHINE): StepDifference[] {
  const run = new Run(machine, vector.requester);
  const differences: StepDifference[] = [];
  vector.steps.forEach((step, index) => {
    const outcome = run.step(step);
    if (outcome !== undefined) differences.push({ step: index + 1, kind: step.kind, ...outcome });
  });
  return differences;
}

interface Outcome {
  readonly expected: string;
  readonly got: string;
  readonly anew?: true;
}

const INDEX_MASK = 0xf_ffff;

function hexBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function hex64({ hi, lo }: Number64): string {
  return `0x${join(hi, lo).toString(16)}`;
}

/** One run of a case. */
class Run {
  readonly #memory = new PhysicalMemory();
  readonly #machine: RecordedMachine;
  readonly #smmu: Smmuv3;
  readonly #requester: number;
  /** Records that the last DMA step appended. */
  #records: Uint8Array[] = [];
  /** That step had another outcome than the observed one, which was stale: its records are others too. */
  #anew = false;

  constructor(machine: RecordedMachine, requester: number) {
    for (const { base, length } of machine.ram) this.#memory.addRange(pa(base), length);
    this.#requester = requester;
    this.#machine = machine;
    this.#smmu = this.#makeSmmu();
  }

  #makeSmmu(): Smmuv3 {
    return new Smmuv3({
      name: 'smmu',
      idr: this.#machine.idr,
      bus: new Bus(this.#memory),
      observer: new Observer(),
      latency: new Latency(0, 0),
    });
  }

  /** Does a step. Undefined: as expected, or nothing was. */
  step(step: Step): Outcome | undefined {
    switch (step.kind) {
      case 'store':
        if (this.#memory.write(join(step.address.hi, step.address.lo), step.bytes)) return undefined;
        return { expected: `memory at ${hex64(step.address)}`, got: 'none' };
      case 'memory': {
        const bytes = new Uint8Array(step.bytes.length);
        this.#memory.read(join(step.address.hi, step.address.lo), bytes);
        return compare(hexBytes(step.bytes), hexBytes(bytes));
      }
      case 'write register':
        this.#smmu.writeRegister(step.offset, 4, step.value.lo);
        if (step.width === 8) this.#smmu.writeRegister(step.offset + 4, 4, step.value.hi);
        return undefined;
      case 'read register':
        return this.#readRegister(step);
      case 'dma':
        return this.#dma(step);
      case 'event':
        return this.#anew ? undefined : this.#event(step.record, step.mask);
      case 'no event':
        return this.#anew ? undefined : compare('no record', this.#describeRecords());
      case 'other':
        return { expected: 'a step that the replayer of smmuv3 knows', got: JSON.stringify(step.json) };
    }
  }

  #readRegister(step: Step & { kind: 'read register' }): Outcome | undefined {
    const { value, mask, offset } = step;
    const lo = ((this.#smmu.readRegister(offset, 4) ?? 0) & mask.lo) >>> 0;
    const hi = step.width === 8 ? ((this.#smmu.readRegister(offset + 4, 4) ?? 0) & mask.hi) >>> 0 : 0;
    return compare(hex64(value), hex64({ hi, lo }));
  }

  #dma(step: Step & { kind: 'dma' }): Outcome | undefined {
    const data = step.bytes === undefined ? new Uint8Array(step.length) : step.bytes.slice();
    const streamId = step.requester ?? this.#requester;
    const cold = step.stale ? this.#coldAddress(step) : undefined;
    const first = this.#producer();
    this.#memory.changed();
    const completion = this.#smmu.request(streamId, {
      segment: 0,
      requester: streamId,
      pasid: undefined,
      addressType: 'untranslated',
      privileged: false,
      execute: false,
      write: step.write,
      hi: step.address.hi,
      lo: step.address.lo,
      data,
    });
    const changed = this.#memory.changed();
    const slots = this.#collectRecords(first);
    const stray = strayBytes(changed, step.expect, step.length, slots);
    const got = completion === 'okay' ? this.#describeData(step, data, changed, slots) : 'fault';
    const outcome = compare(describe(step.expect), got);
    this.#anew = outcome !== undefined && cold !== undefined && this.#address(this.#smmu, step) === cold;
    if (outcome !== undefined && this.#anew) return { ...outcome, anew: true };
    if (outcome !== undefined || stray === undefined) return outcome;
    return { expected: `${describe(step.expect)} and no other change`, got: `a change at ${stray}` };
  }

  /** Where a DMA step goes; -1 for nowhere. */
  #address(smmu: Smmuv3, step: Step & { kind: 'dma' }): number {
    const { hi, lo } = step.address;
    return Math.max(-1, smmu.translate(step.requester ?? this.#requester, -1, hi, lo, false, step.write, false));
  }

  /** Where a DMA step would go if nothing were cached. */
  #coldAddress(step: Step & { kind: 'dma' }): number {
    const smmu = this.#makeSmmu();
    smmu.load(this.#smmu.save());
    return this.#address(smmu, step);
  }

  /** What a request that succeeded did, in the words of {@link describe}. */
  #describeData(step: Step & { kind: 'dma' }, data: Uint8Array, changed: ByteRange[], slots: ByteRange[]): string {
    const { expect } = step;
    if (!step.write) {
      return expect.outcome === 'read' ? `${hexBytes(data)} from ${hex64(expect.from)}` : `${hexBytes(data)} read`;
    }
    if (expect.outcome === 'landed') {
      const there = new Uint8Array(data.length);
      this.#memory.read(join(expect.at.hi, expect.at.lo), there);
      if (hexBytes(there) === hexBytes(data)) return describe(expect);
    }
    const elsewhere = changed.find((range) => !within(range, slots));
    return `landed at ${elsewhere === undefined ? 'no place that changed' : `0x${elsewhere.address.toString(16)}`}`;
  }

  #register(offset: number): number {
    return this.#smmu.readRegister(offset, 4) ?? 0;
  }

  #producer(): number {
    return this.#register(REGISTER.EVENTQ_PROD) & INDEX_MASK;
  }

  /** Takes the records appended since an index. Where they lie. */
  #collectRecords(first: number): ByteRange[] {
    const words = Uint32Array.of(this.#register(REGISTER.EVENTQ_BASE), this.#register(REGISTER.EVENTQ_BASE + 4));
    const bits = Math.min(get(words, QUEUE_BASE.LOG2SIZE), this.#smmu.features.eventQueueBits);
    const address = get(words, QUEUE_BASE.ADDR) * QUEUE_BASE.ADDR.weight;
    const base = address - (address % (EVENT_BYTES * 2 ** bits));
    this.#records = [];
    const slots: ByteRange[] = [];
    for (let index = first; index !== this.#producer(); index = advance(index, bits)) {
      const slot = pa(entryAddress(base, index, bits, EVENT_BYTES));
      const record = new Uint8Array(EVENT_BYTES);
      this.#memory.read(slot, record);
      this.#records.push(record);
      slots.push({ address: slot, length: EVENT_BYTES });
    }
    return slots;
  }

  #describeRecords(): string {
    return this.#records.length === 0 ? 'no record' : this.#records.map(hexBytes).join(', ');
  }

  #event(record: Uint8Array, mask: Uint8Array): Outcome | undefined {
    const [only] = this.#records;
    if (only === undefined || this.#records.length !== 1) {
      return { expected: hexBytes(record), got: this.#describeRecords() };
    }
    const masked = only.map((byte, index) => byte & (mask[index] as number));
    const wanted = record.map((byte, index) => byte & (mask[index] as number));
    return compare(hexBytes(wanted), hexBytes(masked));
  }
}

function compare(expected: string, got: string): Outcome | undefined {
  return expected === got ? undefined : { expected, got };
}

function describe(expect: DmaExpectation): string {
  if (expect.outcome === 'landed') return `landed at ${hex64(expect.at)}`;
  return expect.outcome === 'read' ? `${hexBytes(expect.bytes)} from ${hex64(expect.from)}` : 'fault';
}

function within(range: ByteRange, allowed: readonly ByteRange[]): boolean {
  return allowed.some((a) => range.address >= a.address && range.address + range.length <= a.address + a.length);
}

/** The first changed byte that neither the expected write nor a record accounts for. */
function strayBytes(
  changed: readonly ByteRange[],
  expect: DmaExpectation,
  length: number,
  slots: readonly ByteRange[],
): string | undefined {
  const allowed = [...slots];
  if (expect.outcome === 'landed') allowed.push({ address: pa(join(expect.at.hi, expect.at.lo)), length });
  const stray = changed.find((range) => !within(range, allowed));
  return stray === undefined ? undefined : `0x${stray.address.toString(16)}`;
}
