/**
 * PCI configuration space through ECAM (PCI Express Base 7.2.2), and what Xen reads of a function: presence, header type,
 * capabilities, BARs and their sizes.
 */
import { pa } from '../../hw/address.js';
import { encode, get } from '../../hw/bits.js';
import type { Sbdf } from '../../hw/machine.js';
import {
  BAR,
  CAPABILITY,
  COMMAND,
  DEVICE_CAPABILITIES,
  ECAM,
  EXPRESS,
  HEADER,
  HEADER_TYPE,
  STATUS,
  TYPE_0_BARS,
  TYPE_1,
} from '../../hw/pci/layout.js';
import type { Bar, HostBridge, Xen } from '../xen.js';

/** Header types. */
const HEADER_ENDPOINT = 0;
export const HEADER_BRIDGE = 1;
/** BARs of a bridge. */
const TYPE_1_BARS = 2;
/** BAR.TYPE of a 64-bit BAR. */
const BAR_64 = 2;
/** More capabilities than fit into the first 256 bytes: a list of this length has a loop. */
const CAPABILITIES_MAX = 48;

/** The host bridge that a function is behind. */
export function findHostBridge(xen: Xen, sbdf: Sbdf): HostBridge | undefined {
  return xen.platform.hostBridges.find(
    (bridge) => bridge.segment === sbdf.segment && bridge.firstBus <= sbdf.bus && sbdf.bus <= bridge.lastBus,
  );
}

/** Where a function's configuration space lies within its host bridge's. */
export function ecamOffset(_xen: Xen, bridge: HostBridge, sbdf: Sbdf): number {
  return (
    (sbdf.bus - bridge.firstBus) * 2 ** ECAM.BUS_SHIFT +
    sbdf.device * 2 ** ECAM.DEVICE_SHIFT +
    sbdf.function * 2 ** ECAM.FUNCTION_SHIFT
  );
}

/** Reads configuration space; all ones where no host bridge is. */
export function configRead(xen: Xen, sbdf: Sbdf, offset: number, width: 1 | 2 | 4): number {
  const bridge = xen.steps.pci.findHostBridge(xen, sbdf);
  if (bridge === undefined) return 2 ** (width * 8) - 1;
  return xen.machine.mmio.read(pa(bridge.ecam.address + xen.steps.pci.ecamOffset(xen, bridge, sbdf) + offset), width);
}

/** Writes configuration space. */
export function configWrite(xen: Xen, sbdf: Sbdf, offset: number, width: 1 | 2 | 4, value: number): void {
  const bridge = xen.steps.pci.findHostBridge(xen, sbdf);
  if (bridge === undefined) return;
  xen.machine.mmio.write(pa(bridge.ecam.address + xen.steps.pci.ecamOffset(xen, bridge, sbdf) + offset), width, value);
}

/** Whether there is a function. Some hosts answer zeros for an empty slot. */
export function detect(xen: Xen, sbdf: Sbdf): boolean {
  const id = xen.steps.pci.configRead(xen, sbdf, HEADER.VENDOR_ID, 4);
  return id !== 0xffff_ffff && id !== 0 && id !== 0x0000_ffff && id !== 0xffff_0000;
}

/** Header type, without the multi-function bit. */
export function readHeaderType(xen: Xen, sbdf: Sbdf): number {
  return get(Uint32Array.of(xen.steps.pci.configRead(xen, sbdf, HEADER.HEADER_TYPE, 1)), HEADER_TYPE.LAYOUT);
}

/** Whether a device has more functions than function 0, from which this is read. */
export function isMultiFunction(xen: Xen, sbdf: Sbdf): boolean {
  return (
    get(Uint32Array.of(xen.steps.pci.configRead(xen, sbdf, HEADER.HEADER_TYPE, 1)), HEADER_TYPE.MULTI_FUNCTION) === 1
  );
}

/** The bus behind a bridge, as firmware configured it; 0 if it did not. */
export function secondaryBus(xen: Xen, sbdf: Sbdf): number {
  return xen.steps.pci.configRead(xen, sbdf, TYPE_1.SECONDARY_BUS, 1);
}

/** Offset of a capability, or undefined. */
export function findCapability(xen: Xen, sbdf: Sbdf, id: number): number | undefined {
  const { configRead } = xen.steps.pci;
  const status = Uint32Array.of(configRead(xen, sbdf, HEADER.STATUS, 2));
  if (get(status, STATUS.CAPABILITIES_LIST) === 0) return undefined;
  let at = configRead(xen, sbdf, HEADER.CAPABILITIES_POINTER, 1) & ~3;
  for (let i = 0; i < CAPABILITIES_MAX && at >= 0x40; i++) {
    const header = configRead(xen, sbdf, at, 2);
    if ((header & 0xff) === id) return at;
    at = (header >>> 8) & ~3;
  }
  return undefined;
}

