/**
 * What is between a PCI function and its IOMMU: bridges that put their own requester id on requests, and places where
 * functions reach each other without an IOMMU between them, unless Access Control Services prevent it (PCI Express Base
 * 6.12.1; PCI Express to PCI/PCI-X Bridge 1.0, 2.3; for what software makes of it, Linux drivers/pci/search.c,
 * pci_for_each_dma_alias, and drivers/iommu/iommu.c, pci_device_group, which here is stricter: ports of a switch that do
 * not redirect make a group of all that is below the switch).
 *
 * Virtual functions are taken to be kept apart from each other by their device.
 */
import { encode, get } from '../../hw/bits.js';
import { requesterId, type Sbdf } from '../../hw/machine.js';
import {
  ACS,
  ACS_BITS,
  EXTENDED_CAPABILITY,
  EXTENDED_HEADER,
  EXTENDED_SPACE,
} from '../../hw/pci/capabilities-layout.js';
import { CAPABILITY, EXPRESS, EXPRESS_CAPABILITIES, PORT_TYPE, TYPE_1 } from '../../hw/pci/layout.js';
import type { PciDevice, Xen } from '../xen.js';
import { HEADER_BRIDGE } from './pci-config.js';

/** More extended capabilities than fit into 4 KiB: a list of this length has a loop. */
const EXTENDED_CAPABILITIES_MAX = 480;
/** Device/Port Types that are not modelled, and that Xen knows (7.5.3.2). */
const PCI_TO_PCIE_BRIDGE = 8;
const EVENT_COLLECTOR = 10;
/** What Xen turns on where a function has it (xen/drivers/passthrough/pci.c, pci_enable_acs). */
const WANTED = encode(ACS_BITS, 32, {
  SOURCE_VALIDATION: 1,
  REQUEST_REDIRECT: 1,
  COMPLETION_REDIRECT: 1,
  UPSTREAM_FORWARDING: 1,
})[0] as number;

/** Device/Port Type of a function, undefined for conventional PCI. */
export function portType(xen: Xen, sbdf: Sbdf): number | undefined {
  const at = xen.steps.pci.findCapability(xen, sbdf, CAPABILITY.PCI_EXPRESS);
  if (at === undefined) return undefined;
  const capabilities = xen.steps.pci.configRead(xen, sbdf, at + EXPRESS.CAPABILITIES, 2);
  return get(Uint32Array.of(capabilities), EXPRESS_CAPABILITIES.DEVICE_PORT_TYPE);
}

/** Offset of an extended capability of a PCI Express function, or undefined. */
export function findExtendedCapability(xen: Xen, sbdf: Sbdf, id: number): number | undefined {
  let at = EXTENDED_SPACE;
  for (let i = 0; i < EXTENDED_CAPABILITIES_MAX && at >= EXTENDED_SPACE; i++) {
    const header = Uint32Array.of(xen.steps.pci.configRead(xen, sbdf, at, 4));
    if (header[0] === 0 || header[0] === 0xffff_ffff) return undefined;
    if (get(header, EXTENDED_HEADER.ID) === id) return at;
    at = get(header, EXTENDED_HEADER.NEXT) & ~3;
  }
  return undefined;
}

/** The buses behind a bridge that firmware configured. */
export function busesBehind(
  xen: Xen,
  sbdf: Sbdf,
  headerType: number,
): { secondary: number; subordinate: number } | undefined {
  if (headerType !== HEADER_BRIDGE) return undefined;
  const secondary = xen.steps.pci.secondaryBus(xen, sbdf);
  const subordinate = xen.steps.pci.configRead(xen, sbdf, TYPE_1.SUBORDINATE_BUS, 1);
  return secondary > sbdf.bus && subordinate >= secondary ? { secondary, subordinate } : undefined;
}

/**
 * Turns on Access Control Services of a function, as far as it has them.
 * @returns the services that it has and that are on now; undefined if it has no such capability
 */
export function enableAcs(xen: Xen, sbdf: Sbdf): { readonly has: number; readonly on: number } | undefined {
  const { configRead, configWrite, findExtendedCapability } = xen.steps.pci;
  const at = findExtendedCapability(xen, sbdf, EXTENDED_CAPABILITY.ACS);
  if (at === undefined) return undefined;
  const has = configRead(xen, sbdf, at + ACS.CAPABILITY, 2) & WANTED;
  configWrite(xen, sbdf, at + ACS.CONTROL, 2, configRead(xen, sbdf, at + ACS.CONTROL, 2) | has);
  return { has, on: configRead(xen, sbdf, at + ACS.CONTROL, 2) & WANTED };
}

