/**
 * The form of p2m tables, from what the CPUs and the IOMMUs can do (xen/arch/arm/mmu/p2m.c, setup_virt_paging).
 * Tables are shared, so guest physical addresses have the size that all of them take.
 */
import { encode, get, putAddress } from '../../hw/bits.js';
import { ID_AA64MMFR0_EL1, ID_AA64MMFR1_EL1, REGISTER_BITS, VTCR_EL2, VTTBR_EL2 } from '../../hw/cpu/layout.js';
import { type Mfn, maddr } from '../frames.js';
import { SHAREABILITY } from '../p2m-layout.js';
import type { P2m, P2mFormat, Xen } from '../xen.js';

/** Form by size of guest physical addresses, largest first: level of the root, log2 of its tables. */
const FORMS = [
  { ipaBits: 48, rootLevel: 0, rootOrder: 0 },
  { ipaBits: 44, rootLevel: 0, rootOrder: 0 },
  { ipaBits: 42, rootLevel: 1, rootOrder: 3 },
  { ipaBits: 40, rootLevel: 1, rootOrder: 1 },
  { ipaBits: 36, rootLevel: 1, rootOrder: 0 },
  { ipaBits: 32, rootLevel: 1, rootOrder: 0 },
] as const;

/** Address sizes by ID_AA64MMFR0_EL1.PARange and VTCR_EL2.PS. */
const PA_BITS: readonly number[] = [32, 36, 40, 42, 44, 48, 52];
/** ID_AA64MMFR1_EL1.VMIDBits of 16-bit VMIDs. */
const VMIDBITS_16 = 2;

/** Write-back, read and write allocate: VTCR_EL2.IRGN0 and ORGN0, and their like in an STE. */
export const CACHE_WBWA = 1;

/** Chooses the form. */
export function chooseFormat(xen: Xen): P2mFormat {
  const { hi, lo } = xen.machine.cpus.readSystem(0, 'ID_AA64MMFR0_EL1');
  const paRange = Math.min(get(Uint32Array.of(lo, hi), ID_AA64MMFR0_EL1.PARange), PA_BITS.length - 1);
  const limits = [PA_BITS[paRange] as number];
  for (const iommu of xen.iommus) {
    if (!iommu.disabled) limits.push(xen.steps.iommu.driverOf(xen, iommu).addressBits(xen, iommu));
  }
  const limit = Math.min(...limits);
  const form = FORMS.find(({ ipaBits }) => ipaBits <= limit) ?? FORMS[FORMS.length - 1];
  return { ...(form as (typeof FORMS)[number]), paRange };
}

/** Bits of the CPUs' VMIDs. */
export function vmidBits(xen: Xen): number {
  const { hi, lo } = xen.machine.cpus.readSystem(0, 'ID_AA64MMFR1_EL1');
  return get(Uint32Array.of(lo, hi), ID_AA64MMFR1_EL1.VMIDBits) === VMIDBITS_16 ? 16 : 8;
}

/** VTCR_EL2 for these tables, as words. */
export function vtcr(xen: Xen): Uint32Array {
  const { ipaBits, rootLevel, paRange } = xen.format;
  return encode(VTCR_EL2, REGISTER_BITS, {
    T0SZ: 64 - ipaBits,
    SL0: 2 - rootLevel,
    IRGN0: CACHE_WBWA,
    ORGN0: CACHE_WBWA,
    SH0: SHAREABILITY.INNER,
    TG0: 0,
    PS: paRange,
    VS: xen.vmids.bits === 16 ? 1 : 0,
    RES1: 1,
  });
}

/** VTTBR_EL2 for a root and a tag, as words. */
export function encodeVttbr(_xen: Xen, root: Mfn, vmid: number): Uint32Array {
  const words = encode(VTTBR_EL2, REGISTER_BITS, { VMID: vmid });
  putAddress(words, VTTBR_EL2.BADDR, maddr(root));
  return words;
}

/** VTTBR_EL2 of a domain, as words. */
export function vttbr(xen: Xen, p2m: P2m): Uint32Array {
  return xen.steps.p2m.encodeVttbr(xen, p2m.root, p2m.vmid);
}
