/**
 * SMMUv3 registers as the driver uses them: identification, acknowledged writes, the global bypass attributes
 * (Arm IHI 0070, chapter 6). Whatever has to be waited for is waited for with bounded patience.
 */
import { pa } from '../../../hw/address.js';
import { get, put } from '../../../hw/bits.js';
import { ADDRESS_BITS, GBPA, IDR0, IDR1, IDR5, REGISTER, TTF_AARCH64 } from '../../../hw/iommu/smmuv3/layout.js';
import { failure } from '../../errno.js';
import { print, type Smmu, type SmmuFeatures, type Xen } from '../../xen.js';

/** How often a register is read before the driver gives up on it. */
export const PATIENCE = 4096;

/** Largest command and event queue that the driver asks for, as log2 of entries: one page each. */
const COMMAND_QUEUE_LOG2 = 8;
const EVENT_QUEUE_LOG2 = 7;
/** ADDRESS_BITS of 48 bits: with the 4 KiB granule, tables reach no further. */
const OAS_48 = 5;

/** Reads a 32-bit register. */
export function readRegister(xen: Xen, smmu: Smmu, offset: number): number {
  return xen.machine.mmio.read(pa(smmu.base + offset), 4);
}

/** Writes a 32-bit register. */
export function writeRegister(xen: Xen, smmu: Smmu, offset: number, value: number): void {
  xen.machine.mmio.write(pa(smmu.base + offset), 4, value >>> 0);
}

/** Writes a 64-bit register from its words. */
export function writeRegister64(xen: Xen, smmu: Smmu, offset: number, words: Uint32Array): void {
  xen.machine.mmio.write64(pa(smmu.base + offset), words[1] as number, words[0] as number);
}

/**
 * Reads a register until its value is as wanted.
 * @returns 0, or -EIO if it never was
 */
export function poll(xen: Xen, smmu: Smmu, offset: number, wanted: (value: number) => boolean): number {
  for (let i = 0; i < PATIENCE; i++) {
    if (wanted(xen.steps.smmuv3.readRegister(xen, smmu, offset))) return 0;
  }
  print(xen, `SMMUv3 ${smmu.node.path}: register 0x${offset.toString(16)} does not answer`);
  return failure('EIO');
}

/** What the SMMU offers (6.3.1 to 6.3.6). */
export function readIds(xen: Xen, smmu: Smmu): SmmuFeatures {
  const { readRegister } = xen.steps.smmuv3;
  const idr0 = Uint32Array.of(readRegister(xen, smmu, REGISTER.IDR0));
  const idr1 = Uint32Array.of(readRegister(xen, smmu, REGISTER.IDR1));
  const idr5 = Uint32Array.of(readRegister(xen, smmu, REGISTER.IDR5));
  const oas = Math.min(get(idr5, IDR5.OAS), OAS_48);
  return {
    stage2: get(idr0, IDR0.S2P) === 1,
    aarch64: (get(idr0, IDR0.TTF) & TTF_AARCH64) !== 0,
    granule4k: get(idr5, IDR5.GRAN4K) === 1,
    twoLevelTable: get(idr0, IDR0.ST_LEVEL) === 1,
    hyp: get(idr0, IDR0.HYP) === 1,
    ats: get(idr0, IDR0.ATS) === 1,
    msi: get(idr0, IDR0.MSI) === 1,
    streamIdBits: get(idr1, IDR1.SIDSIZE),
    vmidBits: get(idr0, IDR0.VMID16) === 1 ? 16 : 8,
    oas,
    outputBits: ADDRESS_BITS[oas] as number,
    commandQueueLog2: Math.min(get(idr1, IDR1.CMDQS), COMMAND_QUEUE_LOG2),
    eventQueueLog2: Math.min(get(idr1, IDR1.EVENTQS), EVENT_QUEUE_LOG2),
  };
}

/**
 * Writes CR0 and waits until the SMMU has taken it (6.3.9, 6.3.10).
 * @returns 0 or -EIO
 */
export function writeCr0(xen: Xen, smmu: Smmu, value: number): number {
  xen.steps.smmuv3.writeRegister(xen, smmu, REGISTER.CR0, value);
  return xen.steps.smmuv3.poll(xen, smmu, REGISTER.CR0ACK, (ack) => ack === value);
}

/**
 * Makes the SMMU abort all traffic while it is not enabled (6.3.14).
 * @returns 0 or -EIO
 */
export function setGbpaAbort(xen: Xen, smmu: Smmu): number {
  const { readRegister, writeRegister, poll } = xen.steps.smmuv3;
  const settled = (value: number) => get(Uint32Array.of(value), GBPA.UPDATE) === 0;
  const error = poll(xen, smmu, REGISTER.GBPA, settled);
  if (error !== 0) return error;
  const gbpa = Uint32Array.of(readRegister(xen, smmu, REGISTER.GBPA));
  put(gbpa, GBPA.ABORT, 1);
  put(gbpa, GBPA.UPDATE, 1);
  writeRegister(xen, smmu, REGISTER.GBPA, gbpa[0] as number);
  return poll(xen, smmu, REGISTER.GBPA, settled);
}
