/** What the capabilities of a function have in common, and what a function needs of its surroundings to act by itself. */
import { hex } from '../address.js';
import { encode, type Field, type Layout } from '../bits.js';
import type { Observer } from '../observer.js';
import type { Completion } from '../transaction.js';

/** A capability that does something: told of what software writes, of resets, and of saving. */
export interface Capability {
  /** Software wrote `width` bytes of configuration registers at `offset`, these or others of the function. */
  configWritten(offset: number, width: number): void;
  /** The function was reset; its configuration registers are as after reset already. */
  reset(): void;
  /** State beyond the configuration registers. */
  save(): unknown;
  load(state: unknown): void;
}

/** What a function is told when it is put into a machine. */
export interface Surroundings {
  readonly observer: Observer;
  /** How the function is called in transcripts: its address as it knows it itself. */
  name(): string;
  /**
   * Sends a memory write of the function, under its requester id, behind what it has in flight (a message is a posted write
   * and passes no other; PCI Express Base 2.4.1). The bytes are the caller's again when it returns.
   */
  sendMessage(hi: number, lo: number, data: Uint8Array): Completion;
}

/** What a capability reaches of its function. */
export interface CapabilityHost {
  /** Undefined until the function is put into a machine: nothing can be sent then. */
  readonly surroundings: Surroundings | undefined;
}

/** A register value from its fields. */
export function word<Name extends string>(form: Layout<Name>, values: Partial<Record<NoInfer<Name>, number>>): number {
  return encode(form, 32, values as Partial<Record<Name, number>>)[0] as number;
}

/** A field of a register value. */
export function field(value: number, { shift, mask }: Field): number {
  return ((value >>> shift) & mask) >>> 0;
}

/** Software did with a function what the specification leaves undefined. */
export function tellMisuse({ surroundings }: CapabilityHost, text: string): void {
  surroundings?.observer.misuse(surroundings.observer.actor, `${surroundings.name()}: ${text}`);
}

/** The messages of a function: each is sent and told of. What is told of a vector is kept, as most send the same again. */
export class VectorPort {
  readonly #host: CapabilityHost;
  readonly #kind: 'MSI' | 'MSI-X';
  readonly #bytes = new Uint8Array(4);
  readonly #told: { hi: number; lo: number; data: number; completion: Completion; text: string }[] = [];

  constructor(host: CapabilityHost, kind: 'MSI' | 'MSI-X') {
    this.#host = host;
    this.#kind = kind;
  }

  /** Sends the message of a vector: 32 bits of data to a 64-bit address. */
  send(vector: number, hi: number, lo: number, data: number): Completion {
    const { surroundings } = this.#host;
    if (surroundings === undefined) return 'abort';
    const bytes = this.#bytes;
    for (let i = 0; i < 4; i++) bytes[i] = data >>> (8 * i);
    const completion = surroundings.sendMessage(hi, lo, bytes);
    const text = this.#textOf(vector, hi, lo, data >>> 0, completion);
    surroundings.observer.event({ kind: 'interrupt', device: surroundings.name(), name: this.#kind, text });
    return completion;
  }

  #textOf(vector: number, hi: number, lo: number, data: number, completion: Completion): string {
    const last = this.#told[vector];
    if (last?.hi === hi && last.lo === lo && last.data === data && last.completion === completion) return last.text;
    const text = `vector ${vector}: ${hex(data)} to ${hex(hi, lo)}: ${completion}`;
    this.#told[vector] = { hi, lo, data, completion, text };
    return text;
  }
}
