/**
 * A PCI function: what it decodes, what its interrupts do, its resets. Its registers are stated in `header.ts`.
 *
 * PCI Express Base Specification 7.5.1.1, 7.5.1.2; 2.2.6.2 (a function learns its bus number from the
 * configuration writes that reach it); 6.6.2 (function level reset); 6.1.1 and 6.1.4 (INTx, MSI and MSI-X: a function
 * with messages enabled does not use its pin); 2.2.6.2 and 7.5.3.3 (phantom functions).
 *
 * Not modelled: I/O space, the expansion ROM, power management, error reporting (the error bits of Status and Device
 * Status stay 0), link and slot registers (read as zero), ATS, page request and PASID capabilities, hot plug registers.
 */
import { join } from '../address.js';
import type { SignalResult } from '../machine.js';
import { AcsCapability } from './acs.js';
import { EXTENDED_SPACE } from './capabilities-layout.js';
import { type Capability, type CapabilityHost, field, type Surroundings, tellMisuse, word } from './capability.js';
import { type ConfigSnapshot, ConfigSpace } from './config-space.js';
import {
  type BarDescription,
  defineExpress,
  defineHeader,
  type FunctionDescription,
  type HeaderKind,
} from './header.js';
import { COMMAND, DEVICE_CONTROL, EXPRESS, HEADER, HEADER_TYPE, STATUS } from './layout.js';
import { MsiCapability } from './msi.js';
import { MsixCapability } from './msix.js';

/** What answers accesses to a function's memory. Offsets are relative to the base address register. */
export interface BarTarget {
  readBar(index: number, offset: number, width: 1 | 2 | 4): number;
  writeBar(index: number, offset: number, width: 1 | 2 | 4, value: number): void;
  /** The function was reset. */
  resetBars(): void;
  saveBars(): unknown;
  loadBars(state: unknown): void;
}

const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff } as const;

/** Saved state of a function. */
export interface FunctionState {
  readonly config: ConfigSnapshot;
  readonly bus: number;
  readonly memory: unknown;
  readonly capabilities: readonly unknown[];
  readonly intx: boolean;
  readonly isPlugged: boolean;
}

/** A function. */
export class PciFunction implements CapabilityHost {
  readonly description: FunctionDescription;
  readonly config = new ConfigSpace();
  /** Device 7:3, function 2:0. */
  readonly devfn: number;
  readonly msi: MsiCapability | undefined;
  readonly msix: MsixCapability | undefined;
  readonly acs: AcsCapability | undefined;
  /** Undefined until {@link connect}. */
  surroundings: Surroundings | undefined;
  /** Takes the changes of the function's INTx; the bus that it is put on sets it. */
  onIntx: ((pin: number, level: boolean) => void) | undefined;
  readonly #capabilities: Capability[] = [];
  readonly #target: BarTarget | undefined;
  readonly #express: number | undefined;
  #capturedBus = 0;
  #isPlugged = true;
  /** What the device wants of its pin, and what the pin shows. */
  #intx = false;
  #isIntxDriven = false;

  /** @throws RangeError if the description contradicts itself or the specification. */
  constructor(description: FunctionDescription, target: BarTarget | undefined, header: HeaderKind = 0) {
    const { msi, msix, interruptPin = 0, portType, bars } = description;
    if (interruptPin < 0 || interruptPin > 4) throw new RangeError(`no interrupt pin ${interruptPin}`);
    if (portType === 'conventional' && (description.acs || description.phantomStride !== undefined)) {
      throw new RangeError('a conventional function has neither ACS nor phantom functions');
    }
    this.description = description;
    this.devfn = (description.device << 3) | description.function;
    this.#target = target;
    defineHeader(this.config, description, header);
    this.#express = portType === 'conventional' ? undefined : defineExpress(this.config, description, portType, header);
    if (msi !== undefined) this.msi = this.install(new MsiCapability(this, this.config, msi));
    if (msix !== undefined) this.msix = this.install(new MsixCapability(this, this.config, msix, bars));
    if (description.acs) this.acs = new AcsCapability(this.config, /^(root|downstream) port$/.test(portType));
  }