/** Distance of a function's phantom functions: 8 >> what it reports (7.5.3.3). 0 if it has none, or is not the first. */
export function phantomStride(xen: Xen, sbdf: Sbdf): number {
  const told = xen.options.phantoms.find(
    (p) =>
      p.sbdf.segment === sbdf.segment &&
      p.sbdf.bus === sbdf.bus &&
      p.sbdf.device === sbdf.device &&
      p.sbdf.function === sbdf.function,
  );
  let stride = told?.stride ?? 0;
  const at = told === undefined ? xen.steps.pci.findCapability(xen, sbdf, CAPABILITY.PCI_EXPRESS) : undefined;
  if (at !== undefined) {
    const capabilities = xen.steps.pci.configRead(xen, sbdf, at + EXPRESS.DEVICE_CAPABILITIES, 4);
    const bits = get(Uint32Array.of(capabilities), DEVICE_CAPABILITIES.PHANTOM_FUNCTIONS);
    stride = bits === 0 ? 0 : 8 >> bits;
  }
  return sbdf.function < stride ? stride : 0;
}

/** A BAR as the function has it. */
export interface SizedBar {
  /** Address on the PCI bus. */
  readonly bus: number;
  /** 0: there is no BAR, or none onto memory. */
  readonly size: number;
  /** Registers that it takes: 1 or 2. */
  readonly registers: number;
}

/** Finds out where a memory BAR is and how large, by writing all ones (7.5.1.2.1). Memory decode must be off. */
export function sizeBar(xen: Xen, sbdf: Sbdf, offset: number, last: boolean): SizedBar {
  const { configRead, configWrite } = xen.steps.pci;
  const low = configRead(xen, sbdf, offset, 4);
  const bar = Uint32Array.of(low);
  if (get(bar, BAR.IO) === 1) return { bus: 0, size: 0, registers: 1 };
  const is64 = get(bar, BAR.TYPE) === BAR_64;
  if (is64 && last) return { bus: 0, size: 0, registers: 1 };
  const high = is64 ? configRead(xen, sbdf, offset + 4, 4) : 0;
  configWrite(xen, sbdf, offset, 4, 0xffff_ffff);
  if (is64) configWrite(xen, sbdf, offset + 4, 4, 0xffff_ffff);
  const lowMask = get(Uint32Array.of(configRead(xen, sbdf, offset, 4)), BAR.ADDRESS) * BAR.ADDRESS.weight;
  const highMask = is64 ? configRead(xen, sbdf, offset + 4, 4) : 0xffff_ffff;
  configWrite(xen, sbdf, offset, 4, low);
  if (is64) configWrite(xen, sbdf, offset + 4, 4, high);
  const none = lowMask === 0 && (!is64 || highMask === 0);
  const size = none ? 0 : (~highMask >>> 0) * 2 ** 32 + (~lowMask >>> 0) + 1;
  return { bus: high * 2 ** 32 + get(bar, BAR.ADDRESS) * BAR.ADDRESS.weight, size, registers: is64 ? 2 : 1 };
}

/** The memory BARs of a function that lie in a window of its host bridge, with the addresses that CPUs use. */
export function readBars(xen: Xen, sbdf: Sbdf, headerType: number): Bar[] {
  const { configRead, configWrite, findHostBridge, sizeBar } = xen.steps.pci;
  const bridge = findHostBridge(xen, sbdf);
  const count = headerType === HEADER_ENDPOINT ? TYPE_0_BARS : headerType === HEADER_BRIDGE ? TYPE_1_BARS : 0;
  if (bridge === undefined || count === 0) return [];
  const command = configRead(xen, sbdf, HEADER.COMMAND, 2);
  const decode = encode(COMMAND, 32, { MEMORY_SPACE_ENABLE: 1, IO_SPACE_ENABLE: 1 })[0] as number;
  // While a BAR holds all ones, it must not answer there.
  if ((command & decode) !== 0) configWrite(xen, sbdf, HEADER.COMMAND, 2, command & ~decode);
  const bars: Bar[] = [];
  for (let index = 0; index < count; ) {
    const { bus, size, registers } = sizeBar(xen, sbdf, HEADER.BAR0 + index * 4, index === count - 1);
    const window = bridge.windows.find((w) => w.bus <= bus && bus + size <= w.bus + w.size);
    if (size > 0 && window !== undefined) bars.push({ index, address: bus - window.bus + window.address, size });
    index += registers;
  }
  if ((command & decode) !== 0) configWrite(xen, sbdf, HEADER.COMMAND, 2, command);
  return bars;
}
