/**
 * The bench of the passthrough checks: a machine with a hypervisor booted on it, and the few verbs that checks use.
 *
 * A check arranges through hypercalls, made by vCPUs of the hardware domain with their structures in its memory, and
 * probes through the machine: a guest's own loads and stores, a device's DMA, what memory says has changed, what the
 * IOMMU has recorded. Nothing here asks Xen whether something worked beyond the return value of a hypercall.
 */
import { hex, type Pa, TWO_32 } from '../src/hw/address.js';
import type { DmaResult, GuestResult, Machine, Sbdf } from '../src/hw/machine.js';
import { formatSbdf } from '../src/hw/machine.js';
import type { CreateResult, Hypervisor } from '../src/xen/hypervisor.js';
import { type DomainConfig, domainBlob } from './domain-blob.js';
import { EventQueueReader, type FaultRecord } from './event-queue-reader.js';
import { FRAME, FrameLedger, type Page, patternBytes, wordOf } from './frame-ledger.js';
import * as abi from './public-abi.js';
import type { TranscriptWriter } from './transcript-writer.js';

/** Hypercall numbers and commands (xen/include/public), restated. */
const MEMORY_OP = 12;
const PHYSDEV_OP = 33;
const DOMCTL = 36;
const HARDWARE_DOMAIN = 0;

/** Where a device's DMA went. */
export interface DmaProbe {
  /** Whether the device saw the request succeed. */
  readonly ok: boolean;
  /** For a write: the physical address at which the bytes arrived; undefined if they arrived nowhere. */
  readonly landed: number | undefined;
  /** For a read: the word that the device got. */
  readonly word: number | undefined;
}

/** The bench that a check is given. */
export class PassthroughBench {
  readonly machine: Machine;
  readonly xen: Hypervisor;
  readonly ledger = new FrameLedger();
  readonly #transcript: TranscriptWriter | undefined;
  readonly #events: EventQueueReader;
  #argument: number | undefined;

  /**
   * Powers a second machine of the same board on, with the same Xen not yet booted: for checks that watch a boot. `seed` is
   * that of the hardware's delays, the board's if absent.
   */
  readonly powerOnAnother: (seed?: number) => PassthroughBench;

  constructor(
    machine: Machine,
    xen: Hypervisor,
    iommuBase: number,
    transcript: TranscriptWriter | undefined,
    powerOnAnother: (seed?: number) => PassthroughBench,
  ) {
    this.powerOnAnother = powerOnAnother;
    this.machine = machine;
    this.xen = xen;
    this.#transcript = transcript;
    this.#events = new EventQueueReader(machine, iommuBase as Pa);
  }

