/**
 * What a function is, and the registers that follow: its header and its PCI Express capability.
 *
 * PCI Express Base Specification 7.5.1.1, 7.5.1.2 (header), 7.5.3 (PCI Express capability), 9.3.4.1 and 9.3.5 (those of a
 * virtual function).
 */
import { highHalf, lowHalf } from '../address.js';
import { word } from './capability.js';
import type { ConfigSpace } from './config-space.js';
import {
  BAR,
  CAPABILITY,
  COMMAND,
  DEVICE_CAPABILITIES,
  DEVICE_CONTROL,
  EXPRESS,
  EXPRESS_CAPABILITIES,
  HEADER,
  PORT_TYPE,
  type PortType,
  TYPE_0,
  TYPE_0_BARS,
} from './layout.js';
import type { MsiDescription } from './msi.js';
import type { MsixDescription } from './msix.js';

/** A memory base address register, or two of them. */
export interface BarDescription {
  /** 0 to 5; a 64-bit one takes the next register too. */
  readonly index: number;
  /** Bytes: a power of two, at least 16. */
  readonly size: number;
  readonly is64Bit: boolean;
  readonly prefetchable: boolean;
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
  /** What it is in the hierarchy; a conventional PCI function has no PCI Express capability and 256 bytes of registers. */
  readonly portType: PortType | 'conventional';
  /** INTA is 1, INTD is 4; 0, none, if absent. */
  readonly interruptPin?: number;
  readonly msi?: MsiDescription;
  readonly msix?: MsixDescription;
  /** Whether it has Access Control Services. */
  readonly acs?: boolean;
  /** Distance of the function numbers that its requests may carry instead of its own: 4, 2 or 1 (7.5.3.3). */
  readonly phantomStride?: number;
}

/** Header of a function: type 0, type 1 (bridges), or type 0 of a virtual function, with most registers read-only 0. */
export type HeaderKind = 0 | 1 | 'virtual';

/** Bits of the Command register that software can change here. */
const COMMAND_WRITABLE = word(COMMAND, {
  MEMORY_SPACE_ENABLE: 1,
  BUS_MASTER_ENABLE: 1,
  PARITY_ERROR_RESPONSE: 1,
  SERR_ENABLE: 1,
  INTERRUPT_DISABLE: 1,
});

/**
 * States the registers of a header.
 * @throws RangeError if a base address register does not exist, is taken or cannot be of its size.
 */
export function defineHeader(config: ConfigSpace, d: FunctionDescription, header: HeaderKind): void {
  const isVirtual = header === 'virtual';
  const limit = header === 1 ? 2 : TYPE_0_BARS;
  config.define(HEADER.VENDOR_ID, 2, { reset: d.vendorId });
  config.define(HEADER.DEVICE_ID, 2, { reset: d.deviceId });
  config.define(HEADER.COMMAND, 2, {
    writable: isVirtual ? word(COMMAND, { BUS_MASTER_ENABLE: 1 }) : COMMAND_WRITABLE,
  });
  config.define(HEADER.REVISION_ID, 4, { reset: ((d.classCode << 8) | (d.revision ?? 0)) >>> 0 });
  config.define(HEADER.HEADER_TYPE, 1, { reset: isVirtual ? 0 : header });
  if (header !== 1) {
    config.define(TYPE_0.SUBSYSTEM_VENDOR_ID, 2, { reset: d.vendorId });
    config.define(TYPE_0.SUBSYSTEM_ID, 2, { reset: d.deviceId });
  }
  if (!isVirtual) {
    config.define(HEADER.CACHE_LINE_SIZE, 1, { writable: 0xff });
    config.define(HEADER.INTERRUPT_LINE, 1, { writable: 0xff });
    config.define(HEADER.INTERRUPT_PIN, 1, { reset: d.interruptPin ?? 0 });
  }
  const taken = new Set<number>();
  for (const { index, size, is64Bit, prefetchable } of d.bars) {
    const last = is64Bit ? index + 1 : index;
    if (index < 0 || last >= limit || taken.has(index) || taken.has(last)) {
      throw new RangeError(`base address register ${index} does not exist or is taken`);
    }
    if (size < 16 || !Number.isInteger(Math.log2(size)) || (!is64Bit && size > 0x8000_0000)) {
      throw new RangeError(`base address register ${index} cannot be of size ${size}`);
    }
    taken.add(index).add(last);
    if (isVirtual) continue;
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

/**
 * Adds the PCI Express capability.
 * @returns its offset.
 * @throws RangeError if the function cannot have such phantom functions.
 */
export function defineExpress(
  config: ConfigSpace,
  { phantomStride, function: fn }: FunctionDescription,
  type: PortType,
  header: HeaderKind,
): number {
  const at = config.addCapability(CAPABILITY.PCI_EXPRESS, EXPRESS.BYTES);
  const phantom = phantomStride === undefined ? 0 : 3 - Math.log2(phantomStride);
  if (!Number.isInteger(phantom) || phantom < 0 || phantom > 3 || fn >= (phantomStride ?? 8)) {
    throw new RangeError(`function ${fn} has no phantom functions at a distance of ${phantomStride}`);
  }
  config.define(at + EXPRESS.CAPABILITIES, 2, {
    reset: word(EXPRESS_CAPABILITIES, { VERSION: 2, DEVICE_PORT_TYPE: PORT_TYPE[type] }),
  });
  config.define(at + EXPRESS.DEVICE_CAPABILITIES, 4, {
    reset: word(DEVICE_CAPABILITIES, {
      PHANTOM_FUNCTIONS: phantom,
      ROLE_BASED_ERROR_REPORTING: 1,
      FUNCTION_LEVEL_RESET: type.endsWith('endpoint') ? 1 : 0,
    }),
  });
  // A virtual function has its physical function's settings, and its own reset alone (9.3.5.4).
  if (header === 'virtual') return at;
  config.define(at + EXPRESS.DEVICE_CONTROL, 2, {
    reset: word(DEVICE_CONTROL, { RELAXED_ORDERING: 1, NO_SNOOP: 1, MAX_READ_REQUEST_SIZE: 2 }),
    writable: word(DEVICE_CONTROL, {
      ERROR_REPORTING: 0xf,
      RELAXED_ORDERING: 1,
      MAX_PAYLOAD_SIZE: 7,
      PHANTOM_FUNCTIONS: phantom === 0 ? 0 : 1,
      NO_SNOOP: 1,
      MAX_READ_REQUEST_SIZE: 7,
    }),
  });
  config.define(at + EXPRESS.DEVICE_STATUS, 2, { writeOneToClear: 0xf });
  return at;
}
