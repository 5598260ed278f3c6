/**
 * The observer: every access that software makes and every event that hardware has, in order.
 *
 * It is how a run is bounded (a count of operations), made comparable (a journal of 32-bit words that a digest is taken
 * of), looked into (a probe after each access) and told (listeners that build a transcript). Two channels tell that a
 * run went wrong beyond its assertions: `misuse`, software did what the manual forbids, and `unmodelled`, the model
 * lacks what software asked for.
 */

import { hex } from './address.js';

/** Who acts: `xen`, a guest (`d1`), a device (`0000:03:00.0`), an IOMMU (`smmu@9050000`). */
export type Actor = string;

/** Kinds of access by software. */
export type AccessKind =
  | 'load'
  | 'store'
  | 'register read'
  | 'register write'
  | 'config read'
  | 'config write'
  | 'system read'
  | 'system write'
  | 'instruction';

/** One access by software. For system registers and instructions, `name` says which and `address` is 0. */
export interface Access {
  readonly kind: AccessKind;
  readonly actor: Actor;
  readonly address: number;
  readonly width: number;
  readonly hi: number;
  readonly lo: number;
  readonly name: string;
}

/** What hardware does of its own, with the specification's names. */
export type HardwareEvent =
  | { readonly kind: 'command'; readonly device: Actor; readonly name: string; readonly text: string }
  | { readonly kind: 'fault'; readonly device: Actor; readonly name: string; readonly text: string }
  | {
      readonly kind: 'dma';
      readonly device: Actor;
      readonly write: boolean;
      readonly hi: number;
      readonly lo: number;
      readonly length: number;
      readonly completion: string;
    }
  | { readonly kind: 'trap'; readonly device: Actor; readonly name: string; readonly text: string }
  | { readonly kind: 'interrupt'; readonly device: Actor; readonly name: string; readonly text: string };

/** Something wrong that is no assertion. */
export interface Problem {
  readonly channel: 'misuse' | 'unmodelled';
  /** Who did it, for misuse; what lacks it, for unmodelled. */
  readonly actor: Actor;
  readonly text: string;
}

/** What an observer tells others. All are optional. */
export interface ObserverPorts {
  /** Called before each access with the number of operations it costs; throws when a limit is reached. */
  readonly count?: (operations: number) => void;
  /** Takes words of the machine trace. */
  readonly journal?: (words: Uint32Array) => void;
  readonly problem?: (problem: Problem) => void;
}

const KINDS: readonly AccessKind[] = [
  'load',
  'store',
  'register read',
  'register write',
  'config read',
  'config write',
  'system read',
  'system write',
  'instruction',
];
/** What the journal calls events. */
const EVENT_CODES = { command: 0x22, fault: 0x23, trap: 0x24, interrupt: 0x25 } as const;
const KIND_CODE = new Map(KINDS.map((kind, index) => [kind, index + 1]));

/** Collects what happens on one machine. */
export class Observer {
  readonly #ports: ObserverPorts;
  readonly #accessListeners: ((access: Access) => void)[] = [];
  readonly #eventListeners: ((event: HardwareEvent) => void)[] = [];
  readonly #names = new Map<string, number>();
  readonly #words = new Uint32Array(7);
  #lastActor = '';
  #lastActorCode = 0;
  #probe: ((access: Access) => void) | undefined;
  #probing = false;
  /** Who runs now on behalf of software; ports of the machine set it. */
  actor: Actor = 'xen';

  constructor(ports: ObserverPorts = {}) {
    this.#ports = ports;
  }