  /** Does something as the check itself, so that no access of it is taken for one of Xen's. */
  #asCheck<T>(action: () => T): T {
    const { observer } = this.machine;
    const actor = observer.actor;
    observer.actor = 'check';
    try {
      return action();
    } finally {
      observer.actor = actor;
    }
  }

  /** Runs `probe` after every access that Xen makes, until the end of `action`. */
  between<T>(probe: () => void, action: () => T): T {
    this.machine.observer.setProbe((access) => {
      if (access.actor === 'xen') probe();
    });
    try {
      return action();
    } finally {
      this.machine.observer.setProbe(undefined);
    }
  }

  /** Boots Xen on the machine. */
  boot(): void {
    this.#transcript?.say('xen', 'boot');
    this.xen.boot(this.machine);
  }

  // Domains and hypercalls

  /** Creates a domain. */
  create(config: DomainConfig): CreateResult {
    this.#transcript?.say(
      'xen',
      `create a domain of ${config.memory / 2 ** 20} MiB with ${config.devices?.map(formatSbdf).join(', ') || 'no device'}`,
    );
    const result = this.xen.createDomain(domainBlob(config));
    this.#transcript?.say('xen', 'domid' in result ? `created d${result.domid}` : `failed with ${result.error}`, 1);
    return result;
  }

  /** A guest address in the memory of the hardware domain that hypercall arguments are put at. */
  #argumentAddress(): number {
    this.#argument ??= this.ramOf(HARDWARE_DOMAIN).address + 8 * FRAME;
    return this.#argument;
  }

  /** A hypercall of a domain whose structure is `bytes`; `before` are the register arguments in front of its pointer. */
  #call(domid: number, number: number, before: readonly number[], bytes: Uint8Array | number): number {
    const address =
      typeof bytes === 'number'
        ? bytes
        : domid === HARDWARE_DOMAIN
          ? this.#argumentAddress()
          : this.ramOf(domid).address;
    if (typeof bytes !== 'number') this.#copyToGuest(domid, address, bytes);
    return this.xen.hypercall({ domid, vcpu: 0 }, number, [...before, address]);
  }

  #copyToGuest(domid: number, address: number, bytes: Uint8Array): void {
    const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
    padded.set(bytes);
    for (let at = 0; at < padded.length; at += 4) {
      const stored = this.store(domid, address + at, wordOf(padded.subarray(at, at + 4)));
      if (!stored.ok) throw new Error(`d${domid} cannot write its own argument at ${hex(address + at)}`);
    }
  }

  /** PHYSDEVOP_pci_device_add (25). The caller is the hardware domain unless another is given. */
  pciDeviceAdd(sbdf: Sbdf, options: { flags?: number; physfn?: Sbdf; caller?: number } = {}): number {
    this.#transcript?.say('xen', `pci_device_add ${formatSbdf(sbdf)}`);
    const bytes = abi.pciDeviceAdd(sbdf, options.flags, options.physfn);
    return this.#call(options.caller ?? HARDWARE_DOMAIN, PHYSDEV_OP, [25], bytes);
  }

  /** PHYSDEVOP_pci_device_remove (26). */
  pciDeviceRemove(sbdf: Sbdf, options: { caller?: number } = {}): number {
    this.#transcript?.say('xen', `pci_device_remove ${formatSbdf(sbdf)}`);
    return this.#call(options.caller ?? HARDWARE_DOMAIN, PHYSDEV_OP, [26], abi.pciDevice(sbdf));
  }

  /** A physdev operation whose argument is a guest address of the caller's choice. */
  physdevAt(command: number, address: number): number {
    return this.#call(HARDWARE_DOMAIN, PHYSDEV_OP, [command], address);
  }

  /** XEN_DOMCTL_assign_device (37). */
  assign(domain: number, sbdf: Sbdf, options: { flags?: number; caller?: number } = {}): number {
    this.#transcript?.say('xen', `assign_device ${formatSbdf(sbdf)} to d${domain}`);
    return this.#call(
      options.caller ?? HARDWARE_DOMAIN,
      DOMCTL,
      [],
      abi.assignDevice({ cmd: 37, domain }, sbdf, options.flags),
    );
  }

  /** XEN_DOMCTL_test_assign_device (45). */
  testAssign(domain: number, sbdf: Sbdf): number {
    return this.#call(HARDWARE_DOMAIN, DOMCTL, [], abi.assignDevice({ cmd: 45, domain }, sbdf));
  }

  /** XEN_DOMCTL_deassign_device (47). */
  deassign(domain: number, sbdf: Sbdf): number {
    this.#transcript?.say('xen', `deassign_device ${formatSbdf(sbdf)} from d${domain}`);
    return this.#call(HARDWARE_DOMAIN, DOMCTL, [], abi.assignDevice({ cmd: 47, domain }, sbdf));
  }

  /** XEN_DOMCTL_destroydomain (2). Its pages stay in the ledger: what became of them is for the check to see. */
  destroy(domain: number): number {
    this.#transcript?.say('xen', `destroydomain d${domain}`);
    return this.#call(HARDWARE_DOMAIN, DOMCTL, [], abi.plainDomctl({ cmd: 2, domain }));
  }

  /** XEN_DOMCTL_iomem_permission (20). Frames. */
  iomemPermission(domain: number, mfn: number, count: number, allow = true): number {
    return this.#call(HARDWARE_DOMAIN, DOMCTL, [], abi.iomemPermission({ cmd: 20, domain }, mfn, count, allow));
  }

  /** XEN_DOMCTL_memory_mapping (39). Frames. */
  memoryMapping(domain: number, gfn: number, mfn: number, count: number, add = true): number {
    this.#transcript?.say(
      'xen',
      `memory_mapping d${domain} gfn ${hex(gfn)} to mfn ${hex(mfn)}, ${count} frames, ${add ? 'add' : 'remove'}`,
    );
    return this.#call(HARDWARE_DOMAIN, DOMCTL, [], abi.memoryMapping({ cmd: 39, domain }, gfn, mfn, count, add));
  }

  /**
   * XENMEM_decrease_reservation (memory_op 1): a guest gives back the page, or the 2^order pages, at a guest address.
   * @returns how many such extents Xen took: 1 or 0
   */
  giveBack(domid: number, address: number, order = 0): number {
    this.#transcript?.say('xen', `decrease_reservation d${domid} ${hex(address)}`);
    const list = this.ramOf(domid).address + FRAME / 2;
    const frame = Math.floor(address / FRAME);
    this.#copyToGuest(domid, list, Uint8Array.of(frame, frame >>> 8, frame >>> 16, frame >>> 24, 0, 0, 0, 0));
    return this.#call(domid, MEMORY_OP, [1], abi.memoryReservation(list, 1, order));
  }

  // What guests see

  /** Where Xen says that a domain's memory begins for the guest, and how long it is: what a guest is told at its start. */
  ramOf(domid: number): { readonly address: number; readonly length: number } {
    const ram = this.xen.claims().find((claim) => claim.domid === domid)?.ram[0];
    if (ram === undefined) throw new Error(`d${domid} has no memory to speak of`);
    return { address: ram.gfn * FRAME, length: ram.count * FRAME };
  }

  #guest(domid: number, kind: 'load' | 'store' | 'fetch', address: number, value = 0): GuestResult {
    const cpu = this.xen.schedule({ domid, vcpu: 0 });
    if (cpu === undefined) return { ok: false };
    const access = {
      kind,
      hi: Math.floor(address / TWO_32),
      lo: address >>> 0,
      width: 4 as const,
      valueHi: 0,
      valueLo: value,
    };
    return this.machine.cpus.guest(cpu, access);
  }

  /** A domain stores a word at a guest address. */
  store(domid: number, address: number, value: number): GuestResult {
    return this.#guest(domid, 'store', address, value);
  }

  /** A domain loads a word. Undefined: it was given an abort. */
  load(domid: number, address: number): number | undefined {
    const result = this.#guest(domid, 'load', address);
    return result.ok ? result.lo : undefined;
  }

  /** Whether a domain can execute from a guest address. */
  fetch(domid: number, address: number): boolean {
    return this.#guest(domid, 'fetch', address).ok;
  }

  /** The memory attributes of a domain's access; undefined if it would fault. */
  attributes(domid: number, address: number): { readonly type: string; readonly shareability: string } | undefined {
    const cpu = this.xen.schedule({ domid, vcpu: 0 });
    if (cpu === undefined) return undefined;
    const access = { kind: 'load' as const, hi: Math.floor(address / TWO_32), lo: address >>> 0, width: 4 as const };
    return this.machine.cpus.attributes(cpu, access);
  }

  /**
   * Finds out which frame a guest page is in, by the domain's own store, and enters it into the ledger.
   * @returns the page; or what speaks against it: the store fails, lands nowhere, or in a frame of another's
   */
  learn(domid: number, address: number): Page | string {
    const pattern = this.ledger.pattern();
    this.machine.memory.changed();
    if (!this.store(domid, address, pattern).ok) return `d${domid} cannot store at ${hex(address)}`;
    const at = this.#find(pattern);
    if (at === undefined) return `the store of d${domid} at ${hex(address)} arrived nowhere in memory`;
    const page: Page = { domid, gfn: Math.floor(address / FRAME), mfn: Math.floor(at / FRAME) };
    const holder = this.ledger.enter(page);
    return holder === undefined ? page : `the frame ${hex(page.mfn)} is d${domid}'s and d${holder.domid}'s at once`;
  }

  /** The one place where a pattern has appeared since memory was last asked; undefined if in none. */
  #find(pattern: number): number | undefined {
    const [b0, b1, b2, b3] = patternBytes(pattern);
    for (const range of this.machine.memory.changed()) {
      // The pattern may share its first or last bytes with what was there before: look three bytes beyond.
      const bank = this.machine.memory.ranges.find(
        (one) => range.address >= one.address && range.address < one.address + one.length,
      );
      if (bank === undefined) continue;
      const from = Math.max(bank.address, range.address - 3);
      const to = Math.min(bank.address + bank.length, range.address + range.length + 3);
      const found = this.machine.memory.peek(from as Pa, to - from);
      for (let i = 0; i + 4 <= found.length; i++) {
        if (found[i] === b0 && found[i + 1] === b1 && found[i + 2] === b2 && found[i + 3] === b3) return from + i;
      }
    }
    return undefined;
  }

  // What devices see

  /** A device writes a fresh pattern of four bytes. */
  dmaWrite(sbdf: Sbdf, address: number, options: { pasid?: number; hi?: number } = {}): DmaProbe {
    return this.#asCheck(() => {
      const pattern = this.ledger.pattern();
      this.machine.memory.changed();
      const result = this.#dma(sbdf, address, { write: true, data: patternBytes(pattern), ...options });
      const landed = this.#find(pattern);
      this.#tell(sbdf, `writes 4 bytes at ${hex(address)}`, result.ok, landed);
      return { ok: result.ok, landed, word: undefined };
    });
  }

  /** A device reads four bytes. */
  dmaRead(sbdf: Sbdf, address: number, options: { pasid?: number; hi?: number } = {}): DmaProbe {
    return this.#asCheck(() => {
      const result = this.#dma(sbdf, address, { write: false, length: 4, ...options });
      this.#tell(sbdf, `reads 4 bytes at ${hex(address)}`, result.ok, undefined);
      return { ok: result.ok, landed: undefined, word: result.data === undefined ? undefined : wordOf(result.data) };
    });
  }

  #dma(
    sbdf: Sbdf,
    address: number,
    command: { write: boolean; data?: Uint8Array; length?: number; pasid?: number; hi?: number },
  ): DmaResult {
    const { hi = Math.floor(address / TWO_32), ...rest } = command;
    return this.machine.endpoints.dma(sbdf, { ...rest, hi, lo: address >>> 0 });
  }

  /** A device starts a write of `pattern` that lands later; the result says how it ended, undefined while it has not. */
  dmaStart(sbdf: Sbdf, address: number, pattern: number): () => DmaResult | undefined {
    return this.#asCheck(() =>
      this.machine.endpoints.start(sbdf, {
        write: true,
        hi: Math.floor(address / TWO_32),
        lo: address >>> 0,
        data: patternBytes(pattern),
      }),
    );
  }

  /** Lets the hardware come to rest, and passes over all faults that it has recorded so far. */
  forgetFaults(): void {
    this.#asCheck(() => {
      this.machine.settle();
      this.#events.skip();
    });
  }

  /** Lets the hardware come to rest; gives the faults that the IOMMU recorded since they were last asked for. */
  faults(): readonly FaultRecord[] {
    return this.#asCheck(() => {
      this.machine.settle();
      return this.#events.take();
    });
  }

  #tell(sbdf: Sbdf, what: string, ok: boolean, landed: number | undefined): void {
    if (this.#transcript === undefined) return;
    const owner = landed === undefined ? undefined : this.ledger.ownerOf(landed);
    const where =
      landed === undefined
        ? ''
        : `: changed ${hex(landed)} (${owner === undefined ? 'no known domain' : `d${owner.domid}`})`;
    this.#transcript.say('dma', `${formatSbdf(sbdf)} ${what}${ok ? where || ': done' : `: aborted${where}`}`);
  }

  /** The word at a machine address, without any access. */
  peekWord(address: number): number {
    return wordOf(this.machine.memory.peek(address as Pa, 4));
  }

  /** Puts a word at a machine address, without any access: what was there before, in a test's own setting. */
  pokeWord(address: number, value: number): void {
    this.machine.memory.poke(address as Pa, patternBytes(value));
  }
}
