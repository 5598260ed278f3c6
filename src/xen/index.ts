/** The reference model of Xen's device passthrough. */

export { BootError } from './boot/platform.js';
export { createXen } from './create.js';
export { DIVERGENCES, type Divergence } from './divergences.js';
export { ERRNO, type Errno, failure } from './errno.js';
export * from './hypervisor.js';
export { type XenSteps, xenSteps } from './steps.js';
export type { Domain, IommuContext, Ipmmu, PciDevice, Smmu, Xen } from './xen.js';
