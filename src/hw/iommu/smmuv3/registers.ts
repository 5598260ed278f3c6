/**
 * The values of the SMMUv3 registers, and what they mean to the rest of the SMMU. Arm IHI 0070 6.3, 7.5 (global errors).
 *
 * Unknown reset values are zero. How software reads and writes them is the affair of {@link RegisterAccess}.
 */
import { type Field, get } from '../../bits.js';
import type { Features } from './features.js';
import { QUEUE_BASE } from './layout.js';
import type { OutputIndices } from './queues.js';

/** The halves of a 64-bit register. */
export class Pair {
  lo = 0;
  hi = 0;
}

/** The bits of fields, as they stand in the first word of a register. */
export function mask(...fields: Field[]): number {
  let bits = 0;
  for (const field of fields) if (field.word === 0) bits |= field.mask << field.shift;
  return bits >>> 0;
}

/** Reset of GBPA.SHCFG: use the incoming shareability (6.3.14). */
const GBPA_RESET = 0x1000;

/** The three queues. */
export type QueueName = 'CMDQ' | 'EVENTQ' | 'PRIQ';
/** Sources of interrupts with a configuration of their own. */
export type InterruptSource = 'GERROR' | 'EVENTQ' | 'PRIQ';

/** The registers. */
export class RegisterFile {
  readonly #features: Features;
  readonly #errorActive: (error: Field) => void;

  /** As written by software. */
  cr0 = 0;
  /** What the hardware follows. */
  cr0ack = 0;
  cr1 = 0;
  cr2 = 0;
  /** GBPA in effect, without UPDATE. */
  gbpa = GBPA_RESET;
  irqCtrl = 0;
  irqCtrlAck = 0;
  gerror = 0;
  gerrorn = 0;
  strtabCfg = 0;
  /** CMDQ_PROD and CMDQ_CONS. */
  commandProd = 0;
  commandCons = 0;
  readonly strtabBase = new Pair();
  readonly base: Readonly<Record<QueueName, Pair>> = {
    CMDQ: new Pair(),
    EVENTQ: new Pair(),
    PRIQ: new Pair(),
  };
  readonly events: OutputIndices = { prod: 0, cons: 0 };
  readonly pageRequests: OutputIndices = { prod: 0, cons: 0 };
  /** IRQ_CFG0 (halves), CFG1, CFG2 of each source. */
  readonly interrupts: Readonly<Record<InterruptSource, Uint32Array>> = {
    GERROR: new Uint32Array(4),
    EVENTQ: new Uint32Array(4),
    PRIQ: new Uint32Array(4),
  };

  /** @param errorActive told of each global error that becomes active */
  constructor(features: Features, errorActive: (error: Field) => void) {
    this.#features = features;
    this.#errorActive = errorActive;
  }

  /** Whether a global error is active: GERROR and GERRORN differ in its bit (7.5). */
  isActive(error: Field): boolean {
    return ((this.gerror ^ this.gerrorn) & mask(error)) !== 0;
  }

  /** Raises a global error; one that is active already stays as it is (7.5). */
  raise(error: Field): void {
    if (this.isActive(error)) return;
    this.gerror = (this.gerror ^ mask(error)) >>> 0;
    this.#errorActive(error);
  }

  /** Whether the hardware follows an enable of CR0. */
  isEnabled(enable: Field): boolean {
    return (this.cr0ack & mask(enable)) !== 0;
  }

  /** log2 of the entries of a queue: LOG2SIZE, at most what is implemented. */
  queueBits(name: QueueName): number {
    const { commandQueueBits, eventQueueBits, pageRequestQueueBits } = this.#features;
    const limit = name === 'CMDQ' ? commandQueueBits : name === 'EVENTQ' ? eventQueueBits : pageRequestQueueBits;
    return Math.min(get(Uint32Array.of(this.base[name].lo), QUEUE_BASE.LOG2SIZE), limit);
  }

  /** Physical address of a queue, aligned down to its size, at least 32 bytes (6.3.26), within the address size. */
  queueAddress(name: QueueName, entryBytes: number): number {
    const { lo, hi } = this.base[name];
    const words = Uint32Array.of(lo, hi);
    const address = (get(words, QUEUE_BASE.ADDR) * QUEUE_BASE.ADDR.weight) % 2 ** this.#features.outputBits;
    return address - (address % Math.max(32, entryBytes * 2 ** this.queueBits(name)));
  }

  /** Every value, as plain data. */
  save(): number[] {
    return [
      this.cr0,
      this.cr1,
      this.cr2,
      this.gbpa,
      this.irqCtrl,
      this.gerror,
      this.gerrorn,
      this.strtabCfg,
      this.commandProd,
      this.commandCons,
      this.events.prod,
      this.events.cons,
      this.pageRequests.prod,
      this.pageRequests.cons,
      ...this.#pairs().flatMap((register) => [register.lo, register.hi]),
      ...Object.values(this.interrupts).flatMap((words) => [...words]),
    ];
  }

  /** Takes over what {@link save} gave. No effect is told. */
  load(values: readonly number[]): void {
    const rest = [...values];
    const next = (): number => rest.shift() ?? 0;
    this.cr0 = this.cr0ack = next();
    this.cr1 = next();
    this.cr2 = next();
    this.gbpa = next();
    this.irqCtrl = this.irqCtrlAck = next();
    this.gerror = next();
    this.gerrorn = next();
    this.strtabCfg = next();
    this.commandProd = next();
    this.commandCons = next();
    this.events.prod = next();
    this.events.cons = next();
    this.pageRequests.prod = next();
    this.pageRequests.cons = next();
    for (const register of this.#pairs()) {
      register.lo = next();
      register.hi = next();
    }
    for (const words of Object.values(this.interrupts)) for (let i = 0; i < words.length; i++) words[i] = next();
  }

  #pairs(): Pair[] {
    return [this.strtabBase, this.base.CMDQ, this.base.EVENTQ, this.base.PRIQ];
  }
}
