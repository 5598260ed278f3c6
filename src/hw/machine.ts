/**
 * A Machine: the ports through which software, checks and an outside machine's driver see hardware.
 *
 * Everything is synchronous. A machine outside this process blocks in its own process. A check names the ports that it
 * needs; a machine without them cannot run it.
 *
 * Numbers: physical addresses are numbers below 2^52; 64-bit values are pairs of unsigned 32-bit halves, upper first.
 */
import type { Pa } from './address.js';
import type { GicSystemRegister, IccRegister } from './interrupt.js';
import type { ByteRange } from './memory.js';
import type { Observer } from './observer.js';

/** A 64-bit value as unsigned halves. */
export interface Value64 {
  readonly hi: number;
  readonly lo: number;
}

/** Physical memory as software sees it. Every access is single-copy atomic and observed. */
export interface MemoryPort {
  /** Loads 8, 16 or 32 bits, naturally aligned. */
  load(address: Pa, width: 1 | 2 | 4): number;
  /** Loads 64 bits, naturally aligned. */
  load64(address: Pa): Value64;
  /** Stores 8, 16 or 32 bits, naturally aligned. */
  store(address: Pa, width: 1 | 2 | 4, value: number): void;
  /** Stores 64 bits, naturally aligned. */
  store64(address: Pa, hi: number, lo: number): void;
  /** Stores 128 bits at once, naturally aligned; `words` are four 32-bit words, least significant first. */
  store128(address: Pa, words: ArrayLike<number>): void;
  /** Reads bytes. One access, not atomic. */
  read(address: Pa, length: number): Uint8Array;
  /** Writes bytes. One access, not atomic. */
  write(address: Pa, bytes: Uint8Array): void;
  /** What changed since the last call: any byte of RAM, whoever wrote it. Not an access; for checks. */
  changed(): readonly ByteRange[];
  /** Reads bytes without being observed; for checks. */
  peek(address: Pa, length: number): Uint8Array;
  /** Writes bytes without being observed, outside any period of {@link changed}; for checks. */
  poke(address: Pa, bytes: Uint8Array): void;
  /** The RAM ranges. */
  readonly ranges: readonly ByteRange[];
}

/**
 * Device registers at physical addresses, as software at EL2 or in root mode sees them. `cpu` is the one that makes the
 * access, 0 if absent: banked registers (those of a GICv2) tell by it.
 */
export interface MmioPort {
  read(address: Pa, width: 1 | 2 | 4, cpu?: number): number;
  write(address: Pa, width: 1 | 2 | 4, value: number, cpu?: number): void;
  read64(address: Pa, cpu?: number): Value64;
  write64(address: Pa, hi: number, lo: number, cpu?: number): void;
}

/** A PCI function: segment, bus, device, function. */
export interface Sbdf {
  readonly segment: number;
  readonly bus: number;
  readonly device: number;
  readonly function: number;
}

/** What a check asks an endpoint to do. */
export interface DmaCommand {
  readonly write: boolean;
  /** The 64-bit address that the device puts on the bus. */
  readonly hi: number;
  readonly lo: number;
  /** For a write: the bytes. For a read: their number. */
  readonly data?: Uint8Array;
  readonly length?: number;
  /** Which of a platform device's stream ids the request has, counted as its node names them; 0 if absent. */
  readonly stream?: number;
  /** The function number that a PCI request carries instead of the function's own, one of its phantom functions. */
  readonly phantom?: number;
  readonly pasid?: number;
  readonly privileged?: boolean;
  readonly execute?: boolean;
  readonly addressType?: 'untranslated' | 'translation request' | 'translated';
}

/** What the device saw: data or an error, nothing else. */
export interface DmaResult {
  readonly ok: boolean;
  /** For a read that succeeded. */
  readonly data: Uint8Array | undefined;
}

/** A device that takes commands: a PCI function by its address, a platform device by the path of its device-tree node. */
export type Endpoint = Sbdf | string;

/**
 * What became of an interrupt that a device wanted to send as a message.
 *
 * - `sent`: the write was completed. Whether it was an interrupt is for the interrupt controller to say.
 * - `aborted`: the write was terminated on its way.
 * - `pending`: the vector is masked; its pending bit is set.
 * - `disabled`: the device has no such vector, or its messages are not enabled.
 */
