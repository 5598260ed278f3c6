/**
 * The bytes of hypercall structures, as a guest writes them: Xen's public headers, little-endian, restated here by hand
 * so that a wrong offset in the model's own reading shows.
 */
import type { Sbdf } from '../src/hw/machine.js';

/** Size of `struct xen_domctl`: header 16, union 128 (xen/include/public/domctl.h). */
const DOMCTL_BYTES = 144;
const DOMCTL_VERSION = 0x18;

function devfn(sbdf: Sbdf): number {
  return (sbdf.device << 3) | sbdf.function;
}

/** `machine_sbdf` of a domctl: segment 31:16, bus 15:8, devfn 7:0. */
export function machineSbdf(sbdf: Sbdf): number {
  return ((sbdf.segment << 16) | (sbdf.bus << 8) | devfn(sbdf)) >>> 0;
}

/** `struct physdev_pci_device_add` (xen/include/public/physdev.h), without its optional array. */
export function pciDeviceAdd(sbdf: Sbdf, flags = 0, physfn?: Sbdf): Uint8Array {
  const view = new DataView(new ArrayBuffer(12));
  view.setUint16(0, sbdf.segment, true);
  view.setUint8(2, sbdf.bus);
  view.setUint8(3, devfn(sbdf));
  view.setUint32(4, flags, true);
  if (physfn !== undefined) {
    view.setUint8(8, physfn.bus);
    view.setUint8(9, devfn(physfn));
  }
  return new Uint8Array(view.buffer);
}

/** `struct physdev_pci_device` (xen/include/public/physdev.h). */
export function pciDevice(sbdf: Sbdf): Uint8Array {
  return Uint8Array.of(sbdf.segment & 0xff, sbdf.segment >>> 8, sbdf.bus, devfn(sbdf));
}

/** What a domctl is about. */
export interface DomctlHeader {
  readonly cmd: number;
  readonly domain: number;
  /** Another interface version than the right one, to see it refused. */
  readonly version?: number;
}

function domctl(header: DomctlHeader, fill: (union: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(DOMCTL_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, header.cmd, true);
  view.setUint32(4, header.version ?? DOMCTL_VERSION, true);
  view.setUint16(8, header.domain, true);
  fill(new DataView(bytes.buffer, 16));
  return bytes;
}

/** A domctl without an argument of its own: destroydomain. */
export function plainDomctl(header: DomctlHeader): Uint8Array {
  return domctl(header, () => {});
}

/** `struct xen_domctl_assign_device` for a PCI device: also of test_assign_device and deassign_device. */
export function assignDevice(header: DomctlHeader, sbdf: Sbdf, flags = 0): Uint8Array {
  return domctl(header, (union) => {
    union.setUint32(0, 0, true);
    union.setUint32(4, flags, true);
    union.setUint32(8, machineSbdf(sbdf), true);
  });
}

/** The same for a platform device: the handle of its path, which has no terminator, and the path's bytes. */
export function assignDtDevice(header: DomctlHeader, path: number, length: number, flags = 0): Uint8Array {
  return domctl(header, (union) => {
    union.setUint32(0, 1, true);
    union.setUint32(4, flags, true);
    union.setUint32(8, length, true);
    union.setBigUint64(16, BigInt(path), true);
  });
}

/** Where `struct xen_domctl` tells how many devices get_device_group has listed. */
export const DEVICE_GROUP_COUNT = 24;

/** `struct xen_domctl_get_device_group`: the handle of an array of `max` words. */
export function deviceGroup(header: DomctlHeader, sbdf: Sbdf, max: number, array: number): Uint8Array {
  return domctl(header, (union) => {
    union.setUint32(0, machineSbdf(sbdf), true);
    union.setUint32(4, max, true);
    union.setBigUint64(16, BigInt(array), true);
  });
}

/** `struct xen_domctl_bind_pt_irq` of type SPI (4). */
export function bindSpi(header: DomctlHeader, machineIrq: number, spi: number): Uint8Array {
  return domctl(header, (union) => {
    union.setUint32(0, machineIrq, true);
    union.setUint32(4, 4, true);
    union.setUint16(8, spi, true);
  });
}

/** `struct xen_domctl_irq_permission`. */
export function irqPermission(header: DomctlHeader, irq: number, allow: boolean): Uint8Array {
  return domctl(header, (union) => {
    union.setUint32(0, irq, true);
    union.setUint8(4, allow ? 1 : 0);
  });
}

/** `struct xen_domctl_memory_mapping`. Frames in 4 KiB units. */
export function memoryMapping(header: DomctlHeader, gfn: number, mfn: number, count: number, add: boolean): Uint8Array {
  return domctl(header, (union) => {
    union.setBigUint64(0, BigInt(gfn), true);
    union.setBigUint64(8, BigInt(mfn), true);
    union.setBigUint64(16, BigInt(count), true);
    union.setUint32(24, add ? 1 : 0, true);
  });
}

/** `struct xen_domctl_iomem_permission`. Frames in 4 KiB units. */
export function iomemPermission(header: DomctlHeader, mfn: number, count: number, allow: boolean): Uint8Array {
  return domctl(header, (union) => {
    union.setBigUint64(0, BigInt(mfn), true);
    union.setBigUint64(8, BigInt(count), true);
    union.setUint8(16, allow ? 1 : 0);
  });
}

/**
 * `struct xen_memory_reservation` (xen/include/public/memory.h): the handle of the list of extents, then their number,
 * order (log2 of the frames of each), flags and the domain that gives them back (DOMID_SELF).
 */
export function memoryReservation(list: number, count: number, order = 0): Uint8Array {
  const view = new DataView(new ArrayBuffer(32));
  view.setBigUint64(0, BigInt(list), true);
  view.setBigUint64(8, BigInt(count), true);
  view.setUint32(16, order, true);
  view.setUint16(24, 0x7ff0, true);
  return new Uint8Array(view.buffer);
}
