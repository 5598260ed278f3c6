/**
 * `arm,smmu-v3` (Linux Documentation/devicetree/bindings/iommu/arm,smmu-v3.yaml).
 *
 * Its ID registers are in a node `compatible = "tracewright,smmuv3-parameters"` below `/tracewright` that names it in
 * `device`: `idr0 idr1 idr3 idr5 aidr iidr`.
 */
import { pa } from '../hw/address.js';
import { Smmuv3, type Smmuv3Options } from '../hw/iommu/smmuv3/smmuv3.js';
import { type DevicePlanner, parametersFor, regionsOf } from './device-plan.js';

/** The register map: two pages of 64 KiB (Arm IHI 0070 6.1). */
const REGISTER_BYTES = 0x2_0000;

export const planSmmuv3: DevicePlanner = (context) => {
  const { board, node } = context;
  const [region] = regionsOf(context);
  if (region === undefined || region.size < REGISTER_BYTES) {
    return board.fail('bad property', node, `reg: the registers take 0x${REGISTER_BYTES.toString(16)} bytes`, 'reg');
  }
  const parameters = parametersFor(context, 'tracewright,smmuv3-parameters', 'device');
  if (parameters === undefined) {
    return board.fail('missing node', node, 'no tracewright,smmuv3-parameters below /tracewright name this device');
  }
  const required = (property: string): number =>
    board.reading(() => parameters.u32(property)) ??
    board.fail('missing property', parameters, `the property ${property} is missing`);
  const idr = {
    IDR0: required('idr0'),
    IDR1: required('idr1'),
    IDR3: required('idr3'),
    IDR5: required('idr5'),
    AIDR: required('aidr'),
    IIDR: board.u32(parameters, 'iidr', 0),
  };
  const name = `smmu@${region.address.toString(16)}`;
  return {
    node,
    regions: [{ ...region, name }],
    build: ({ bus, observer, latency, iommus, blocks }) => {
      const smmu = makeSmmuv3({ name, idr, bus, observer, latency }, (text) =>
        board.fail('bad property', parameters, text),
      );
      bus.add(name, pa(region.address), region.size, smmu);
      iommus.set(node, smmu);
      blocks.set(node.path, smmu);
    },
  };
};

/** The device; ID registers that offer what the model lacks are the board's mistake. */
function makeSmmuv3(options: Smmuv3Options, refuse: (text: string) => never): Smmuv3 {
  try {
    return new Smmuv3(options);
  } catch (error) {
    if (error instanceof RangeError) return refuse(error.message);
    throw error;
  }
}
