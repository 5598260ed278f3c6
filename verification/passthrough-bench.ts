/**
 * The bench of the passthrough checks: a machine with a hypervisor booted on it, and the few verbs that checks use.
 *
 * A check arranges through hypercalls, made by vCPUs of the hardware domain with their structures in its memory, and
 * probes through the machine: a guest's own loads and stores, a device's DMA and interrupts, what memory says has changed,
 * what the IOMMU has recorded. Nothing here asks Xen whether something worked beyond the return value of a hypercall.
 */
import type { DeviceTree } from '../src/firmware/tree.js';
import { hex, TWO_32 } from '../src/hw/address.js';
import type { DmaCommand, DmaResult, Machine, SignalResult } from '../src/hw/machine.js';
import type { Hypervisor } from '../src/xen/hypervisor.js';
import { ControlBench } from './control-bench.js';
import { type DeviceName, type Devices, endpointOf } from './devices.js';
import type { FaultReader, FaultRecord } from './fault-record.js';
import { patternBytes, wordOf } from './frame-ledger.js';
import { nameOf } from './guest-bench.js';
import type { TranscriptWriter } from './transcript-writer.js';

/** Where a device's DMA went. */
export interface DmaProbe {
  /** Whether the device saw the request succeed. */
  readonly ok: boolean;
  /** For a write: the physical address at which the bytes arrived; undefined if they arrived nowhere. */
  readonly landed: number | undefined;
  /** For a read: the word that the device got. */
  readonly word: number | undefined;
}

/** What a request of a device may have besides address and direction. `hi`: upper half of an address beyond 2^53. */
export type DmaOptions = Partial<
  Pick<DmaCommand, 'hi' | 'stream' | 'phantom' | 'pasid' | 'privileged' | 'execute' | 'addressType'>
>;

/** What a bench stands on. */
export interface PlatformFacts {
  /** The IOMMUs, with the physical addresses of their registers. Of an IPMMU, the main instance. */
  readonly iommus: readonly { readonly kind: 'smmuv3' | 'ipmmu'; readonly base: number }[];
  readonly devices: Devices;
}

/** What makes another bench of the same platform, powered on and not yet booted. */
export type PowerOnAnother = (seed?: number, boot?: (tree: DeviceTree) => void) => PassthroughBench;

/** The bench that a check is given. */
export class PassthroughBench extends ControlBench {
  readonly #faults: readonly FaultReader[];

  /**
   * Powers a second machine of the same board on, with the same Xen not yet booted: for checks that watch a boot. `seed` is
   * that of the hardware's delays, the board's if absent; `boot` is what a boot loader changes in the host's tree.
   */
  readonly powerOnAnother: PowerOnAnother;

  /** The board's devices, by the roles that they play in checks. */
  readonly devices: Devices;
  /** The board's IOMMUs, with the physical addresses of their registers. */
  readonly iommus: PlatformFacts['iommus'];

  constructor(
    machine: Machine,
    xen: Hypervisor,
    transcript: TranscriptWriter | undefined,
    facts: PlatformFacts,
    faults: readonly FaultReader[],
    powerOnAnother: PowerOnAnother,
  ) {
    super(machine, xen, transcript);
    this.devices = facts.devices;
    this.iommus = facts.iommus;
    this.#faults = faults;
    this.powerOnAnother = powerOnAnother;
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
    this.transcript?.say('xen', 'boot');
    this.xen.boot(this.machine);
  }

  /** A device writes a fresh pattern of four bytes. */
  dmaWrite(endpoint: DeviceName, address: number, options: DmaOptions = {}): DmaProbe {
    return this.asCheck(() => {
      const pattern = this.ledger.pattern();
      this.machine.memory.changed();
      const result = this.#dma(endpoint, address, { write: true, data: patternBytes(pattern), ...options });
      const landed = this.find(pattern);
      this.#tell(endpoint, `writes 4 bytes at ${hex(address)}`, result.ok, landed);
      return { ok: result.ok, landed, word: undefined };
    });
  }