export type SignalResult = 'sent' | 'aborted' | 'pending' | 'disabled';

/** DMA and interrupts on command of a check, as if the device's own driver had asked for it. */
export interface EndpointPort {
  /** The endpoints that take commands, by name: `0000:03:00.0`, or the path of a platform device. */
  readonly list: readonly { readonly name: string; readonly endpoint: Endpoint }[];
  /** Runs one DMA to its end, whatever the machine's latency. */
  dma(endpoint: Endpoint, command: DmaCommand): DmaResult;
  /** Starts one DMA that ends later, when the machine's latency lets it; the result is undefined until then. */
  start(endpoint: Endpoint, command: DmaCommand): () => DmaResult | undefined;
  /**
   * Wants the interrupt of a message vector: vector `vector` of MSI-X if that is enabled, else of MSI, sent as the device's
   * capability is programmed now.
   */
  signal(endpoint: Endpoint, vector: number): SignalResult;
  /** Drives a wired interrupt: INTx of a PCI function (`index` 0), or the interrupt `index` of a platform device's node. */
  setLine(endpoint: Endpoint, index: number, level: boolean): void;
  /**
   * Takes a PCI function off its slot, as a surprise removal does: its configuration space reads as all ones, nothing of it
   * is decoded, nothing leaves it.
   */
  unplug(sbdf: Sbdf): void;
  /** Puts a function back into its slot, as it comes out of reset. */
  plug(sbdf: Sbdf): void;
}

/** Where firmware left its description of the machine. */
export interface FirmwarePort {
  /** Physical address and size of the flattened device tree, on boards that have one. */
  readonly fdt?: { readonly address: Pa; readonly size: number };
}

/** Arm64 system registers that the model has (Arm DDI 0487, chapter D24). */
export type SystemRegister =
  | 'MPIDR_EL1'
  | 'ID_AA64MMFR0_EL1'
  | 'ID_AA64MMFR1_EL1'
  | 'ID_AA64MMFR2_EL1'
  | 'HCR_EL2'
  | 'VTCR_EL2'
  | 'VTTBR_EL2'
  | 'ESR_EL2'
  | 'FAR_EL2'
  | 'HPFAR_EL2'
  | 'ELR_EL2'
  | 'SPSR_EL2'
  | GicSystemRegister;

/** TLB maintenance and barriers (Arm DDI 0487 D8.17). IPA operands in bytes. `is`: all CPUs of the inner shareable domain. */
export type CpuInstruction =
  | { readonly op: 'TLBI VMALLS12E1IS' }
  | { readonly op: 'TLBI VMALLE1IS' }
  | { readonly op: 'TLBI IPAS2E1IS'; readonly ipa: number }
  | { readonly op: 'TLBI IPAS2LE1IS'; readonly ipa: number }
  | { readonly op: 'TLBI ALLE1IS' }
  | { readonly op: 'DSB ISH' }
  | { readonly op: 'ISB' };

/** An access of a guest through the CPU's own translation. */
export interface GuestAccess {
  readonly kind: 'load' | 'store' | 'fetch';
  readonly hi: number;
  readonly lo: number;
  readonly width: 1 | 2 | 4 | 8;
  /** For a store. */
  readonly valueHi?: number;
  readonly valueLo?: number;
}

/** What a guest sees of its access. */
export type GuestResult =
  | { readonly ok: true; readonly hi: number; readonly lo: number }
  /** Xen reflected an abort into the guest, or left the access undone. */
  | { readonly ok: false };

/** The memory type that an access ended up with, after all stages of translation: for checks on attributes. */
export interface AccessAttributes {
  /** `Device-nGnRE`, `Normal WB`, ... as Arm DDI 0487 B2.10 names them. */
  readonly type: string;
  readonly shareability: 'non-shareable' | 'inner' | 'outer';
}

/** What a vector does with a trap from a guest. */
export type TrapOutcome =
  /** Go on behind the trapping instruction; for an emulated access, X0.. hold what it returned. */
  | 'return'
  /** Execute the instruction again. */
  | 'retry'
  /** Deliver a synchronous external abort to the guest. */
  | 'inject abort';

/** Xen's code at its vector: called at EL2 with the syndrome registers of `cpu` set. */
export type TrapVector = (cpu: number) => TrapOutcome;

