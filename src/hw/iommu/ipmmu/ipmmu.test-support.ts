/** An IPMMU of Gen3 as a test's software sees it: a main instance, two caches, RAM. Numbers are those of the drivers. */
import { pa } from '../../address.js';
import { Bus } from '../../bus.js';
import { Latency } from '../../latency.js';
import { PhysicalMemory } from '../../memory.js';
import { type HardwareEvent, Observer, type Problem } from '../../observer.js';
import type { Transaction } from '../../transaction.js';
import { Ipmmu } from './ipmmu.js';

export const RAM = 0x4000_0000;
/** From here on tables are put. */
const FREE = 0x4100_0000;

/** Registers of context n lie 0x40 * n further on. */
export const REG = {
  IMCTR: 0x00,
  IMTTBCR: 0x08,
  IMTTLBR0: 0x10,
  IMTTUBR0: 0x14,
  IMSTR: 0x20,
  IMMAIR0: 0x28,
  IMELAR: 0x30,
  IMEUAR: 0x34,
  IMSCTLR: 0x500,
  IMSAUXCTLR: 0x504,
} as const;

export const MMUEN = 1;
export const FLUSH = 2;
export const INTEN = 4;
export const VA64 = 0x2000_0000;
/** IMSTR. */
export const TF = 1;
export const PF = 2;
export const ABORTED = 4;
export const S2PTE = 8;

/** IMTTBCR as Xen writes it: EAE, PMB, SL0 = 1 (bit 6), TSZ0 = 64 - 40. */
export const XEN_TTBCR = 0xc000_0058;
/** As Linux does: EAE, SL0 = 2 (bit 7), TSZ0 = 0. */
export const LINUX_TTBCR = 0x8000_0080;

/** Stage 2 page: valid, Normal write-back, S2AP = 3, inner shareable, AF. */
export const S2_PAGE = 0x7ff;
/** The same with S2AP = 1: read-only. */
export const S2_READ_ONLY = 0x77f;
/** Stage 1 page as Linux writes it: valid, NS, AP[1], inner shareable, AF, nG. */
export const S1_PAGE = 0xf63;
/** The same with AP[2]: read-only. */
export const S1_READ_ONLY = 0xfe3;

/** Offset of IMUCTR(n). */
export function imuctr(n: number): number {
  return n < 32 ? 0x300 + n * 16 : 0x600 + (n - 32) * 16;
}

export class Bench {
  readonly memory = new PhysicalMemory();
  readonly bus = new Bus(this.memory);
  readonly problems: Problem[] = [];
  readonly told: string[] = [];
  readonly latency: Latency;
  readonly main: Ipmmu;
  readonly cache: Ipmmu;
  readonly other: Ipmmu;
  /** The level of the interrupt. */
  line = false;
  #next = FREE;

  constructor(latency = new Latency(1, 0)) {
    this.memory.addRange(pa(RAM), 0x1000_0000);
    const observer = new Observer({ problem: (problem) => this.problems.push(problem) });
    observer.onEvent((event: HardwareEvent) => {
      if (event.kind !== 'dma') this.told.push(event.text);
    });
    this.latency = latency;
    const common = { generation: 'gen3', bus: this.bus, observer, latency } as const;
    const line = {
      set: (level: boolean) => {
        this.line = level;
      },
    };
    this.main = new Ipmmu({ ...common, name: 'mm', line });
    this.cache = new Ipmmu({ ...common, name: 'ds0', main: this.main });
    this.other = new Ipmmu({ ...common, name: 'ds1', main: this.main });
  }

  read(instance: Ipmmu, offset: number): number {
    this.latency.tick();
    return instance.readRegister(offset, 4) as number;
  }

  write(instance: Ipmmu, offset: number, value: number): void {
    instance.writeRegister(offset, 4, value);
    this.latency.tick();
  }

