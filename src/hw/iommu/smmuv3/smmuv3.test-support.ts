/**
 * What tests and benchmarks of the SMMU share: a machine with an SMMU and its tables, driven as software drives it, by
 * register writes and stores. Numbers are written by hand here, from Arm IHI 0070, and not taken from the layout.
 */
import { pa } from '../../address.js';
import { Bus, type Initiator } from '../../bus.js';
import { Latency } from '../../latency.js';
import { PhysicalMemory } from '../../memory.js';
import { type HardwareEvent, Observer, type Problem } from '../../observer.js';
import type { Transaction } from '../../transaction.js';
import type { EndpointCaches } from './command-queue.js';
import type { IdRegisters } from './features.js';
import type { InterruptLines } from './interrupts.js';
import { Smmuv3 } from './smmuv3.js';

/** Both stages, 4K, 16K and 64K, 44 bits, 16-bit VMIDs and ASIDs, 2-level streams, RIL; no stalls, no substreams. */
export const PLAIN_IDS: IdRegisters = {
  IDR0: 0x0d44_101b,
  IDR1: 0x0273_0010,
  IDR3: 0x1414,
  IDR5: 0x74,
  IIDR: 0,
  AIDR: 1,
};

export const RAM = 0x4000_0000;
export const STREAM_TABLE = RAM + 0x10_0000;
export const COMMANDS = RAM + 0x20_0000;
export const EVENTS = RAM + 0x21_0000;
/** From here on, {@link Bench.page} hands out pages. */
const FREE = RAM + 0x100_0000;

/** log2 of the entries of the command and event queue. */
export const COMMAND_BITS = 4;
export const EVENT_BITS = 3;

/** Page 0 and page 1 registers (6.2). */
export const REG = {
  CR0: 0x20,
  CR0ACK: 0x24,
  CR2: 0x2c,
  GBPA: 0x44,
  IRQ_CTRL: 0x50,
  IRQ_CTRLACK: 0x54,
  GERROR: 0x60,
  GERRORN: 0x64,
  STRTAB_BASE: 0x80,
  STRTAB_CFG: 0x88,
  CMDQ_BASE: 0x90,
  CMDQ_PROD: 0x98,
  CMDQ_CONS: 0x9c,
  EVENTQ_BASE: 0xa0,
  EVENTQ_PROD: 0x100a8,
  EVENTQ_CONS: 0x100ac,
} as const;

/** A command of two doublewords, as four words. */
export type Command = readonly [number, number, number, number];

/** Commands by hand (chapter 4): opcode in bits 7:0, StreamID in bits 63:32, leaf in bit 64. */
export const cmd = {
  cfgiSte: (sid: number, leaf = true): Command => [0x03, sid, leaf ? 1 : 0, 0],
  cfgiAll: (): Command => [0x04, 0, 31, 0],
  cfgiCd: (sid: number, ssid = 0, leaf = true): Command => [0x05 | (ssid << 12) | 0x800, sid, leaf ? 1 : 0, 0],
  cfgiCdAll: (sid: number): Command => [0x06, sid, 0, 0],
  nhAll: (vmid: number): Command => [0x10, vmid, 0, 0],
  nhAsid: (vmid: number, asid: number): Command => [0x11, vmid | (asid << 16), 0, 0],
  nhVa: (vmid: number, asid: number, va: number): Command => [0x12, vmid | (asid << 16), (va >>> 0) | 1, va / 2 ** 32],
  nhVaa: (vmid: number, va: number): Command => [0x13, vmid, (va >>> 0) | 1, va / 2 ** 32],
  s12Vmall: (vmid: number): Command => [0x28, vmid, 0, 0],
  s2Ipa: (vmid: number, ipa: number): Command => [0x2a, vmid, (ipa >>> 0) | 1, ipa / 2 ** 32],
  nsnhAll: (): Command => [0x30, 0, 0, 0],
  resume: (sid: number, tag: number, retry: boolean, abort = false): Command => [
    0x44 | (retry ? 0x1000 : 0) | (abort ? 0x2000 : 0),
    sid,
    tag,
    0,
  ],
  stallTerm: (sid: number): Command => [0x45, sid, 0, 0],
  sync: (): Command => [0x46, 0, 0, 0],
};

