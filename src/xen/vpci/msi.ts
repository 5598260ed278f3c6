/**
 * The MSI capability as a domain sees it (PCI Express Base 7.7.1; xen/drivers/vpci/msi.c). Address and data go to the device
 * as the domain writes them: the address is one of the domain's own, the doorbell of its translation service, and the IOMMU
 * translates it like every other request; the data is the number of the event there. What the device has is written when
 * messages are enabled, and while they are.
 */
import { encode, get } from '../../hw/bits.js';
import { MSI, MSI_32, MSI_64, MSI_CONTROL } from '../../hw/pci/capabilities-layout.js';
import { CAPABILITY } from '../../hw/pci/layout.js';
import type { PciDevice, Xen } from '../xen.js';
import type { VpciMsi } from './state.js';

const form = (msi: VpciMsi): typeof MSI_32 | typeof MSI_64 => (msi.is64Bit ? MSI_64 : MSI_32);
const merge = (before: number, value: number, mask: number): number => ((before & ~mask) | (value & mask)) >>> 0;
/** Vectors have bits in the mask and pending registers as far as the device has vectors. */
const vectorBits = (msi: VpciMsi): number => 2 ** (2 ** Math.min(msi.capable, 5)) - 1;

/** Message Control for the domain. */
function controlOf(msi: VpciMsi): number {
  return encode(MSI_CONTROL, 32, {
    ENABLE: msi.enabled ? 1 : 0,
    MULTIPLE_MESSAGE_CAPABLE: msi.capable,
    MULTIPLE_MESSAGE_ENABLE: msi.vectors,
    ADDRESS_64_CAPABLE: msi.is64Bit ? 1 : 0,
    PER_VECTOR_MASKING_CAPABLE: msi.isMaskable ? 1 : 0,
  })[0] as number;
}

/** A word of the capability. */
export function readMsi(xen: Xen, device: PciDevice, offset: number): number {
  const { msi, capabilities } = device.vpci ?? {};
  if (msi === undefined) return 0;
  if (offset === 0) {
    const next = capabilities?.find(({ id }) => id === CAPABILITY.MSI)?.next ?? 0;
    return ((controlOf(msi) << 16) | (next << 8) | CAPABILITY.MSI) >>> 0;
  }
  if (offset === MSI.ADDRESS) return msi.addressLo;
  if (msi.is64Bit && offset === MSI_64.ADDRESS_UPPER) return msi.addressHi;
  if (offset === form(msi).DATA) return msi.data;
  if (offset === form(msi).MASK) return msi.mask;
  if (offset === form(msi).PENDING) return xen.steps.pci.configRead(xen, device.sbdf, msi.offset + offset, 4);
  return 0;
}

/** Writes the bytes of a word of the capability that `mask` names. */
export function writeMsi(xen: Xen, device: PciDevice, offset: number, value: number, mask: number): void {
  const { msi } = device.vpci ?? {};
  if (msi === undefined) return;
  if (offset === 0) {
    if (mask >>> 16 !== 0)
      xen.steps.vpci.writeMsiControl(xen, device, merge(controlOf(msi), value >>> 16, mask >>> 16));
    return;
  }
  if (offset === form(msi).MASK) {
    msi.mask = merge(msi.mask, value, mask) & vectorBits(msi);
    msi.mask >>>= 0;
    xen.steps.vpci.maskMsi(xen, device);
    return;
  }
  // The low two bits of an address are zero.
  if (offset === MSI.ADDRESS) msi.addressLo = (merge(msi.addressLo, value, mask) & ~3) >>> 0;
  else if (msi.is64Bit && offset === MSI_64.ADDRESS_UPPER) msi.addressHi = merge(msi.addressHi, value, mask);
  else if (offset === form(msi).DATA) msi.data = merge(msi.data, value, mask) & 0xffff;
  else return;
  if (msi.enabled) xen.steps.vpci.programMsi(xen, device);
}

/**
 * Writes Message Control: enables messages, of no more vectors than the device has, or disables them. They are not enabled
 * while those of MSI-X are: a device must not have both (6.1.4).
 */
export function writeMsiControl(xen: Xen, device: PciDevice, control: number): void {
  const { msi } = device.vpci ?? {};
  if (msi === undefined) return;
  const words = Uint32Array.of(control);
  msi.vectors = xen.steps.vpci.limitVectors(xen, msi, get(words, MSI_CONTROL.MULTIPLE_MESSAGE_ENABLE));
  const enabled = get(words, MSI_CONTROL.ENABLE) === 1 && device.vpci?.msix?.enabled !== true;
  if (enabled && !msi.enabled) {
    xen.steps.vpci.maskMsi(xen, device);
    xen.steps.vpci.programMsi(xen, device);
  }
  msi.enabled = enabled;
  xen.steps.vpci.enableMsi(xen, device, enabled);
}

/** log2 of the number of vectors that a device uses when so many are asked for. */
export function limitVectors(_xen: Xen, msi: VpciMsi, wanted: number): number {
  return Math.min(wanted, msi.capable);
}

/** Gives the device the address and the data of its messages. */
export function programMsi(xen: Xen, device: PciDevice): void {
  const { msi } = device.vpci ?? {};
  if (msi === undefined) return;
  const { configWrite } = xen.steps.pci;
  configWrite(xen, device.sbdf, msi.offset + MSI.ADDRESS, 4, msi.addressLo);
  if (msi.is64Bit) configWrite(xen, device.sbdf, msi.offset + MSI_64.ADDRESS_UPPER, 4, msi.addressHi);
  configWrite(xen, device.sbdf, msi.offset + form(msi).DATA, 2, msi.data);
}

/** Gives the device the mask of its vectors, if it has one. */
export function maskMsi(xen: Xen, device: PciDevice): void {
  const { msi } = device.vpci ?? {};
  if (msi?.isMaskable) xen.steps.pci.configWrite(xen, device.sbdf, msi.offset + form(msi).MASK, 4, msi.mask);
}

/** Lets the device send messages, or not. */
export function enableMsi(xen: Xen, device: PciDevice, enabled: boolean): void {
  const { msi } = device.vpci ?? {};
  if (msi === undefined) return;
  const control = encode(MSI_CONTROL, 32, { ENABLE: enabled ? 1 : 0, MULTIPLE_MESSAGE_ENABLE: msi.vectors });
  xen.steps.pci.configWrite(xen, device.sbdf, msi.offset + MSI.CONTROL, 2, control[0] as number);
}
