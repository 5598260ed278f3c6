/**
 * The devices of the boards by the roles that they play in checks, named once for all checks, by hand from the board files.
 *
 * A check speaks of roles, so that one text serves PCI functions and platform devices, and every board.
 */
import type { Endpoint as AnyEndpoint, Sbdf } from '../src/hw/machine.js';

/** One of the identities that the requests of a device carry at an IOMMU. */
export interface Stream {
  /** The IOMMU, or the cache of one, by the physical address of its registers. */
  readonly iommu: number;
  /** Stream id, or number of the micro-TLB. */
  readonly id: number;
}

/** A PCI function that DMAs on command. */
export interface Endpoint extends Sbdf {
  readonly streamId: number;
}

/** A PCI function in a role. */
export interface PciRole extends Endpoint {
  readonly streams: readonly Stream[];
}

/** A platform device in a role, by the path of its node. */
export interface PlatformRole {
  readonly path: string;
  /** In the order of `iommus`. None: it makes no requests. */
  readonly streams: readonly Stream[];
}

/** A device in a role. */
export type Role = PciRole | PlatformRole;

/** However a device is named: as endpoints are, or by its role. */
export type DeviceName = AnyEndpoint | PlatformRole;

/** A device as endpoints are named. */
export function endpointOf(device: DeviceName): AnyEndpoint {
  return typeof device !== 'string' && 'path' in device ? device.path : device;
}

/** Whether a device is one of the platform, not a PCI function. */
export function isPlatformDevice(device: DeviceName): device is PlatformRole | string {
  return typeof device === 'string' || 'path' in device;
}

/** Who plays which role. Each makes requests, on one stream of its own, unless it is said otherwise. */
export interface Devices {
  /** Bits of guest addresses that CPUs and IOMMUs of the board have in common. */
  readonly guestAddressBits: number;
  /**
   * Kept for passthrough: nobody's from boot. The third is apart from the others: behind another IOMMU or another cache of
   * one where the board has it, else in another PCI segment.
   */
  readonly kept: { readonly first: Role; readonly second: Role; readonly apart: Role };
  /** The hardware domain's from boot. */
  readonly hardwareDomains: { readonly first: Role; readonly second: Role };
  /** Platform devices, kept for passthrough. */
  readonly platform: {
    readonly first: PlatformRole;
    /** Behind the IOMMU, or the cache of one, that {@link kept}.apart is behind, and another device than that. */
    readonly apart: PlatformRole;
    readonly severalStreams: PlatformRole;
    /** Makes no requests, and is behind no IOMMU. */
    readonly withoutDma: PlatformRole;
    /** Makes requests and has one interrupt, level-sensitive. */
    readonly withInterrupt: PlatformRole;
    /** Makes requests and has no interrupt. */
    readonly withoutInterrupt: PlatformRole;
    /** Registers alone, as far as the board has such a device that is kept. */
    readonly registersOnly: PlatformRole | undefined;
    /** Makes requests, and is behind no IOMMU. */
    readonly unprotected: PlatformRole | undefined;
    /** The hardware domain's from boot; makes requests and has one interrupt, edge-triggered. */
    readonly hardwareDomains: PlatformRole;
    /** Makes no requests and has one interrupt, edge-triggered. */
    readonly edgeTriggered: PlatformRole | undefined;
    /** Two devices on one interrupt, level-sensitive; the first one makes requests. */
    readonly sharedInterrupt: readonly [PlatformRole, PlatformRole] | undefined;
  };
  /** Undefined: no PCI. */
  readonly pci: PciDevices | undefined;
  /** Registers of the hardware domain's, in bytes: three adjacent pages with nothing above, and two elsewhere. */
  readonly registers: { readonly three: ByteRange; readonly two: ByteRange };
}