  /** A device reads four bytes. */
  dmaRead(endpoint: DeviceName, address: number, options: DmaOptions = {}): DmaProbe {
    return this.asCheck(() => {
      const result = this.#dma(endpoint, address, { write: false, length: 4, ...options });
      this.#tell(endpoint, `reads 4 bytes at ${hex(address)}`, result.ok, undefined);
      return { ok: result.ok, landed: undefined, word: result.data === undefined ? undefined : wordOf(result.data) };
    });
  }

  #dma(
    endpoint: DeviceName,
    address: number,
    command: DmaOptions & { readonly write: boolean; readonly data?: Uint8Array; readonly length?: number },
  ): DmaResult {
    const { hi = Math.floor(address / TWO_32), ...rest } = command;
    return this.machine.endpoints.dma(endpointOf(endpoint), { ...rest, hi, lo: address >>> 0 });
  }

  /** A device starts a write of `pattern` that lands later; the result says how it ended, undefined while it has not. */
  dmaStart(endpoint: DeviceName, address: number, pattern: number): () => DmaResult | undefined {
    return this.asCheck(() =>
      this.machine.endpoints.start(endpointOf(endpoint), {
        write: true,
        hi: Math.floor(address / TWO_32),
        lo: address >>> 0,
        data: patternBytes(pattern),
      }),
    );
  }

  /** A device wants the interrupt of a message vector. */
  signal(endpoint: DeviceName, vector: number): SignalResult {
    return this.asCheck(() => {
      const result = this.machine.endpoints.signal(endpointOf(endpoint), vector);
      this.transcript?.say('msi', `${nameOf(endpoint)} vector ${vector}: ${result}`);
      return result;
    });
  }

  /** A device drives one of its wired interrupts. */
  setLine(endpoint: DeviceName, index: number, level: boolean): void {
    this.asCheck(() => {
      this.transcript?.say('line', `${nameOf(endpoint)} interrupt ${index} ${level ? 'high' : 'low'}`);
      this.machine.endpoints.setLine(endpointOf(endpoint), index, level);
    });
  }

  /** A device drives one of its wired interrupts high and low again. */
  pulse(endpoint: DeviceName, index: number): void {
    this.setLine(endpoint, index, true);
    this.setLine(endpoint, index, false);
  }

  /** Lets the hardware come to rest and every CPU take the interrupts that are pending there. */
  rest(): void {
    this.asCheck(() => {
      this.machine.settle();
      for (let cpu = 0; cpu < this.machine.cpus.count; cpu++) this.machine.cpus.takeInterrupts(cpu);
      this.machine.settle();
    });
  }

  /** Lets the hardware come to rest, and passes over all faults that it has recorded so far. */
  forgetFaults(): void {
    this.asCheck(() => {
      this.machine.settle();
      for (const reader of this.#faults) reader.skip();
    });
  }

  /** Lets the hardware come to rest; gives the faults that the IOMMUs recorded since they were last asked for, and which did. */
  faults(): readonly (FaultRecord & { readonly iommu: number | undefined })[] {
    return this.asCheck(() => {
      this.machine.settle();
      return this.#faults.flatMap((reader, index) => {
        const iommu = this.iommus[index]?.base;
        return reader.take().map((record) => ({ ...record, iommu }));
      });
    });
  }

  #tell(endpoint: DeviceName, what: string, ok: boolean, landed: number | undefined): void {
    if (this.transcript === undefined) return;
    const owner = landed === undefined ? undefined : this.ledger.ownerOf(landed);
    const where =
      landed === undefined
        ? ''
        : `: changed ${hex(landed)} (${owner === undefined ? 'no known domain' : `d${owner.domid}`})`;
    this.transcript.say('dma', `${nameOf(endpoint)} ${what}${ok ? where || ': done' : `: aborted${where}`}`);
  }
}
