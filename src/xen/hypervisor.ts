/**
 * A Hypervisor: what a check arranges through. The bundled one is the reference model of Xen's device passthrough;
 * another may stand in its place.
 *
 * A check arranges through the Hypervisor and probes through the Machine. Nothing here tells a check whether a
 * requirement is met: {@link Hypervisor.claims} is what Xen *says*, for comparison with what hardware shows.
 */
import type { Machine } from '../hw/machine.js';

/** Hypercall numbers (xen/include/public/xen.h). */
export const HYPERCALL = { memory_op: 12, physdev_op: 33, domctl: 36 } as const;

/** Memory operations that are modelled (xen/include/public/memory.h). */
export const XENMEM = { decrease_reservation: 1 } as const;

/** PHYSDEVOP commands that are modelled (xen/include/public/physdev.h). */
export const PHYSDEVOP = { pci_device_add: 25, pci_device_remove: 26 } as const;

/** Flags of `struct physdev_pci_device_add`. */
export const XEN_PCI_DEV = { EXTFN: 1, VIRTFN: 2, PXM: 4 } as const;

/** DOMCTL commands that are modelled (xen/include/public/domctl.h). */
export const DOMCTL = {
  destroydomain: 2,
  irq_permission: 19,
  iomem_permission: 20,
  assign_device: 37,
  bind_pt_irq: 38,
  memory_mapping: 39,
  test_assign_device: 45,
  deassign_device: 47,
  unbind_pt_irq: 48,
  get_device_group: 50,
} as const;

/** XEN_DOMCTL_INTERFACE_VERSION that is modelled. */
export const DOMCTL_INTERFACE_VERSION = 0x18;

/** The hardware domain. */
export const DOMID_HARDWARE = 0;
/** The domain that quarantined devices belong to (xen/include/public/xen.h, DOMID_IO). */
export const DOMID_IO = 0x7ff1;
/** The calling domain. */
export const DOMID_SELF = 0x7ff0;
/** No domain. */
export const DOMID_INVALID = 0x7ff4;

/** A run of machine frames. */
export interface FrameRange {
  /** First frame, in 4 KiB units. */
  readonly mfn: number;
  readonly count: number;
}

/** What Xen says of a domain. */
export interface DomainClaim {
  readonly domid: number;
  /** RAM that it says the domain owns, with where the guest sees it. */
  readonly ram: readonly (FrameRange & { readonly gfn: number })[];
  /** Device regions that it says are mapped to the domain. */
  readonly mmio: readonly (FrameRange & { readonly gfn: number })[];
  /** Devices assigned to it: PCI functions as `0000:03:00.0`, platform devices by path. */
  readonly devices: readonly string[];
}

/** What a boot or a creation came to. */
export type CreateResult = { readonly domid: number } | { readonly error: number };

/** A hypervisor that runs on a {@link Machine}. */
export interface Hypervisor {
  /** Boots on the machine: discovers it from its firmware, takes the IOMMUs, creates the hardware domain. */
  boot(machine: Machine): void;
  /**
   * Creates a domain from a configuration blob: a flattened device tree whose root is a domain node
   * (`compatible = "xen,domain"`; properties in `domain-config.ts`). Leaves nothing behind when it fails.
   * @returns the domain id, or the negative error code
   */
  createDomain(blob: Uint8Array): CreateResult;
  /**
   * A hypercall of a vCPU. Structures lie in that guest's memory, in the public ABI; pointer arguments are guest
   * physical addresses.
   * @param args up to five 64-bit register arguments, as numbers below 2^53
   * @returns the value in X0, as a signed number
   */
  hypercall(vcpu: { readonly domid: number; readonly vcpu: number }, number: number, args: readonly number[]): number;
  /**
   * Puts a vCPU on a CPU so that it can make accesses through {@link Machine.cpus}.
   * @returns the CPU, or undefined if there is no such vCPU
   */
  schedule(vcpu: { readonly domid: number; readonly vcpu: number }): number | undefined;
  /** What Xen says each domain owns, by domain id. */
  claims(): readonly DomainClaim[];
  /**
   * Where a domain finds its device tree: guest address (what X0 of its first vCPU holds at its start) and size in bytes.
   */
  deviceTree(domid: number): { readonly address: number; readonly size: number } | undefined;
  /** The PCI functions that Xen knows, `0000:03:00.0`, in order. */
  pciDevices(): readonly string[];
  /** Lines that Xen printed on its console. */
  readonly console: readonly string[];
}
