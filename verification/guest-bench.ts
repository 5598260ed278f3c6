/**
 * What guests see: a machine with a hypervisor on it, and domains that load, store and fetch. Where their pages are is learnt
 * by their own stores, and kept in the ledger.
 */
import { decodeFdt } from '../src/firmware/fdt.js';
import type { DeviceTree } from '../src/firmware/tree.js';
import { hex, type Pa, TWO_32 } from '../src/hw/address.js';
import { formatSbdf, type GuestResult, type Machine } from '../src/hw/machine.js';
import type { Hypervisor } from '../src/xen/hypervisor.js';
import { type DeviceName, endpointOf } from './devices.js';
import { FRAME, FrameLedger, type Page, patternBytes, wordOf } from './frame-ledger.js';
import { GuestCpu } from './guest/guest-cpu.js';
import { GuestInterruptController } from './guest/interrupt-controller.js';
import type { TranscriptWriter } from './transcript-writer.js';

/** A device as transcripts call it. */
export function nameOf(device: DeviceName): string {
  const endpoint = endpointOf(device);
  return typeof endpoint === 'string' ? endpoint : formatSbdf(endpoint);
}

/** A machine, the hypervisor on it, and its guests. */
export class GuestBench {
  readonly machine: Machine;
  readonly xen: Hypervisor;
  readonly ledger = new FrameLedger();
  protected readonly transcript: TranscriptWriter | undefined;

  constructor(machine: Machine, xen: Hypervisor, transcript: TranscriptWriter | undefined) {
    this.machine = machine;
    this.xen = xen;
    this.transcript = transcript;
  }

  /** Does something as the check itself, so that no access of it is taken for one of Xen's. */
  protected asCheck<T>(action: () => T): T {
    const { observer } = this.machine;
    const actor = observer.actor;
    observer.actor = 'check';
    try {
      return action();
    } finally {
      observer.actor = actor;
    }
  }
  /** Where Xen says that a domain's memory begins for the guest, and how long it is: what a guest is told at its start. */
  ramOf(domid: number): { readonly address: number; readonly length: number } {
    const ram = this.xen.claims().find((claim) => claim.domid === domid)?.ram[0];
    if (ram === undefined) throw new Error(`d${domid} has no memory to speak of`);
    return { address: ram.gfn * FRAME, length: ram.count * FRAME };
  }

  /** A vCPU of a domain, to run code of its own. */
  guest(domid: number, vcpu = 0): GuestCpu {
    return new GuestCpu(this.machine, this.xen, domid, vcpu);
  }

  /** The device tree that a domain finds at its start, read by its own loads. */
  guestTree(domid: number): DeviceTree {
    const place = this.xen.deviceTree(domid);
    if (place === undefined) throw new Error(`d${domid} is given no device tree`);
    const cpu = this.guest(domid);
    const bytes = new DataView(new ArrayBuffer(Math.ceil(place.size / 8) * 8));
    for (let at = 0; at < place.size; at += 8) {
      const value = cpu.load64(place.address + at);
      if (value === undefined) throw new Error(`d${domid} cannot load its device tree at ${hex(place.address + at)}`);
      bytes.setUint32(at, value.lo, true);
      bytes.setUint32(at + 4, value.hi, true);
    }
    return decodeFdt(new Uint8Array(bytes.buffer, 0, place.size));
  }

  /** A domain's driver of its interrupt controller, brought up on its first `vcpus` vCPUs. */
  interruptController(domid: number, vcpus = 1): GuestInterruptController {
    const cpus = Array.from({ length: vcpus }, (_, vcpu) => this.guest(domid, vcpu));
    return new GuestInterruptController(this.guestTree(domid), cpus).start();
  }

  /** One access of a domain's first vCPU, of 32 bits. */
  protected access(domid: number, kind: 'load' | 'store' | 'fetch', address: number, value = 0): GuestResult {
    return this.guest(domid).access(kind, address, 4, { hi: 0, lo: value });
  }

  /** A domain stores a word at a guest address. */
  store(domid: number, address: number, value: number): GuestResult {
    return this.access(domid, 'store', address, value);
  }

  /** A domain loads a word. Undefined: it was given an abort. */
  load(domid: number, address: number): number | undefined {
    const result = this.access(domid, 'load', address);
    return result.ok ? result.lo : undefined;
  }

  /** Whether a domain can execute from a guest address. */
  fetch(domid: number, address: number): boolean {
    return this.access(domid, 'fetch', address).ok;
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
    const at = this.find(pattern);
    if (at === undefined) return `the store of d${domid} at ${hex(address)} arrived nowhere in memory`;
    const page: Page = { domid, gfn: Math.floor(address / FRAME), mfn: Math.floor(at / FRAME) };
    const holder = this.ledger.enter(page);
    return holder === undefined ? page : `the frame ${hex(page.mfn)} is d${domid}'s and d${holder.domid}'s at once`;
  }

  /** The one place where a pattern has appeared since memory was last asked; undefined if in none. */
  protected find(pattern: number): number | undefined {
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

  /** The word at a machine address, without any access. */
  peekWord(address: number): number {
    return wordOf(this.machine.memory.peek(address as Pa, 4));
  }

  /** Puts a word at a machine address, without any access: what was there before, in a test's own setting. */
  pokeWord(address: number, value: number): void {
    this.machine.memory.poke(address as Pa, patternBytes(value));
  }
}
