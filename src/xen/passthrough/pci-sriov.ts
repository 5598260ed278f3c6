/**
 * Memory of virtual functions. A virtual function's own base address registers read as 0 (PCI Express Base 9.3.4.1.11); its
 * memory is a slice of what the capability of its physical function names (9.2.1.1.1; xen/drivers/passthrough/pci.c,
 * pci_add_device).
 */
import { get, put } from '../../hw/bits.js';
import { requesterId } from '../../hw/machine.js';
import { EXTENDED_CAPABILITY, SRIOV, SRIOV_CONTROL } from '../../hw/pci/capabilities-layout.js';
import { TYPE_0_BARS } from '../../hw/pci/layout.js';
import type { Bar, PciDevice, Xen } from '../xen.js';

/** The number of a virtual function among those of a physical one, by its requester id. Undefined: it is none of them. */
export function virtualFunctionIndex(
  xen: Xen,
  device: PciDevice,
  physical: PciDevice,
  capability: number,
): number | undefined {
  const read = (offset: number): number => xen.steps.pci.configRead(xen, physical.sbdf, capability + offset, 2);
  const distance = requesterId(device.sbdf) - requesterId(physical.sbdf) - read(SRIOV.FIRST_VF_OFFSET);
  const stride = read(SRIOV.VF_STRIDE);
  const index = distance === 0 ? 0 : distance / stride;
  return Number.isInteger(index) && index >= 0 && index < read(SRIOV.NUM_VFS) ? index : undefined;
}

/** The memory of a virtual function. Undefined if its physical function has no such capability, or not this function. */
export function virtualFunctionBars(xen: Xen, device: PciDevice, physical: PciDevice): Bar[] | undefined {
  const { configRead, configWrite, findExtendedCapability, sizeBar, virtualFunctionIndex } = xen.steps.pci;
  const { bridge, sbdf } = physical;
  if (bridge === undefined || physical.portType === undefined) return undefined;
  const capability = findExtendedCapability(xen, sbdf, EXTENDED_CAPABILITY.SRIOV);
  if (capability === undefined) return undefined;
  const vf = virtualFunctionIndex(xen, device, physical, capability);
  if (vf === undefined) return undefined;
  const control = configRead(xen, sbdf, capability + SRIOV.CONTROL, 2);
  const quiet = Uint32Array.of(control);
  put(quiet, SRIOV_CONTROL.VF_MEMORY_SPACE_ENABLE, 0);
  const decodes = get(Uint32Array.of(control), SRIOV_CONTROL.VF_MEMORY_SPACE_ENABLE) === 1;
  // While a register holds all ones, no virtual function must answer there.
  if (decodes) configWrite(xen, sbdf, capability + SRIOV.CONTROL, 2, quiet[0] as number);
  const bars: Bar[] = [];
  for (let index = 0; index < TYPE_0_BARS; ) {
    const last = index === TYPE_0_BARS - 1;
    const { bus, size, registers } = sizeBar(xen, sbdf, capability + SRIOV.VF_BAR0 + index * 4, last);
    const start = bus + vf * size;
    const window = bridge.windows.find((w) => w.bus <= start && start + size <= w.bus + w.size);
    if (size > 0 && window !== undefined) bars.push({ index, address: start - window.bus + window.address, size });
    index += registers;
  }
  if (decodes) configWrite(xen, sbdf, capability + SRIOV.CONTROL, 2, control);
  return bars;
}
