/**
 * The list of capabilities of a function (PCI Express Base 7.5.1.1.11), and what of it domains are shown: messages. A
 * capability stands where the function has it; for guests the list leads past those that are not shown.
 */
import { get } from '../../hw/bits.js';
import { formatSbdf } from '../../hw/machine.js';
import {
  MSI_32,
  MSI_64,
  MSI_CONTROL,
  MSIX,
  MSIX_CONTROL,
  MSIX_ENTRY,
  MSIX_LOCATION,
} from '../../hw/pci/capabilities-layout.js';
import { CAPABILITY, HEADER, STATUS } from '../../hw/pci/layout.js';
import { type PciDevice, print, type Xen } from '../xen.js';
import type { VpciCapability, VpciLocation, VpciMsi, VpciMsix } from './state.js';

/** More capabilities than fit: a list of this length has a loop. */
const CAPABILITIES_MAX = 48;
const CAPABILITIES_FROM = 0x40;
/** What domains are shown. */
const SHOWN: readonly number[] = [CAPABILITY.MSI, CAPABILITY.MSIX];

const word = (value: number): Uint32Array => Uint32Array.of(value);

/** A capability as it stands in a function's list. */
interface ListedCapability {
  readonly id: number;
  readonly offset: number;
  readonly next: number;
  /** The register beside its header, Message Control of the capabilities that are shown. */
  readonly control: number;
}

/** Walks the list of capabilities of a function. */
export function listCapabilities(xen: Xen, device: PciDevice): ListedCapability[] {
  const { configRead } = xen.steps.pci;
  const { sbdf } = device;
  const status = configRead(xen, sbdf, HEADER.STATUS, 2);
  if (status === 0xffff || get(word(status), STATUS.CAPABILITIES_LIST) === 0) return [];
  const list: ListedCapability[] = [];
  let offset = configRead(xen, sbdf, HEADER.CAPABILITIES_POINTER, 1) & ~3;
  while (offset >= CAPABILITIES_FROM && list.length < CAPABILITIES_MAX) {
    const header = configRead(xen, sbdf, offset, 4);
    const next = (header >>> 8) & 0xfc;
    list.push({ id: header & 0xff, offset, next, control: header >>> 16 });
    offset = next;
  }
  return list;
}

/** Bytes of a capability of messages. */
function bytesOf({ id, control }: ListedCapability): number {
  if (id === CAPABILITY.MSIX) return MSIX.BYTES;
  const is64Bit = get(word(control), MSI_CONTROL.ADDRESS_64_CAPABLE) === 1;
  const form = is64Bit ? MSI_64 : MSI_32;
  return get(word(control), MSI_CONTROL.PER_VECTOR_MASKING_CAPABLE) === 1 ? form.PENDING + 4 : form.DATA + 4;
}

/** What a domain is shown of a list: each kind once. Guests are led from one to the next. */
export function showCapabilities(_xen: Xen, list: readonly ListedCapability[], isHardware: boolean): VpciCapability[] {
  const shown = SHOWN.flatMap((id) => list.find((one) => one.id === id) ?? []);
  return shown.map((one, index) => ({
    id: one.id,
    offset: one.offset,
    bytes: bytesOf(one),
    next: isHardware ? one.next : (shown[index + 1]?.offset ?? 0),
  }));
}

/** MSI as a domain gets it: disabled (7.7.1). */
export function initMsi(_xen: Xen, list: readonly ListedCapability[]): VpciMsi | undefined {
  const found = list.find(({ id }) => id === CAPABILITY.MSI);
  if (found === undefined) return undefined;
  const control = word(found.control);
  return {
    offset: found.offset,
    is64Bit: get(control, MSI_CONTROL.ADDRESS_64_CAPABLE) === 1,
    isMaskable: get(control, MSI_CONTROL.PER_VECTOR_MASKING_CAPABLE) === 1,
    capable: get(control, MSI_CONTROL.MULTIPLE_MESSAGE_CAPABLE),
    enabled: false,
    vectors: 0,
    addressLo: 0,
    addressHi: 0,
    data: 0,
    mask: 0,
  };
}

/** A place that MSI-X names by a base address register and an offset (7.7.2.3). */
function locationOf(value: number, size: number): VpciLocation {
  const words = word(value);
  return {
    bar: get(words, MSIX_LOCATION.BIR),
    offset: get(words, MSIX_LOCATION.OFFSET) * MSIX_LOCATION.OFFSET.weight,
    size,
  };
}

/** MSI-X as a domain gets it: disabled, all entries masked (7.7.2). */
export function initMsix(xen: Xen, device: PciDevice, list: readonly ListedCapability[]): VpciMsix | undefined {
  const found = list.find(({ id }) => id === CAPABILITY.MSIX);
  if (found === undefined) return undefined;
  const { configRead } = xen.steps.pci;
  const count = get(word(found.control), MSIX_CONTROL.TABLE_SIZE) + 1;
  const wasEnabled = get(word(found.control), MSIX_CONTROL.ENABLE) === 1;
  const entries = new Uint32Array((count * MSIX_ENTRY.BYTES) / 4);
  for (let index = 0; index < count; index++) entries[index * 4 + MSIX_ENTRY.VECTOR_CONTROL / 4] = 1;
  const all = Array.from({ length: count }, (_, index) => index);
  return {
    offset: found.offset,
    table: locationOf(configRead(xen, device.sbdf, found.offset + MSIX.TABLE, 4), count * MSIX_ENTRY.BYTES),
    pending: locationOf(
      configRead(xen, device.sbdf, found.offset + MSIX.PENDING_BIT_ARRAY, 4),
      Math.ceil(count / 64) * 8,
    ),
    count,
    enabled: false,
    functionMask: false,
    entries,
    // The device has what its last owner wrote. It has unmasked entries only if nobody of ours had it before.
    stale: new Set(all),
    touched: new Set(wasEnabled ? all : []),
  };
}

/** Machine address of a place in a device's memory. Undefined: it does not lie in a memory BAR of the device. */
export function locate(_xen: Xen, device: PciDevice, { bar: index, offset, size }: VpciLocation): number | undefined {
  const bar = device.bars.find((one) => one.index === index);
  return bar === undefined || offset + size > bar.size ? undefined : bar.address + offset;
}

/**
 * Whether the MSI-X table and pending bits are where the specification lets them be: in memory of the device, apart from each
 * other. Says on the console what is wrong.
 */
export function checkMsix(xen: Xen, device: PciDevice, msix: VpciMsix): boolean {
  const table = xen.steps.vpci.locate(xen, device, msix.table);
  const pending = xen.steps.vpci.locate(xen, device, msix.pending);
  const overlap =
    table !== undefined &&
    pending !== undefined &&
    table < pending + msix.pending.size &&
    pending < table + msix.table.size;
  if (table !== undefined && pending !== undefined && !overlap) return true;
  const what =
    table === undefined
      ? 'the MSI-X table lies outside its base address register'
      : pending === undefined
        ? 'the MSI-X pending bits lie outside their base address register'
        : 'the MSI-X pending bits lie in the table';
  print(xen, `${formatSbdf(device.sbdf)}: ${what}`);
  return false;
}
