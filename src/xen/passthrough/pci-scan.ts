/**
 * Finding the PCI functions that firmware enumerated. Bus numbers are those that firmware gave to bridges; Xen changes
 * none.
 */
import type { Sbdf } from '../../hw/machine.js';
import type { HostBridge, Xen } from '../xen.js';
import { HEADER_BRIDGE } from './pci-config.js';

const DEVICES_PER_BUS = 32;
const FUNCTIONS_PER_DEVICE = 8;

/** Registers every function behind every host bridge. */
export function scan(xen: Xen): void {
  for (const bridge of xen.platform.hostBridges) xen.steps.pci.scanBus(xen, bridge, bridge.firstBus);
}

/** Registers the functions of a bus and of the buses behind it. */
export function scanBus(xen: Xen, bridge: HostBridge, bus: number): void {
  for (let device = 0; device < DEVICES_PER_BUS; device++) xen.steps.pci.scanDevice(xen, bridge, bus, device);
}

/** Registers the functions of a device. Functions 1 to 7 exist only if function 0 says so. */
export function scanDevice(xen: Xen, bridge: HostBridge, bus: number, device: number): void {
  const first: Sbdf = { segment: bridge.segment, bus, device, function: 0 };
  if (!xen.steps.pci.detect(xen, first)) return;
  xen.steps.pci.scanFunction(xen, bridge, first);
  if (!xen.steps.pci.isMultiFunction(xen, first)) return;
  for (let fn = 1; fn < FUNCTIONS_PER_DEVICE; fn++) {
    const sbdf = { ...first, function: fn };
    if (xen.steps.pci.detect(xen, sbdf)) xen.steps.pci.scanFunction(xen, bridge, sbdf);
  }
}

/** Registers a function; behind a bridge, goes on. Once for each function, whatever bridges say of their buses. */
export function scanFunction(xen: Xen, bridge: HostBridge, sbdf: Sbdf): void {
  if (xen.steps.pci.findDevice(xen, sbdf) !== undefined) return;
  const device = xen.steps.pci.allocateDevice(xen, sbdf);
  if (device.headerType === HEADER_BRIDGE) xen.steps.pci.descend(xen, bridge, sbdf);
}

/** Scans the bus behind a bridge, if firmware configured one: a higher number than the bridge's own, within the range. */
export function descend(xen: Xen, bridge: HostBridge, sbdf: Sbdf): void {
  const bus = xen.steps.pci.secondaryBus(xen, sbdf);
  if (bus > sbdf.bus && bus <= bridge.lastBus) xen.steps.pci.scanBus(xen, bridge, bus);
}
