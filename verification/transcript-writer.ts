/**
 * Writes the transcript of a run: what Xen, guests, devices and the IOMMU do, in the words of their manuals.
 *
 * It listens at the machine and decodes what it sees: stores into the stream table by following STRTAB_BASE and the
 * first-level descriptors that were stored, register writes by the SMMU's register map, everything else in memory as
 * counts. It tells, and is never asked: no check reads a transcript.
 */
import type { TranscriptSink } from '../src/check/index.js';
import { hex } from '../src/hw/address.js';
import { describe, get, getAddress } from '../src/hw/bits.js';
import {
  COMMAND_BYTES,
  L1STD,
  QUEUE_BASE,
  REGISTER,
  STE,
  STE_BYTES,
  STE_CONFIG,
  STRTAB_BASE,
  STRTAB_BASE_CFG,
  STRTAB_FMT,
} from '../src/hw/iommu/smmuv3/layout.js';
import type { Machine } from '../src/hw/machine.js';
import type { Access, HardwareEvent } from '../src/hw/observer.js';

const STE_WORDS = STE_BYTES / 4;
const REGISTER_NAMES = new Map(Object.entries(REGISTER).map(([name, offset]) => [offset as number, name]));

/** The fields of an entry that are not zero; its configuration by name, also where that is zero. */
function describeSte(words: Uint32Array): string {
  const fields = describe(STE, words);
  if (get(words, STE.V) === 0) return fields || 'all zero';
  const config = get(words, STE.CONFIG);
  const name = Object.entries(STE_CONFIG).find(([, value]) => value === config)?.[0] ?? String(config);
  return fields.replace(/^V=1( CONFIG=\S+)?/, `V=1 CONFIG=${name}`);
}

/** A run of second-level (or all linear) stream table entries. */
interface SteRun {
  readonly address: number;
  readonly firstStream: number;
  readonly count: number;
}

/** What is known of the tables of one SMMU: where they are, and what was stored in them. */
class SmmuTables {
  readonly registers: number;
  readonly #base = new Uint32Array(2);
  readonly #config = new Uint32Array(1);
  readonly #runs: SteRun[] = [];
  readonly #entries = new Map<number, Uint32Array>();
  #commands = { from: 0, to: 0 };

  /** @param registers physical address of its registers */
  constructor(registers: number) {
    this.registers = registers;
  }

  /** Takes a write of a register. */
  write(name: string, hi: number, lo: number): void {
    if (name === 'CMDQ_BASE') this.#locateCommands(hi, lo);
    if (name === 'STRTAB_BASE') this.#base.set([lo, hi]);
    if (name === 'STRTAB_BASE_CFG') this.#config[0] = lo;
    if (name === 'STRTAB_BASE' || name === 'STRTAB_BASE_CFG') this.#locateTable();
  }

  /** Stores into the command queue are told when the SMMU consumes them, in its own words. */
  holdsCommand(address: number): boolean {
    return address >= this.#commands.from && address < this.#commands.to;
  }

