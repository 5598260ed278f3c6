/** For mutants: a mistake that one step of the IPMMU driver makes, and that the same step called by others does not. */
import type { Ipmmu, Xen, XenSteps } from '../src/xen/index.js';

/** Xen's state as a step sees it that is handed other steps of the driver than everybody else. */
export function withIpmmu(state: Xen, replaced: Partial<XenSteps['ipmmu']>): Xen {
  return { ...state, steps: { ...state.steps, ipmmu: { ...state.steps.ipmmu, ...replaced } } };
}

/** The instance that walks tables for an instance. */
export function mainOf(ipmmu: Ipmmu): Ipmmu {
  return ipmmu.main ?? ipmmu;
}