  /** Adds a capability that is to be told what happens. */
  protected install<C extends Capability>(capability: C): C {
    this.#capabilities.push(capability);
    return capability;
  }

  /** Puts the function into a machine: from now on it can send messages. */
  connect(surroundings: Surroundings): void {
    this.surroundings = surroundings;
  }

  /** Bus number that the last configuration write told (2.2.6.2). */
  get capturedBus(): number {
    return this.#capturedBus;
  }

  /** Whether there is a function: it is in its slot. */
  get isPresent(): boolean {
    return this.#isPlugged;
  }

  /** Sets the multi-function bit of the Header Type register: the device has further functions. */
  markMultiFunction(): void {
    const reset = this.config.read(HEADER.HEADER_TYPE, 1) | (1 << HEADER_TYPE.MULTI_FUNCTION.shift);
    this.config.define(HEADER.HEADER_TYPE, 1, { reset });
  }

  #command(bit: keyof typeof COMMAND): boolean {
    return field(this.config.read(HEADER.COMMAND, 2), COMMAND[bit]) === 1;
  }

  /** Whether the function decodes its memory, and a bridge forwards memory requests downstream. */
  get memorySpaceEnabled(): boolean {
    return this.#command('MEMORY_SPACE_ENABLE');
  }

  /** Whether the function may issue memory requests, and a bridge forward them upstream. */
  get busMasterEnabled(): boolean {
    return this.#command('BUS_MASTER_ENABLE');
  }

  /**
   * The function numbers that requests may carry instead of the function's own: none unless software enabled them.
   * (2.2.6.2: the most significant bits of the function number count the tags further.)
   */
  isPhantom(number: number): boolean {
    const { phantomStride, function: own } = this.description;
    if (this.#express === undefined || phantomStride === undefined) return false;
    const control = this.config.read(this.#express + EXPRESS.DEVICE_CONTROL, 2);
    if (field(control, DEVICE_CONTROL.PHANTOM_FUNCTIONS) === 0) return false;
    return Number.isInteger(number) && number > own && number < 8 && (number - own) % phantomStride === 0;
  }

  /** A configuration read that reached this function. Of a conventional one, more than 256 bytes cannot be asked. */
  readConfig(offset: number, width: 1 | 2 | 4): number {
    if (this.#express === undefined && offset >= EXTENDED_SPACE) return ALL_ONES[width];
    return this.config.read(offset, width);
  }

  /** A type 0 configuration write that reached this function on bus `bus`. */
  writeConfig(bus: number, offset: number, width: 1 | 2 | 4, value: number): void {
    this.#capturedBus = bus;
    const hadBoth = this.#usesBothMessages;
    this.config.write(offset, width, value);
    if (this.#startsReset(offset, width, value)) {
      this.reset();
      return;
    }
    if (!hadBoth && this.#usesBothMessages) tellMisuse(this, 'MSI and MSI-X are both enabled');
    for (const capability of this.#capabilities) capability.configWritten(offset, width);
    this.#updateIntx();
  }

  get #usesBothMessages(): boolean {
    return this.msi?.isEnabled === true && this.msix?.isEnabled === true;
  }

  /** Whether a write initiates a function level reset. */
  #startsReset(offset: number, width: 1 | 2 | 4, value: number): boolean {
    if (this.#express === undefined || !this.description.portType.endsWith('endpoint')) return false;
    const upper = this.#express + EXPRESS.DEVICE_CONTROL + 1;
    if (offset > upper || offset + width <= upper) return false;
    const written = width === 1 ? value << 8 : offset < upper - 1 ? 0 : value;
    return field(written, DEVICE_CONTROL.INITIATE_FUNCTION_LEVEL_RESET) === 1;
  }

  /** Whether the function sends its interrupts as messages. */
  get usesMessages(): boolean {
    return this.msi?.isEnabled === true || this.msix?.isEnabled === true;
  }

  /** The device wants the interrupt of a message vector: of MSI-X if that is enabled, else of MSI. */
  signal(vector: number): SignalResult {
    if (!this.isPresent) return 'disabled';
    return (this.msix?.isEnabled ? this.msix : this.msi)?.signal(vector) ?? 'disabled';
  }

  /**
   * The device drives its INTx pin. It is asserted unless Interrupt Disable is set or messages are enabled.
   * @throws RangeError if it has no pin.
   */
  setIntx(level: boolean): void {
    if ((this.description.interruptPin ?? 0) === 0) throw new RangeError('the function has no interrupt pin');
    this.#intx = level && this.isPresent;
    this.#updateIntx();
  }

  #updateIntx(): void {
    const pin = this.description.interruptPin ?? 0;
    if (pin === 0) return;
    const isPending = this.#intx && !this.usesMessages;
    const others = this.config.read(HEADER.STATUS, 2) & ~word(STATUS, { INTERRUPT_STATUS: 1 });
    this.config.set(HEADER.STATUS, 2, others | word(STATUS, { INTERRUPT_STATUS: isPending ? 1 : 0 }));
    const isDriven = isPending && this.isPresent && !this.#command('INTERRUPT_DISABLE');
    if (isDriven === this.#isIntxDriven) return;
    this.#isIntxDriven = isDriven;
    this.onIntx?.(pin, isDriven);
  }

  /** The present base of a memory base address register. */
  barBase(bar: BarDescription): number {
    const at = HEADER.BAR0 + bar.index * 4;
    const low = (this.config.read(at, 4) & 0xffff_fff0) >>> 0;
    return bar.is64Bit ? join(this.config.read(at + 4, 4), low) : low;
  }

  /** The register that decodes a PCI memory address now, or undefined. */
  decode(address: number): { readonly bar: BarDescription; readonly offset: number } | undefined {
    if (this.description.bars.length === 0 || !this.isPresent || !this.memorySpaceEnabled) return undefined;
    for (const bar of this.description.bars) {
      const offset = address - this.barBase(bar);
      if (offset >= 0 && offset < bar.size) return { bar, offset };
    }
    return undefined;
  }

  readMemory(bar: BarDescription, offset: number, width: 1 | 2 | 4): number {
    return this.msix?.read(bar.index, offset, width) ?? this.#target?.readBar(bar.index, offset, width) ?? 0;
  }

  writeMemory(bar: BarDescription, offset: number, width: 1 | 2 | 4, value: number): void {
    if (this.msix?.write(bar.index, offset, width, value)) return;
    this.#target?.writeBar(bar.index, offset, width, value);
  }

  /** Function level reset, or a reset of the bus that the function is on: registers as after power on. */
  reset(): void {
    this.config.reset();
    for (const capability of this.#capabilities) capability.reset();
    this.#target?.resetBars();
    this.#intx = false;
    this.#updateIntx();
  }

  /** Takes the function out of its slot: its state is lost. */
  unplug(): void {
    this.reset();
    this.#capturedBus = 0;
    this.#isPlugged = false;
  }

  /** Puts the function into its slot: it is as after power on, and knows no bus number. */
  plug(): void {
    this.#isPlugged = true;
  }

  save(): FunctionState {
    return {
      config: this.config.save(),
      bus: this.#capturedBus,
      memory: this.#target?.saveBars(),
      capabilities: this.#capabilities.map((capability) => capability.save()),
      intx: this.#intx,
      isPlugged: this.#isPlugged,
    };
  }

  load(state: FunctionState): void {
    this.config.load(state.config);
    this.#capturedBus = state.bus;
    this.#isPlugged = state.isPlugged;
    this.#capabilities.forEach((capability, index) => {
      capability.load(state.capabilities[index]);
    });
    this.#target?.loadBars(state.memory);
    this.#intx = state.intx;
    this.#updateIntx();
  }
}