  #locateCommands(hi: number, lo: number): void {
    const words = Uint32Array.of(lo, hi);
    const size = 2 ** get(words, QUEUE_BASE.LOG2SIZE) * COMMAND_BYTES;
    const address = getAddress(words, QUEUE_BASE.ADDR);
    this.#commands = { from: address - (address % size), to: address - (address % size) + size };
  }

  #locateTable(): void {
    this.#runs.length = 0;
    if (get(this.#config, STRTAB_BASE_CFG.FMT) !== STRTAB_FMT.LINEAR) return;
    const count = 2 ** get(this.#config, STRTAB_BASE_CFG.LOG2SIZE);
    this.#runs.push({ address: getAddress(this.#base, STRTAB_BASE.ADDR), firstStream: 0, count });
  }

  /** The stream whose entry an address is in; undefined if it is in none. */
  streamAt(address: number): number | undefined {
    const run = this.#runs.find((r) => address >= r.address && address < r.address + r.count * STE_BYTES);
    return run && run.firstStream + Math.floor((address - run.address) / STE_BYTES);
  }

  /** Takes a store into the entry of a stream. */
  storeSte(stream: number, { address, width, lo, hi }: Access): void {
    const run = this.#runs.find((r) => stream >= r.firstStream && stream < r.firstStream + r.count) as SteRun;
    const words = this.#entries.get(stream) ?? new Uint32Array(STE_WORDS);
    this.#entries.set(stream, words);
    const index = ((address - run.address) % STE_BYTES) >>> 2;
    words[index] = lo;
    if (width === 8) words[index + 1] = hi;
  }

  /** What the entry of a stream holds now. */
  entry(stream: number): Uint32Array {
    return this.#entries.get(stream) ?? new Uint32Array(STE_WORDS);
  }

  /** Takes a store that may be a first-level descriptor. */
  storeFirstLevel({ address, lo, hi }: Access): void {
    if (get(this.#config, STRTAB_BASE_CFG.FMT) !== STRTAB_FMT.TWO_LEVEL) return;
    const base = getAddress(this.#base, STRTAB_BASE.ADDR);
    const split = get(this.#config, STRTAB_BASE_CFG.SPLIT);
    const count = 2 ** Math.max(0, get(this.#config, STRTAB_BASE_CFG.LOG2SIZE) - split);
    if (address < base || address >= base + count * 8) return;
    const descriptor = Uint32Array.of(lo, hi);
    const span = get(descriptor, L1STD.SPAN);
    if (span === 0) return;
    this.#runs.push({
      address: getAddress(descriptor, L1STD.L2PTR),
      firstStream: ((address - base) / 8) * 2 ** split,
      count: 2 ** (span - 1),
    });
  }
}

/** Follows one machine. */
export class TranscriptWriter {
  readonly #sink: TranscriptSink;
  readonly #smmus: readonly SmmuTables[];
  /** Stores that are not told one by one, since the last line. */
  #plain = 0;
  #lastSte: { readonly smmu: SmmuTables; readonly stream: number } | undefined;

  /** @param smmus physical addresses of the registers of the SMMUs */
  constructor(sink: TranscriptSink, machine: Machine, smmus: readonly number[]) {
    const { observer } = machine;
    this.#sink = sink;
    this.#smmus = smmus.map((registers) => new SmmuTables(registers));
    observer.onAccess((access) => this.#access(access));
    observer.onEvent((event) => this.#event(event));
  }

  /** Adds a line of the check's own arranging. */
  say(actor: string, text: string, depth = 0): void {
    this.#flush();
    this.#sink.add({ depth, actor, text });
  }

  #line(actor: string, text: string): void {
    this.#flush();
    this.#sink.add({ depth: 1, actor, text });
  }

  #flush(): void {
    if (this.#lastSte !== undefined) {
      const { smmu, stream } = this.#lastSte;
      this.#lastSte = undefined;
      this.#sink.add({ depth: 1, actor: 'store', text: `STE[${hex(stream)}] ${describeSte(smmu.entry(stream))}` });
    }
    if (this.#plain > 0) {
      const count = this.#plain;
      this.#plain = 0;
      const text = `${count} ${count === 1 ? 'doubleword' : 'doublewords'} of tables`;
      this.#sink.add({ depth: 1, actor: 'store', text });
    }
  }

  #access(access: Access): void {
    if (access.actor !== 'xen') return;
    if (access.kind === 'store') this.#store(access);
    else if (access.kind === 'register write') this.#register(access);
    else if (access.kind === 'instruction' && access.name.startsWith('TLBI')) this.#line('cpu', access.name);
  }

  #register({ address, lo, hi, width }: Access): void {
    for (const smmu of this.#smmus) {
      const name = REGISTER_NAMES.get(address - smmu.registers);
      if (name === undefined) continue;
      smmu.write(name, hi, lo);
      if (name === 'CMDQ_PROD' || name === 'EVENTQ_CONS') return;
      this.#line(this.#actorOf(smmu), `${name} = ${width === 8 ? hex(hi, lo) : hex(lo)}`);
    }
  }

  /** Where there are several, their addresses tell them apart. */
  #actorOf(smmu: SmmuTables): string {
    return this.#smmus.length === 1 ? 'smmu' : `smmu@${smmu.registers.toString(16)}`;
  }

  #store(access: Access): void {
    const { address } = access;
    for (const smmu of this.#smmus) {
      if (smmu.holdsCommand(address)) return;
      const stream = smmu.streamAt(address);
      if (stream === undefined) continue;
      if (this.#lastSte?.smmu !== smmu || this.#lastSte.stream !== stream) this.#flush();
      smmu.storeSte(stream, access);
      this.#lastSte = { smmu, stream };
      return;
    }
    for (const smmu of this.#smmus) smmu.storeFirstLevel(access);
    if (this.#lastSte !== undefined) this.#flush();
    this.#plain++;
  }

  #event(event: HardwareEvent): void {
    const said = (name: string, text: string) => (text === '' ? name : text);
    if (event.kind === 'command') this.#line('cmdq', said(event.name, event.text));
    else if (event.kind === 'fault') this.#line('fault', said(event.name, event.text));
    else if (event.kind === 'trap') this.#line('trap', `${event.device} ${event.name} ${event.text}`.trimEnd());
    else if (event.kind === 'interrupt') this.#line('irq', `${event.device} ${event.name} ${event.text}`.trimEnd());
  }
}
