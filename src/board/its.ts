/**
 * `arm,gic-v3-its`, below its GIC (Linux Documentation/devicetree/bindings/interrupt-controller/arm,gic-v3.yaml): `reg`
 * holds the control frame and, behind it, the translation frame.
 *
 * What the model is to be is in a node `compatible = "tracewright,its-parameters"` below `/tracewright` that names it in
 * `device`: `device-bits` and `event-bits`, and `pta` if collections name redistributors by address.
 */
import { pa } from '../hw/address.js';
import { Its } from '../hw/gic/its/its.js';
import { type DevicePlanner, namedRegions, requiredParameters } from './device-plan.js';

/** Both frames, 64 KiB each (Arm IHI 0069, 12.18). */
const REGISTER_BYTES = 0x2_0000;

export const planIts: DevicePlanner = (context) => {
  const { board, node } = context;
  const [region] = namedRegions(context, [['registers', REGISTER_BYTES]]);
  if (region === undefined) return board.fail('missing property', node, 'the property reg is missing');
  const parameters = requiredParameters(context, 'tracewright,its-parameters');
  const required = (property: string): number =>
    board.reading(() => parameters.u32(property)) ??
    board.fail('missing property', parameters, `the property ${property} is missing`);
  const [deviceBits, eventBits] = [required('device-bits'), required('event-bits')];
  const name = `its@${region.address.toString(16)}`;
  return {
    node,
    role: 'interrupt controller',
    regions: [{ ...region, name }],
    build: ({ bus, observer, latency, blocks, lpiTargets }) => {
      const gic = node.parent && lpiTargets.get(node.parent);
      if (gic === undefined) return board.fail('missing node', node, 'the node above is no GIC with LPIs');
      const { targets, intidBits } = gic;
      const pta = parameters.has('pta');
      const options = { name, targets, intidBits, deviceBits, eventBits, pta, memory: bus.memory, observer, latency };
      const its = board.making(parameters, () => new Its(options));
      bus.add(name, pa(region.address), region.size, its);
      blocks.set(node.path, its);
    },
  };
};