/**
 * Whether what a function sends, or passes on, does not come to a peer on the way. Of the services, those that it does not
 * have count as built in (6.12.1 asks for them wherever they have a meaning); a function without the capability redirects
 * nothing. A device of one function has no peers inside.
 */
export function isIsolated(xen: Xen, sbdf: Sbdf, type: number | undefined, multiFunction: boolean): boolean {
  if (type === undefined) return false;
  const acs = xen.steps.pci.enableAcs(xen, sbdf);
  if ([PORT_TYPE['pcie-to-pci bridge'] as number, PCI_TO_PCIE_BRIDGE, EVENT_COLLECTOR].includes(type)) return false;
  const isPort = type === PORT_TYPE['root port'] || type === PORT_TYPE['downstream port'];
  if (!isPort && !multiFunction) return true;
  return acs !== undefined && (acs.on & acs.has) === acs.has;
}

/** The bridges above a function, nearest first. */
export function bridgesAbove(xen: Xen, { sbdf }: PciDevice): PciDevice[] {
  const all = [...(xen.segments.get(sbdf.segment)?.devices.values() ?? [])];
  const above = all.filter(({ buses, sbdf: own }) => {
    return buses !== undefined && own.bus < sbdf.bus && buses.secondary <= sbdf.bus && sbdf.bus <= buses.subordinate;
  });
  return above.sort((a, b) => (b.buses?.secondary ?? 0) - (a.buses?.secondary ?? 0));
}

/** The requester id that a bridge puts on what comes from behind it; undefined if it leaves that of the function. */
export function bridgeAlias(_xen: Xen, bridge: PciDevice): number | undefined {
  if (bridge.portType === PORT_TYPE['pcie-to-pci bridge']) return (bridge.buses?.secondary ?? 0) << 8;
  const itself = bridge.portType === undefined || bridge.portType === PCI_TO_PCIE_BRIDGE;
  return itself ? requesterId(bridge.sbdf) : undefined;
}

/** The requester ids under which a function's requests come to its IOMMU: its own, its phantom functions', its bridges'. */
export function requesterIds(xen: Xen, device: PciDevice): number[] {
  const ids: number[] = [];
  const { sbdf, phantomStride: stride } = device;
  for (let fn = sbdf.function; fn < 8; fn += stride) {
    ids.push(requesterId({ ...sbdf, function: fn }));
    if (stride === 0) break;
  }
  for (const bridge of xen.steps.pci.bridgesAbove(xen, device)) {
    const alias = xen.steps.pci.bridgeAlias(xen, bridge);
    if (alias !== undefined && !ids.includes(alias)) ids.push(alias);
  }
  return ids;
}

/** Whether two functions are of one device. */
const sameDevice = ({ sbdf: a }: PciDevice, { sbdf: b }: PciDevice): boolean =>
  a.segment === b.segment && a.bus === b.bus && a.device === b.device;

/**
 * The bridges below which a function's requests may come out again without an IOMMU between, the highest that there are.
 * A downstream port that does not redirect passes requests to the other ports of its switch; any other bridge, to what is
 * below it; root ports of one device count as one.
 */
export function turningPoints(xen: Xen, device: PciDevice): PciDevice[] {
  const above = xen.steps.pci.bridgesAbove(xen, device);
  const highest = above.findLastIndex((bridge) => !bridge.isolated);
  const bridge = above[highest];
  if (bridge === undefined) return [];
  if (bridge.portType === PORT_TYPE['downstream port']) return [above[highest + 1] ?? bridge];
  const { devices } = xen.segments.get(bridge.sbdf.segment) ?? { devices: new Map<number, PciDevice>() };
  return [...devices.values()].filter((other) => other.buses !== undefined && sameDevice(other, bridge));
}

/** Whether requests of one function may come to another without an IOMMU between. */
export function reaches(xen: Xen, from: PciDevice, to: PciDevice): boolean {
  if (sameDevice(from, to) && !from.isolated) return true;
  const above = xen.steps.pci.bridgesAbove(xen, to);
  return xen.steps.pci.turningPoints(xen, from).some((bridge) => above.includes(bridge));
}
