/** What an IPMMU reports: one fault of each context at a time, and an interrupt of the main instance for all of them. */
import { DeviceTreeError } from '../../../firmware/tree.js';
import { hex } from '../../../hw/address.js';
import { get } from '../../../hw/bits.js';
import { CONTEXT_REGISTER, IMSTR } from '../../../hw/iommu/ipmmu/layout.js';
import { type Ipmmu, print, type Xen } from '../../xen.js';
import { PARKING_CONTEXT } from './probe.js';

/** Whose micro-TLBs select a context of a main instance. */
function ownerName(xen: Xen, main: Ipmmu, context: number): string {
  if (context === PARKING_CONTEXT) return 'nobody';
  for (const domain of xen.domains.values()) {
    const has = domain.contexts.some(({ iommu, tag }) => {
      return tag === context && iommu.kind === 'ipmmu' && (iommu.main ?? iommu) === main;
    });
    if (has) return domain.name;
  }
  return 'no domain';
}

/** Prints and acknowledges the fault of a context, if it has one. The address goes with the acknowledgement. */
export function handleFault(xen: Xen, main: Ipmmu, context: number): void {
  const { readContext, writeContext } = xen.steps.ipmmu;
  const status = Uint32Array.of(readContext(xen, main, context, CONTEXT_REGISTER.IMSTR));
  const names = Object.entries(IMSTR).flatMap(([name, field]) => (get(status, field) === 1 ? [name] : []));
  if (names.length === 0) return;
  const low = readContext(xen, main, context, CONTEXT_REGISTER.IMELAR);
  const high = readContext(xen, main, context, CONTEXT_REGISTER.IMEUAR);
  // Not as such registers usually are: writing 0 clears it.
  writeContext(xen, main, context, CONTEXT_REGISTER.IMSTR, 0);
  const owner = ownerName(xen, main, context);
  print(xen, `IPMMU ${main.node.path}: ${names.join(', ')} context ${context} (${owner}) at ${hex(high, low)}`);
}

/** Takes what an instance has to report. Contexts that nobody has fault for nobody, but for the one of parking. */
export function service(xen: Xen, ipmmu: Ipmmu): void {
  if (ipmmu.main !== undefined) return;
  for (let context = 0; context < ipmmu.features.contexts; context++) xen.steps.ipmmu.handleFault(xen, ipmmu, context);
}

/** Asks for the interrupt of a main instance: the first of its node. Without it, faults are noticed when Xen is entered. */
export function setupInterrupt(xen: Xen, ipmmu: Ipmmu): void {
  try {
    const [wire] = xen.steps.dt.readInterrupts(xen, ipmmu.node);
    if (wire === undefined) {
      print(xen, `IPMMU ${ipmmu.node.path}: no interrupt`);
      return;
    }
    const error = xen.steps.irq.requestForXen(xen, wire.irq, wire.type, (state) => {
      state.steps.ipmmu.service(state, ipmmu);
    });
    if (error !== 0) print(xen, `IPMMU ${ipmmu.node.path}: interrupt ${wire.irq} cannot be had (${error})`);
  } catch (error) {
    if (!(error instanceof DeviceTreeError)) throw error;
    print(xen, `IPMMU ${error.message}`);
  }
}