  /** A small number for a name, the same in every run that meets names in the same order; new names enter the journal. */
  #nameCode(name: string): number {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const code = this.#names.size + 1;
    this.#names.set(name, code);
    if (this.#ports.journal) {
      const words = new Uint32Array(name.length + 2);
      words[0] = 0x4e41_4d45;
      words[1] = code;
      for (let i = 0; i < name.length; i++) words[i + 2] = name.charCodeAt(i);
      this.#ports.journal(words);
    }
    return code;
  }

  #journal(kind: number, actor: Actor, address: number, width: number, hi: number, lo: number, name: string): void {
    if (!this.#ports.journal) return;
    const words = this.#words;
    // Who acts seldom changes from one entry to the next.
    if (actor !== this.#lastActor) {
      this.#lastActor = actor;
      this.#lastActorCode = this.#nameCode(actor);
    }
    const actorCode = this.#lastActorCode;
    const nameCode = name === '' ? 0 : this.#nameCode(name);
    words[0] = (kind << 24) | width;
    words[1] = actorCode;
    words[2] = nameCode;
    words[3] = Math.floor(address / 0x1_0000_0000);
    words[4] = address >>> 0;
    words[5] = hi;
    words[6] = lo;
    this.#ports.journal(words);
  }

  /** Software made an access. Called after it took effect. Runs the probe, unless a probe made this access. */
  access(kind: AccessKind, address: number, width: number, hi: number, lo: number, name = ''): void {
    this.#ports.count?.(1);
    this.#journal(KIND_CODE.get(kind) as number, this.actor, address, width, hi, lo, name);
    if (this.#isWatched()) this.#tell(kind, address, width, hi, lo, name);
  }

  /**
   * Software stored 128 bits, four words. As an access, its value is the lower doubleword, and its name tells the upper
   * one.
   */
  store128(address: number, words: ArrayLike<number>): void {
    this.#ports.count?.(1);
    const [w0, w1, w2, w3] = [words[0] as number, words[1] as number, words[2] as number, words[3] as number];
    this.#journal(KIND_CODE.get('store') as number, this.actor, address, 16, w1, w0, '');
    this.#journal(0x10, this.actor, address + 8, 8, w3, w2, '');
    if (this.#isWatched()) this.#tell('store', address, 16, w1 >>> 0, w0 >>> 0, `upper ${hex(w3 >>> 0, w2 >>> 0)}`);
  }

  #isWatched(): boolean {
    return this.#accessListeners.length > 0 || (this.#probe !== undefined && !this.#probing);
  }

  /** Tells the listeners of an access, then runs the probe. */
  #tell(kind: AccessKind, address: number, width: number, hi: number, lo: number, name: string): void {
    const probe = this.#probing ? undefined : this.#probe;
    const access: Access = { kind, actor: this.actor, address, width, hi, lo, name };
    for (const listener of this.#accessListeners) listener(access);
    if (probe === undefined) return;
    this.#probing = true;
    const actor = this.actor;
    try {
      probe(access);
    } finally {
      this.#probing = false;
      this.actor = actor;
    }
  }

  /** Hardware did something. */
  event(event: HardwareEvent): void {
    this.#ports.count?.(1);
    if (event.kind === 'dma') {
      this.#journal(0x21, event.device, event.lo, event.write ? 1 : 0, event.hi, event.length, event.completion);
    } else {
      // By parts: most are seen again, and a string that is put together has to be hashed each time.
      const name = this.#ports.journal ? this.#nameCode(event.name) : 0;
      this.#journal(EVENT_CODES[event.kind], event.device, 0, 0, name, 0, event.text);
    }
    for (const listener of this.#eventListeners) listener(event);
  }

  /** Software did what the manual forbids. */
  misuse(actor: Actor, text: string): void {
    this.#ports.problem?.({ channel: 'misuse', actor, text });
  }

  /** The model lacks what it was asked for. */
  unmodelled(device: Actor, text: string): void {
    this.#ports.problem?.({ channel: 'unmodelled', actor: device, text });
  }

  /** Calls `listener` on every access by software. */
  onAccess(listener: (access: Access) => void): void {
    this.#accessListeners.push(listener);
  }

  /** Calls `listener` on every hardware event. */
  onEvent(listener: (event: HardwareEvent) => void): void {
    this.#eventListeners.push(listener);
  }

  /** Sets what runs after every access by software, or takes it away. Its own accesses do not run it again. */
  setProbe(probe: ((access: Access) => void) | undefined): void {
    this.#probe = probe;
  }
}