  /** Sets a context up as Xen does, in the main instance and in both caches. */
  stage2Context(n: number, table: number): void {
    this.write(this.main, REG.IMSAUXCTLR, S2PTE);
    this.write(this.main, n * 0x40 + REG.IMTTLBR0, table % 2 ** 32);
    this.write(this.main, n * 0x40 + REG.IMTTUBR0, table / 2 ** 32);
    this.write(this.main, n * 0x40 + REG.IMTTBCR, XEN_TTBCR);
    this.#enable(n, VA64 | INTEN | FLUSH | MMUEN);
  }

  /** As Linux does. */
  stage1Context(n: number, table: number): void {
    this.write(this.main, n * 0x40 + REG.IMTTLBR0, table);
    this.write(this.main, n * 0x40 + REG.IMTTUBR0, 0);
    this.write(this.main, n * 0x40 + REG.IMTTBCR, LINUX_TTBCR);
    this.#enable(n, INTEN | FLUSH | MMUEN);
  }

  #enable(n: number, imctr: number): void {
    this.write(this.main, n * 0x40 + REG.IMCTR, imctr);
    for (const cache of [this.cache, this.other]) this.write(cache, n * 0x40 + REG.IMCTR, imctr & 7);
    this.latency.settle();
  }

  /** Lets a micro-TLB translate by a context, without a flush. */
  select(instance: Ipmmu, microTlb: number, context: number): void {
    this.write(instance, imuctr(microTlb), (context << 4) | MMUEN);
  }

  /** Flushes a context as the drivers do: the caches first. */
  flush(n: number, instances = [this.cache, this.other, this.main]): void {
    for (const instance of instances) {
      this.write(instance, n * 0x40 + REG.IMCTR, (instance.readRegister(n * 0x40, 4) as number) | FLUSH);
    }
  }

  /** A fresh table of zeros, aligned to its size. */
  page(bytes = 4096): number {
    const address = Math.ceil(this.#next / bytes) * bytes;
    this.#next = address + bytes;
    return address;
  }

  /** A table of 40 bits from level 1: two pages. */
  root(): number {
    return this.page(0x2000);
  }

  load32(address: number): number {
    const words = new Uint32Array(1);
    this.memory.loadWords(address, words, 1);
    return words[0] as number;
  }

  /** Maps one page in a tree from level 1 down. */
  map(root: number, input: number, output: number, attributes: number): void {
    let table = root;
    for (let level = 1; level < 3; level++) {
      const index = Math.floor(input / 2 ** (39 - 9 * level)) % (level === 1 ? 1024 : 512);
      if (this.load32(table + index * 8) === 0) this.memory.storeWords(table + index * 8, [this.page() | 3, 0]);
      table = (this.load32(table + index * 8) & ~0xfff) >>> 0;
    }
    const word = (output % 2 ** 32) + attributes;
    this.memory.storeWords(table + (Math.floor(input / 4096) % 512) * 8, [word, Math.floor(output / 2 ** 32)]);
  }

  /** Takes a page of {@link map} away. */
  unmap(root: number, input: number): void {
    this.map(root, input, 0, 0);
  }

  /** Reads 4 bytes as a device. Undefined: it saw an error. */
  dmaRead(instance: Ipmmu, microTlb: number, address: number, more: Partial<Transaction> = {}): number | undefined {
    const data = new Uint8Array(4);
    const done = instance.request(microTlb, { ...transaction(address, data), ...more });
    return done === 'okay' ? new DataView(data.buffer).getUint32(0, true) : undefined;
  }

  /** Writes 4 bytes as a device. */
  dmaWrite(instance: Ipmmu, microTlb: number, address: number, value: number): string {
    const data = new Uint8Array(Uint32Array.of(value).buffer);
    return instance.request(microTlb, { ...transaction(address, data), write: true });
  }
}

/** An untranslated, unprivileged read. */
export function transaction(address: number, data: Uint8Array): Transaction {
  return {
    segment: 0,
    requester: 0,
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