/** How a {@link Bench} is made. */
export interface BenchOptions {
  readonly ids?: Partial<IdRegisters>;
  readonly latency?: Latency;
  readonly endpoints?: EndpointCaches;
  readonly lines?: InterruptLines;
  readonly from?: Initiator;
}

/** A machine with one SMMU, RAM, and a linear stream table of 256 entries. */
export class Bench {
  readonly memory = new PhysicalMemory();
  readonly bus = new Bus(this.memory);
  readonly smmu: Smmuv3;
  readonly problems: Problem[] = [];
  readonly told: string[] = [];
  /** Interrupts: the source, and how it was sent. */
  readonly interrupts: string[] = [];
  readonly latency: Latency;
  #next = FREE;
  #produced = 0;

  constructor(options: BenchOptions = {}) {
    this.memory.addRange(pa(RAM), 0x1000_0000);
    const observer = new Observer({ problem: (problem) => this.problems.push(problem) });
    observer.onEvent((event: HardwareEvent) => {
      if (event.kind === 'command' || event.kind === 'fault') this.told.push(event.text);
      if (event.kind === 'interrupt') this.interrupts.push(`${event.name} ${event.text}`);
    });
    this.latency = options.latency ?? new Latency(1, 0);
    this.smmu = new Smmuv3({
      name: 'smmu@9050000',
      idr: { ...PLAIN_IDS, ...options.ids },
      bus: this.bus,
      observer,
      latency: this.latency,
      ...(options.endpoints === undefined ? {} : { endpoints: options.endpoints }),
      ...(options.lines === undefined ? {} : { lines: options.lines }),
      ...(options.from === undefined ? {} : { from: options.from }),
    });
  }

  read(offset: number): number {
    return this.smmu.readRegister(offset, 4) as number;
  }

  write(offset: number, value: number): void {
    this.smmu.writeRegister(offset, 4, value);
    this.latency.tick();
  }

  /** Sets queues and the stream table up and enables them: CR0 = CMDQEN | EVENTQEN | SMMUEN. */
  enable(cr0 = 0xd): void {
    this.write(REG.CMDQ_BASE, COMMANDS | COMMAND_BITS);
    this.write(REG.EVENTQ_BASE, EVENTS | EVENT_BITS);
    this.write(REG.STRTAB_BASE, STREAM_TABLE);
    this.write(REG.STRTAB_CFG, 8);
    this.write(REG.CR0, cr0);
    this.latency.settle();
  }

