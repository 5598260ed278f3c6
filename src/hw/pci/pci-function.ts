/**
 * A PCI Express function with a type 0 header: base address registers, bus master enable, PCI Express capability.
 *
 * PCI Express Base Specification 7.5.1.1, 7.5.1.2, 7.5.3; 2.2.6.2 (a function learns its bus number from the
 * configuration writes that reach it); 6.6.2 (function level reset).
 *
 * Not modelled: I/O space, the expansion ROM, INTx, MSI and MSI-X, power management, error reporting (the error bits of
 * Status and Device Status stay 0), link and slot registers (read as zero), ATS, PRI, PASID and ACS capabilities,
 * SR-IOV, hot plug.
 */
import { highHalf, join, lowHalf } from '../address.js';
import { encode, get } from '../bits.js';
import { type ConfigSnapshot, ConfigSpace } from './config-space.js';
import {
  BAR,
  CAPABILITY,
  COMMAND,
  DEVICE_CAPABILITIES,
  DEVICE_CONTROL,
  EXPRESS,
  EXPRESS_CAPABILITIES,
  HEADER,
  HEADER_TYPE,
  PORT_TYPE,
  type PortType,
  TYPE_0,
  TYPE_0_BARS,
} from './layout.js';

/** A memory base address register, or two of them. */
export interface BarDescription {
  /** 0 to 5; a 64-bit one takes the next register too. */
  readonly index: number;
  /** Bytes: a power of two, at least 16. */
  readonly size: number;
  readonly is64Bit: boolean;
  readonly prefetchable: boolean;
}

/** What answers accesses to a function's memory. Offsets are relative to the base address register. */
export interface BarTarget {
  readBar(index: number, offset: number, width: 1 | 2 | 4): number;
  writeBar(index: number, offset: number, width: 1 | 2 | 4, value: number): void;
  /** The function was reset. */
  resetBars(): void;
  saveBars(): unknown;
  loadBars(state: unknown): void;
}

/** What a function is. */
export interface FunctionDescription {
  /** Device number, 0 to 31, and function number, 0 to 7. */
  readonly device: number;
  readonly function: number;
  readonly vendorId: number;
  readonly deviceId: number;
  /** 24 bits. */
  readonly classCode: number;
  readonly revision?: number;
  readonly bars: readonly BarDescription[];
  readonly portType: PortType;
}

const word = (form: Parameters<typeof encode>[0], values: Record<string, number>) =>
  encode(form, 32, values as never)[0] as number;

/** Bits of the Command register that software can change here. */
const COMMAND_WRITABLE = word(COMMAND, {
  MEMORY_SPACE_ENABLE: 1,
  BUS_MASTER_ENABLE: 1,
  PARITY_ERROR_RESPONSE: 1,
  SERR_ENABLE: 1,
  INTERRUPT_DISABLE: 1,
});

/** Saved state of a function. */
export interface FunctionState {
  readonly config: ConfigSnapshot;
  readonly bus: number;
  readonly memory: unknown;
}

const commandWord = new Uint32Array(1);

/** A function. */
export class PciFunction {
  readonly description: FunctionDescription;
  readonly config = new ConfigSpace();
  /** Device 7:3, function 2:0. */
  readonly devfn: number;
  /** Bus number that the last configuration write told (2.2.6.2). */
  capturedBus = 0;
  readonly #target: BarTarget | undefined;
  readonly #express: number;

  constructor(description: FunctionDescription, target: BarTarget | undefined, headerType = 0) {
    this.description = description;
    this.devfn = (description.device << 3) | description.function;
    this.#target = target;
    this.#defineHeader(headerType);
    this.#express = this.#defineExpress();
  }

