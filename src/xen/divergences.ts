/**
 * Where the model meets a requirement that Xen, at the commit that it was compared with, does not or does otherwise. Each
 * was read in Xen's sources; none was tried on hardware.
 */

/** One divergence. */
export interface Divergence {
  /** The requirement that decides. */
  readonly requirement: string;
  /** What Xen does, and what the model does instead. */
  readonly text: string;
  /** Commit of Xen's repository. */
  readonly commit: string;
}

const COMMIT = 'c447b73';

/** All of them. */
export const DIVERGENCES: readonly Divergence[] = [
  {
    requirement: 'XenSwdgn~passthrough_use_iommu_to_deny_dma_ops_from_dev~1',
    text: 'When the last device leaves a context, Xen frees the VMID of the SMMU without TLBI, and a later context can get it with stale translations. The model invalidates by VMID and waits before it frees the VMID; if the SMMU does not answer, the VMID is not used again.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_use_iommu_to_deny_dma_ops_from_dev~1',
    text: 'Xen sets GBPA.ABORT only if it finds the SMMU enabled. The model sets it before it touches anything else, so that traffic is aborted until the stream table is in force.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_use_iommu_to_deny_dma_ops_from_dev~1',
    text: 'Xen links a second-level stream table without invalidating the descriptor that the SMMU may hold. The model invalidates it.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_use_iommu_to_deny_dma_ops_from_dev~1',
    text: 'Xen goes on when a SYNC times out or a command fails. The model reports an error, and neither frees nor gives away what the device may still reach.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_use_iommu_to_enforce_dma_ops_from_dev~1',
    text: 'When a superpage is split, Xen invalidates only the TLBs of CPUs between break and make, and those of the IOMMU at the end. The model invalidates both in between.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_map_dev_mem_region~1',
    text: 'Dom0less passthrough permits one frame more than the region that is mapped. The model permits exactly the frames of the region.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_map_dev_mem_region~1',
    text: 'Xen maps device registers over whatever the guest frame held. The model refuses frames that are taken (-EBUSY).',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_discover_pci_devs_from_xen~1',
    text: 'On Arm, Xen waits to be told of PCI devices; on x86 it scans all 256 buses. The model scans on Arm too, through the bridges that firmware configured, and gives what it finds to the hardware domain unless it is kept for passthrough. PCI passthrough, off by default on Arm, is on by default.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_support_assign_pci_devs~1',
    text: 'If the IOMMU refuses an assignment, Xen leaves the device with the new owner. The model gives it back to the previous one. An assignment to a domain without IOMMU, 0 inside Xen, is -EOPNOTSUPP everywhere.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_support_assign_pci_devs~1',
    text: 'In Xen, BARs are mapped by vPCI when the guest enables memory decode. The model maps them at assignment and unmaps them at deassignment.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_support_deassign_pci_devs~1',
    text: "Xen takes a device's registers from its domain before it detaches the device. The model detaches first: whatever the device still does, it does not reach the domain while its registers go.",
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_assign_devs_sharing_res_to_same_dom~1',
    text: 'On SMMUv3, Xen has no device groups and lets two domains overwrite the entry of a stream that their devices share. The model lists devices of the same stream as a group, and refuses to attach a stream that is attached elsewhere, or to give away a BAR that shares a frame with another domain (-EBUSY).',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_deassign_pci_dev_from_dom~1',
    text: 'Xen relies on its tools for clean memory of new domains in part. The model removes what a domain left in its frames before they become free.',
    commit: COMMIT,
  },
];