/** PCI functions in roles, of a platform with PCI. All of segment 0, but for those apart, which are of segment 1. */
export interface PciDevices {
  /** Kept for passthrough, and nobody's from boot: as {@link Devices.kept}. The second is behind a bridge. */
  readonly kept: { readonly first: PciRole; readonly second: PciRole; readonly apart: PciRole };
  /** The hardware domain's from boot. */
  readonly hardwareDomains: { readonly first: PciRole; readonly second: PciRole; readonly apart: PciRole };
  /** Two functions of one device that nothing keeps apart, both the hardware domain's. */
  readonly oneDevice: { readonly first: PciRole; readonly second: PciRole };
  /** Its requests may have another function number too: the second stream. The hardware domain's. */
  readonly phantom: PciRole | undefined;
  /** A physical function with virtual functions that can be enabled, the first of which is next to it. */
  readonly physical: PciRole | undefined;
}

/** Physical addresses. */
export interface ByteRange {
  readonly address: number;
  readonly size: number;
}

function pci(
  iommu: number,
  [segment, bus, device, fn]: readonly [number, number, number, number],
  id: number,
): PciRole {
  return { segment, bus, device, function: fn, streamId: id, streams: [{ iommu, id }] };
}

function platform(path: string, iommu: number, ...ids: readonly number[]): PlatformRole {
  return { path, streams: ids.map((id) => ({ iommu, id })) };
}

const SMMU = 0x0905_0000;
const SECOND_SMMU = 0x0907_0000;
/** Caches of the IPMMU. */
const DS0 = 0xe674_0000;
const DS1 = 0xe774_0000;

const SOC_REGISTERS = {
  three: { address: 0x0a00_0000, size: 0x3000 },
  two: { address: 0x0a00_8000, size: 0x2000 },
} as const;

/** The functions in roles that both boards with PCI have, with how segment 1 is mapped. */
function pciDevices(second: number, from: number, rest: Pick<PciDevices, 'phantom' | 'physical'>): PciDevices {
  return {
    kept: {
      first: pci(SMMU, [0, 0, 1, 0], 0x8),
      second: pci(SMMU, [0, 5, 0, 0], 0x500),
      apart: pci(second, [1, 0, 2, 0], from + 0x10),
    },
    hardwareDomains: {
      first: pci(SMMU, [0, 0, 2, 0], 0x10),
      second: pci(SMMU, [0, 0, 5, 0], 0x28),
      apart: pci(second, [1, 0, 1, 0], from + 0x8),
    },
    oneDevice: { first: pci(SMMU, [0, 0, 3, 0], 0x18), second: pci(SMMU, [0, 0, 3, 5], 0x1d) },
    ...rest,
  };
}