  #defineHeader(headerType: number): void {
    const { config, description: d } = this;
    config.define(HEADER.VENDOR_ID, 2, { reset: d.vendorId });
    config.define(HEADER.DEVICE_ID, 2, { reset: d.deviceId });
    config.define(HEADER.COMMAND, 2, { writable: COMMAND_WRITABLE });
    config.define(HEADER.REVISION_ID, 4, { reset: ((d.classCode << 8) | (d.revision ?? 0)) >>> 0 });
    config.define(HEADER.CACHE_LINE_SIZE, 1, { writable: 0xff });
    config.define(HEADER.HEADER_TYPE, 1, { reset: headerType });
    config.define(HEADER.INTERRUPT_LINE, 1, { writable: 0xff });
    if (headerType === 0) {
      config.define(TYPE_0.SUBSYSTEM_VENDOR_ID, 2, { reset: d.vendorId });
      config.define(TYPE_0.SUBSYSTEM_ID, 2, { reset: d.deviceId });
    }
    const taken = new Set<number>();
    const limit = headerType === 0 ? TYPE_0_BARS : 2;
    for (const { index, size, is64Bit, prefetchable } of d.bars) {
      const last = is64Bit ? index + 1 : index;
      if (index < 0 || last >= limit || taken.has(index) || taken.has(last)) {
        throw new RangeError(`base address register ${index} does not exist or is taken`);
      }
      if (size < 16 || !Number.isInteger(Math.log2(size)) || (!is64Bit && size > 0x8000_0000)) {
        throw new RangeError(`base address register ${index} cannot be of size ${size}`);
      }
      taken.add(index).add(last);
      const at = HEADER.BAR0 + index * 4;
      const changeable = 2 ** 52 - size;
      config.define(at, 4, {
        reset: word(BAR, { TYPE: is64Bit ? 2 : 0, PREFETCHABLE: prefetchable ? 1 : 0 }),
        writable: (lowHalf(changeable) & 0xffff_fff0) >>> 0,
      });
      // All of the upper half can be written but what the size takes: software sizes with 64 bits.
      if (is64Bit) config.define(at + 4, 4, { writable: lowHalf(~(highHalf(size) === 0 ? 0 : highHalf(size) - 1)) });
    }
  }

  #defineExpress(): number {
    const { config } = this;
    const at = config.addCapability(CAPABILITY.PCI_EXPRESS, EXPRESS.BYTES);
    const type = this.description.portType;
    const isEndpoint = type === 'endpoint' || type === 'root complex integrated endpoint';
    config.define(at + EXPRESS.CAPABILITIES, 2, {
      reset: word(EXPRESS_CAPABILITIES, { VERSION: 2, DEVICE_PORT_TYPE: PORT_TYPE[type] }),
    });
    config.define(at + EXPRESS.DEVICE_CAPABILITIES, 4, {
      reset: word(DEVICE_CAPABILITIES, { ROLE_BASED_ERROR_REPORTING: 1, FUNCTION_LEVEL_RESET: isEndpoint ? 1 : 0 }),
    });
    config.define(at + EXPRESS.DEVICE_CONTROL, 2, {
      reset: word(DEVICE_CONTROL, { RELAXED_ORDERING: 1, NO_SNOOP: 1, MAX_READ_REQUEST_SIZE: 2 }),
      writable: word(DEVICE_CONTROL, {
        ERROR_REPORTING: 0xf,
        RELAXED_ORDERING: 1,
        MAX_PAYLOAD_SIZE: 7,
        NO_SNOOP: 1,
        MAX_READ_REQUEST_SIZE: 7,
      }),
    });
    config.define(at + EXPRESS.DEVICE_STATUS, 2, { writeOneToClear: 0xf });
    return at;
  }

  /** Sets the multi-function bit of the Header Type register: the device has further functions. */
  markMultiFunction(): void {
    const reset = this.config.read(HEADER.HEADER_TYPE, 1) | (1 << HEADER_TYPE.MULTI_FUNCTION.shift);
    this.config.define(HEADER.HEADER_TYPE, 1, { reset });
  }

  #command(field: (typeof COMMAND)[keyof typeof COMMAND]): boolean {
    commandWord[0] = this.config.read(HEADER.COMMAND, 2);
    return get(commandWord, field) !== 0;
  }

  /** Whether the function decodes its memory, and a bridge forwards memory requests downstream. */
  get memorySpaceEnabled(): boolean {
    return this.#command(COMMAND.MEMORY_SPACE_ENABLE);
  }

  /** Whether the function may issue memory requests, and a bridge forward them upstream. */
  get busMasterEnabled(): boolean {
    return this.#command(COMMAND.BUS_MASTER_ENABLE);
  }

  /** A configuration read that reached this function. */
  readConfig(offset: number, width: 1 | 2 | 4): number {
    return this.config.read(offset, width);
  }

  /** A type 0 configuration write that reached this function on bus `bus`. */
  writeConfig(bus: number, offset: number, width: 1 | 2 | 4, value: number): void {
    this.capturedBus = bus;
    this.config.write(offset, width, value);
    const control = this.#express + EXPRESS.DEVICE_CONTROL;
    const isEndpoint = this.description.portType.endsWith('endpoint');
    if (!isEndpoint || offset > control + 1 || offset + width <= control + 1) return;
    const written = width === 1 ? value << 8 : offset < control ? 0 : value;
    if ((written >>> DEVICE_CONTROL.INITIATE_FUNCTION_LEVEL_RESET.shift) & 1) this.reset();
  }

  /** The present base of a memory base address register. */
  barBase(bar: BarDescription): number {
    const at = HEADER.BAR0 + bar.index * 4;
    const low = (this.config.read(at, 4) & 0xffff_fff0) >>> 0;
    return bar.is64Bit ? join(this.config.read(at + 4, 4), low) : low;
  }

  /** The register that decodes a PCI memory address now, or undefined. */
  decode(address: number): { readonly bar: BarDescription; readonly offset: number } | undefined {
    if (this.description.bars.length === 0 || !this.memorySpaceEnabled) return undefined;
    for (const bar of this.description.bars) {
      const offset = address - this.barBase(bar);
      if (offset >= 0 && offset < bar.size) return { bar, offset };
    }
    return undefined;
  }

  readMemory(bar: BarDescription, offset: number, width: 1 | 2 | 4): number {
    return this.#target?.readBar(bar.index, offset, width) ?? 0;
  }

  writeMemory(bar: BarDescription, offset: number, width: 1 | 2 | 4, value: number): void {
    this.#target?.writeBar(bar.index, offset, width, value);
  }

  /** Function level reset, or a reset of the bus that the function is on: registers as after power on. */
  reset(): void {
    this.config.reset();
    this.#target?.resetBars();
  }

  save(): FunctionState {
    return { config: this.config.save(), bus: this.capturedBus, memory: this.#target?.saveBars() };
  }

  load(state: FunctionState): void {
    this.config.load(state.config);
    this.capturedBus = state.bus;
    this.#target?.loadBars(state.memory);
  }
}