  /** Puts commands into the queue and moves PROD; consumption is up to the latency. */
  produce(...commands: Command[]): void {
    for (const command of commands) {
      this.memory.storeWords(COMMANDS + (this.#produced % 2 ** COMMAND_BITS) * 16, command);
      this.#produced = (this.#produced + 1) % 2 ** (COMMAND_BITS + 1);
    }
    this.write(REG.CMDQ_PROD, this.#produced);
  }

  /** A fresh page of zeros. */
  page(bytes = 4096): number {
    const address = Math.ceil(this.#next / bytes) * bytes;
    this.#next = address + bytes;
    return address;
  }

  store64(address: number, lo: number, hi = 0): void {
    this.memory.storeWords(address, [lo >>> 0, hi >>> 0]);
  }

  load32(address: number): number {
    const words = new Uint32Array(1);
    this.memory.loadWords(address, words, 1);
    return words[0] as number;
  }

  /** Maps one 4 KiB page in a tree of 4 KiB tables from `level` down, 9 bits each. */
  map(root: number, input: number, output: number, attributes: number, level = 1): void {
    let table = root;
    for (let at = level; at < 3; at++) {
      const entry = table + (Math.floor(input / 2 ** (39 - 9 * at)) % 512) * 8;
      if (this.load32(entry) === 0) this.store64(entry, this.page() | 3);
      table = (this.load32(entry) & ~0xfff) >>> 0;
    }
    this.store64(table + (Math.floor(input / 4096) % 512) * 8, (output % 2 ** 32) | attributes, output / 2 ** 32);
  }

  /** Writes an STE (5.2) of the linear table. */
  ste(sid: number, words: readonly number[]): void {
    const all = new Array<number>(16).fill(0);
    words.forEach((word, i) => {
      all[i] = word >>> 0;
    });
    this.memory.storeWords(STREAM_TABLE + sid * 64, all);
  }

  /** The records in the event queue, oldest first, as words. */
  events(): Uint32Array[] {
    const records: Uint32Array[] = [];
    const prod = this.read(REG.EVENTQ_PROD) & 0xf;
    for (let i = this.read(REG.EVENTQ_CONS) & 0xf; i !== prod; i = (i + 1) & 0xf) {
      const record = new Uint32Array(8);
      this.memory.loadWords(EVENTS + (i & 7) * 32, record, 8);
      records.push(record);
    }
    return records;
  }

  /** Reads 4 bytes as a device. Undefined: it saw an error. */
  dmaRead(sid: number, address: number, more: Partial<Transaction> = {}): number | undefined {
    const data = new Uint8Array(4);
    const done = this.smmu.request(sid, { ...transaction(sid, address, data), ...more });
    return done === 'okay' ? new DataView(data.buffer).getUint32(0, true) : undefined;
  }

  /** Writes 4 bytes as a device. */
  dmaWrite(sid: number, address: number, value: number, more: Partial<Transaction> = {}): string {
    const data = new Uint8Array(Uint32Array.of(value).buffer);
    return this.smmu.request(sid, { ...transaction(sid, address, data), write: true, ...more });
  }
}

/** An untranslated, unprivileged read. */
export function transaction(sid: number, address: number, data: Uint8Array): Transaction {
  return {
    segment: 0,
    requester: sid,
    pasid: undefined,
    addressType: 'untranslated',
    privileged: false,
    execute: false,
    write: false,
    hi: Math.floor(address / 2 ** 32),
    lo: address >>> 0,
    data,
  };
}

/** SHCFG = 1: use the incoming shareability, bits 109:108. */
const SHCFG_INCOMING = 1 << 12;

/**
 * An STE of stage 2 alone (Config = 6): 39-bit input from level 1 with 4 KiB, 44-bit output, AArch64, S2R.
 * S2T0SZ 37:32, S2SL0 39:38, S2PS 50:48, S2AA64 51, S2R 58 of the third doubleword; S2TTB in the fourth.
 */
export function stage2Ste(vmid: number, table: number): number[] {
  const third = 25 | (1 << 6) | (4 << 16) | (1 << 19) | (1 << 26);
  return [0xd, 0, 0, SHCFG_INCOMING, vmid, third, table, 0];
}

/** An STE of stage 1 alone (Config = 5); the VMID tags its translations all the same. */
export function stage1Ste(vmid: number, contextPointer: number): number[] {
  return [0xb | contextPointer, 0, 0, SHCFG_INCOMING, vmid, 0, 0, 0];
}

/** An STE of both stages (Config = 7). */
export function nestedSte(vmid: number, contextPointer: number, table: number): number[] {
  const words = stage2Ste(vmid, table);
  words[0] = 0xf | contextPointer;
  return words;
}

/**
 * A CD (5.4): TTB0 with 39 input bits, 4 KiB; EPD1; V; 44-bit output; AA64; R and A; MAIR attribute 0 is Normal
 * write-back.
 */
export function contextWords(asid: number, table: number): number[] {
  const first = 25 | (1 << 30) | (1 << 31);
  const second = 4 | (1 << 9) | (1 << 13) | (1 << 14) | (asid << 16);
  return [first >>> 0, second >>> 0, table, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0];
}

/** Stage 2 page: valid page, Normal write-back, read and write, inner shareable, AF. */
export const S2_PAGE = 0x7ff;
/** Stage 1 page: valid page, AttrIndx 0, unprivileged read and write, inner shareable, AF, nG. */
export const S1_PAGE = 0xf43;
/** The same, global. */
export const S1_GLOBAL_PAGE = 0x743;