/** Segment 0 maps requester ids one to one; segment 1 from 0x8000, or one to one at an SMMU of its own. */
const DEVICES: Readonly<Record<string, Devices>> = {
  'arm64-smmuv3': {
    guestAddressBits: 44,
    kept: {
      first: pci(SMMU, [0, 0, 1, 0], 0x8),
      second: pci(SMMU, [0, 5, 0, 0], 0x500),
      apart: pci(SMMU, [1, 0, 2, 0], 0x8010),
    },
    hardwareDomains: { first: pci(SMMU, [0, 0, 2, 0], 0x10), second: pci(SMMU, [0, 0, 5, 0], 0x28) },
    platform: {
      first: platform('/soc@a000000/mmc@40000', SMMU, 0x10020),
      apart: platform('/soc@a000000/display@81000', SMMU, 0x10060),
      severalStreams: platform('/soc@a000000/gpu@10000', SMMU, 0x10010, 0x10011),
      withoutDma: platform('/soc@a000000/gpio@91000', SMMU),
      withInterrupt: platform('/soc@a000000/mmc@40000', SMMU, 0x10020),
      withoutInterrupt: platform('/soc@a000000/display@81000', SMMU, 0x10060),
      registersOnly: platform('/soc@a000000/syscon@92000', SMMU),
      unprotected: platform('/soc@a000000/crypto@80000', SMMU),
      hardwareDomains: platform('/soc@a000000/ethernet@50000', SMMU, 0x10030),
      edgeTriggered: platform('/soc@a000000/timer@90000', SMMU),
      sharedInterrupt: [
        platform('/soc@a000000/audio@70000', SMMU, 0x10050),
        platform('/soc@a000000/keypad@71000', SMMU),
      ],
    },
    pci: pciDevices(SMMU, 0x8000, { phantom: undefined, physical: undefined }),
    registers: SOC_REGISTERS,
  },
  'arm64-smmuv3-dual': {
    guestAddressBits: 44,
    kept: {
      first: pci(SMMU, [0, 0, 1, 0], 0x8),
      second: pci(SMMU, [0, 5, 0, 0], 0x500),
      apart: pci(SECOND_SMMU, [1, 0, 2, 0], 0x10),
    },
    hardwareDomains: { first: pci(SMMU, [0, 0, 2, 0], 0x10), second: pci(SMMU, [0, 0, 5, 0], 0x28) },
    platform: {
      first: platform('/soc@a000000/display@81000', SMMU, 0x10060),
      apart: platform('/soc@a000000/mmc@40000', SECOND_SMMU, 0x10010),
      severalStreams: platform('/soc@a000000/gpu@10000', SMMU, 0x10010, 0x10011),
      withoutDma: platform('/soc@a000000/gpio@91000', SMMU),
      withInterrupt: platform('/soc@a000000/mmc@40000', SECOND_SMMU, 0x10010),
      withoutInterrupt: platform('/soc@a000000/display@81000', SMMU, 0x10060),
      registersOnly: undefined,
      unprotected: undefined,
      hardwareDomains: platform('/soc@a000000/ethernet@50000', SMMU, 0x10030),
      edgeTriggered: undefined,
      sharedInterrupt: undefined,
    },
    pci: pciDevices(SECOND_SMMU, 0, {
      phantom: {
        ...pci(SMMU, [0, 0, 8, 0], 0x40),
        streams: [
          { iommu: SMMU, id: 0x40 },
          { iommu: SMMU, id: 0x44 },
        ],
      },
      physical: pci(SMMU, [0, 0, 0xa, 0], 0x50),
    }),
    registers: SOC_REGISTERS,
  },
  'arm64-ipmmu': {
    guestAddressBits: 40,
    kept: {
      first: platform('/soc/mmc@ee140000', DS1, 34),
      second: platform('/soc/display@feb00000', DS1, 5),
      apart: platform('/soc/audio@ec500000', DS0, 20),
    },
    hardwareDomains: {
      first: platform('/soc/ethernet@e6800000', DS0, 16),
      second: platform('/soc/usb@ee080000', DS0, 17),
    },
    platform: {
      first: platform('/soc/mmc@ee140000', DS1, 34),
      apart: platform('/soc/spi@e6e90000', DS0, 21),
      severalStreams: platform('/soc/gpu@fd000000', DS1, 0, 1, 33),
      withoutDma: platform('/soc/gpio@e6050000', DS1),
      withInterrupt: platform('/soc/mmc@ee140000', DS1, 34),
      withoutInterrupt: platform('/soc/display@feb00000', DS1, 5),
      registersOnly: platform('/soc/syscon@e6180000', DS1),
      unprotected: platform('/soc/crypto@e6601000', DS1),
      hardwareDomains: platform('/soc/ethernet@e6800000', DS0, 16),
      edgeTriggered: platform('/soc/timer@e61e0000', DS1),
      sharedInterrupt: [platform('/soc/audio@ec500000', DS0, 20), platform('/soc/keypad@e6070000', DS1)],
    },
    pci: undefined,
    registers: {
      three: { address: 0xe606_0000, size: 0x3000 },
      two: { address: 0xe606_8000, size: 0x2000 },
    },
  },
};

/** The devices of a platform. */
export function devicesOf(platformName: string): Devices {
  const devices = DEVICES[platformName];
  if (devices === undefined) throw new Error(`there are no devices of ${platformName}`);
  return devices;
}

/** The PCI functions in roles. @throws Error on a platform without PCI, where no check of PCI runs */
export function pciDevicesOf({ devices }: { readonly devices: Devices }): PciDevices {
  if (devices.pci === undefined) throw new Error('the platform has no PCI');
  return devices.pci;
}

/** Where guests have their RAM (xen/include/public/arch-arm.h, GUEST_RAM0_BASE). */
export const GUEST_RAM = 0x4000_0000;
