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
    requirement: 'XenSwdgn~passthrough_provide_if_for_add_rm_pci_devs~1',
    text: 'In Xen, a device that is announced goes to the hardware domain in any case. The model puts it into quarantine if a guest has another device of its group.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_support_assign_pci_devs~1',
    text: 'If the IOMMU refuses an assignment, Xen leaves the device with the new owner. The model gives it back to the previous one. An assignment to a domain without IOMMU, 0 inside Xen, is -EOPNOTSUPP everywhere.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_support_assign_pci_devs~1',
    text: 'In Xen, BARs are mapped by vPCI when the guest enables memory decode. A guest of the model finds memory decode on and its BARs mapped at assignment; they are unmapped when it turns decode off, and at deassignment.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_support_deassign_pci_devs~1',
    text: "Xen takes a device's registers from its domain before it detaches the device. The model detaches first: whatever the device still does, it does not reach the domain while its registers go.",
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_assign_devs_sharing_res_to_same_dom~1',
    text: 'On SMMUv3, Xen has no device groups and lets two domains overwrite the entry of a stream that their devices share. The model makes groups of streams, requester aliases of bridges, functions and switch ports without ACS, interrupts and pages of registers, and refuses a device of whose group another domain has one, the hardware domain included (-EBUSY); mates that nobody has or that are quarantined do not count. A PCI device whose mate a guest still has goes to quarantine, even without the option.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_assign_devs_sharing_res_to_same_dom~1',
    text: 'On Arm, Xen gives an IOMMU only the requester ids of a function and its phantom functions. The model adds those that PCI bridges above it put on its requests, and attaches no conventional bridge, whose id is that of what is behind it.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_support_deassign_dt_devs~1',
    text: 'DOMCTL deassignment of a platform device takes it from its IOMMU only; interrupts and registers are left to tools. The model takes its interrupts and registers from the domain too.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_support_deassign_dt_devs~1',
    text: 'Xen takes an interrupt from a domain only when that is dying (-EBUSY). The model takes it from a living one too, with what is pending or active of it.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_deassign_dt_dev_from_dom~1',
    text: 'Xen stops at the first platform device that it cannot take from a dying domain. The model takes the others, and tries that one again when destruction is tried again.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_deassign_dt_dev_from_dom~1',
    text: 'Xen disables and deactivates the interrupts of a dying domain, and leaves them pending for whoever has them next. The model clears that as well.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_support_assign_dt_devs~1',
    text: 'Xen built with PCI passthrough refuses to assign any device to the calling domain (-EINVAL). The model lets the hardware domain have platform devices back, as Xen without PCI does. Paths may also be aliases or labels.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_assign_single_dev_to_single_dom~1',
    text: 'Xen lets the hardware domain map the registers, and route the interrupts, of devices that are reserved for passthrough. The model does not permit it.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_use_iommu_to_deny_dma_ops_from_dev~1',
    text: 'A micro-TLB of an IPMMU that is not enabled lets requests pass untranslated, and Xen leaves those of unassigned devices so. The model parks every micro-TLB on a context that maps nothing, and never disables one.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_use_iommu_to_enforce_dma_ops_from_dev~1',
    text: 'Xen flushes an IPMMU cache before its main instance, and waits for the main instance alone; when that does not finish, it goes on. The model flushes the main instance first, waits for both, and reports an error.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_deliver_msis_to_dom~1',
    text: "In Xen, MAPD of a domain other than the hardware domain reaches its virtual tables only; the host's translation service knows nothing of its devices, and MAPTI fails. The model maps all events of a device there when it is assigned, until it is deassigned, and MAPTI binds each to an LPI of the guest.",
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_deliver_msis_to_dom~1',
    text: 'Xen gives no guest a translation service, and no guest device a way to a doorbell. In the model every domain has one on a machine that has one, and the page with GITS_TRANSLATER, and nothing else of it, is in its p2m.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_deliver_msis_to_dom~1',
    text: "Xen keeps the tables of a virtual translation service in the guest's memory, and works through its whole command queue in one trap. The model keeps bounded tables of its own, executes a bounded number of commands for each access, and passes over those that it cannot execute.",
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_deliver_msis_to_dom~1',
    text: "In Xen all LPIs come to CPU 0, MOVI leaves what is pending where it is, and MOVALL does nothing. In the model the LPI behind a guest's event comes to the CPU of its vCPU, and both commands take along what is pending.",
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_deliver_msis_to_dom~1',
    text: 'On Arm, vPCI of Xen is built without MSI and MSI-X (HAS_PCI_MSI), so that guests find neither. The model shows both: address and data go to the device as the guest writes them, and the IOMMU translates the address.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_deassign_pci_dev_from_dom~1',
    text: 'Xen relies on its tools for clean memory of new domains in part. The model removes what a domain left in its frames before they become free.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_configure_iommu_at_boot~1',
    text: 'Xen panics if it cannot create a domain that the boot loader describes. The model says on the console which node and property is wrong, leaves nothing of the domain behind, and boots on.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_assign_single_dev_to_single_dom~1',
    text: 'Xen keeps no owner of a platform device that is not behind an IOMMU, and of registers without a path: with xen,force-assign-without-iommu, two domains can have the same. The model refuses the second (-EBUSY).',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~arm64_passthrough_assign_dt_dev_to_dom~1',
    text: "Dom0less passthrough maps any machine address that xen,reg names, RAM and Xen's own devices too, and does not compare it with the node of xen,path. The model takes registers of devices only (-EPERM), and those of the node if there is one (-EINVAL).",
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~arm64_passthrough_assign_dt_dev_to_dom~1',
    text: 'Xen does not look at lists that are cut short, the mandatory properties of /passthrough, phandles that are there twice, or an interrupt-parent that names no node. The model refuses them (-EINVAL).',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_assign_pci_dev_to_dom_arm64~1',
    text: 'Xen assigns function 0 of a PCI device only (-EOPNOTSUPP). The model assigns any function, each to a slot of its own; devices that must stay together are told by their groups.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_assign_pci_dev_to_dom_arm64~1',
    text: 'Xen has no xen,pci-assigned. The model reads it in /passthrough of the passthrough device tree, as cells of segment << 16 | bus << 8 | devfn.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_assign_pci_dev_to_dom_arm64~1',
    text: 'vPCI of Xen maps base address registers over whatever a guest has where it places them. The model leaves memory decode off over memory of the guest, other registers, and what Xen emulates.',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_support_creation_direct_mapped_doms~1',
    text: 'With xen,force-assign-without-iommu, Xen gives a device that does DMA past every IOMMU, or its registers alone, to any domain. The model gives it to direct-mapped domains only (-EINVAL).',
    commit: COMMIT,
  },
  {
    requirement: 'XenSwdgn~passthrough_deliver_spis_to_dom~1',
    text: 'Xen refuses to take an interrupt from a living domain that has it enabled or in flight (-EBUSY), and leaves one of a dying domain pending at the controller. The model takes it out of list registers and queues, disables it, and clears its pending and active state, so that nothing of it comes to the next domain.',
    commit: COMMIT,
  },
];
