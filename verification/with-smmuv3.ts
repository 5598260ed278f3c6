/** For mutants: a mistake that one step of the SMMUv3 driver makes, and that the same step called by others does not. */
import type { IommuContext, Smmu, Xen, XenSteps } from '../src/xen/index.js';

/** Xen's state as a step sees it that is handed other steps of the driver than everybody else. */
export function withSmmuv3(state: Xen, replaced: Partial<XenSteps['smmuv3']>): Xen {
  return { ...state, steps: { ...state.steps, smmuv3: { ...state.steps.smmuv3, ...replaced } } };
}

/** Whether a context is of an SMMUv3. */
export function isOfSmmuv3(context: IommuContext): context is IommuContext<Smmu> {
  return context.iommu.kind === 'smmuv3';
}