/** Xen's code for interrupts: called at EL2 when a CPU takes a physical IRQ. */
export type InterruptVector = (cpu: number) => void;

/** The CPUs. A CPU runs Xen (EL2) except inside {@link CpuPort.guest} and {@link CpuPort.hvc}. */
export interface CpuPort {
  readonly count: number;
  readSystem(cpu: number, register: SystemRegister): Value64;
  writeSystem(cpu: number, register: SystemRegister, hi: number, lo: number): void;
  /** General-purpose registers X0 to X30 as pairs of words (index 2n lower half, 2n+1 upper half), shared with a guest. */
  registers(cpu: number): Uint32Array;
  /** Executes an instruction of Xen on `cpu`. */
  execute(cpu: number, instruction: CpuInstruction): void;
  /** Installs what runs at EL2 when a guest traps. */
  setVector(vector: TrapVector): void;
  /** Installs what runs at EL2 when a physical IRQ is taken there (HCR_EL2.IMO of a guest, or EL2 itself). */
  setInterruptVector(vector: InterruptVector): void;
  /**
   * Lets a CPU go on with physical interrupts unmasked until none is signalled to it: each is taken to the interrupt vector.
   * A CPU that runs a guest does so before every access of the guest too. Nothing while Xen's own code runs on it.
   */
  takeInterrupts(cpu: number): void;
  /** Whether a virtual IRQ is signalled to the guest that a CPU runs (HCR_EL2.IMO set). Not an access. */
  virtualInterrupt(cpu: number): boolean;
  /**
   * A guest's read of a register of its CPU interface: the virtual one, or a trap (Arm IHI 0069 12.2; HCR_EL2.IMO, ICH_HCR_EL2).
   * Undefined: the guest takes an exception of its own.
   */
  guestRead(cpu: number, register: IccRegister): Value64 | undefined;
  /** A guest's write of a register of its CPU interface. False: the guest takes an exception of its own. */
  guestWrite(cpu: number, register: IccRegister, hi: number, lo: number): boolean;
  /** Returns to a guest: what follows on this CPU until {@link leave} is done by `actor`, under the current VTTBR_EL2. */
  enter(cpu: number, actor: string): void;
  /** Back at EL2 (the guest was descheduled). */
  leave(cpu: number): void;
  /** A guest's load, store or fetch on the CPU that it was entered on, through stage 2 as the registers stand. */
  guest(cpu: number, access: GuestAccess): GuestResult;
  /** A guest's `HVC #imm`: traps to the vector with ESR_EL2.EC = 0x16. Registers as {@link registers} hold them. */
  hvc(cpu: number, immediate: number): void;
  /** The memory attributes that a guest's access would have now, undefined if it would fault. Not an access; for checks. */
  attributes(cpu: number, access: GuestAccess): AccessAttributes | undefined;
}

/** A machine as saved. Plain data; caches are not part of it, so a loaded machine has cold ones. */
export interface MachineSnapshot {
  readonly board: string;
  readonly memory: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  /** Registers by block name; what is in them is the block's own affair. */
  readonly blocks: Readonly<Record<string, unknown>>;
}

/** A block of a machine that can be saved and loaded. */
export interface SavedBlock {
  save(): unknown;
  load(state: unknown): void;
}

/** A machine: the ports that it has, and its state as a whole. */
export interface Machine {
  /** Name of the board. */
  readonly name: string;
  readonly memory: MemoryPort;
  readonly mmio: MmioPort;
  readonly endpoints: EndpointPort;
  readonly firmware: FirmwarePort;
  readonly cpus: CpuPort;
  readonly observer: Observer;
  /** Lets time pass until the hardware has nothing left to do. */
  settle(): void;
  save(): MachineSnapshot;
  load(snapshot: MachineSnapshot): void;
}

/** `0000:03:00.0`. */
export function formatSbdf({ segment, bus, device, function: fn }: Sbdf): string {
  return `${segment.toString(16).padStart(4, '0')}:${bus.toString(16).padStart(2, '0')}:${device.toString(16).padStart(2, '0')}.${fn}`;
}

/** The requester id of a function: bus 15:8, device 7:3, function 2:0 (PCI Express Base 2.2.6.2). */
export function requesterId({ bus, device, function: fn }: Sbdf): number {
  return (bus << 8) | (device << 3) | fn;
}
