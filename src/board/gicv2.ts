/**
 * `arm,gic-400` and `arm,cortex-a15-gic` (Linux Documentation/devicetree/bindings/interrupt-controller/arm,gic.yaml): `reg`
 * holds the distributor, the CPU interface, the virtual interface control registers and the virtual CPU interface.
 *
 * What the model is to be is in a node `compatible = "tracewright,gicv2-parameters"` below `/tracewright` that names the
 * controller in `device`: `spis`; `list-registers` and `priority-bits` if they are not those of a GIC-400.
 */
import { pa } from '../hw/address.js';
import { Gicv2, type Gicv2Options } from '../hw/gic/gicv2/gicv2.js';
import { type DevicePlanner, namedRegions, offerInterfaces, requiredParameters } from './device-plan.js';

/** What of `reg` is which, and the least that each takes (Arm IHI 0048B, 4.1.2, 4.1.3, 5.3, 5.5). */
const REGIONS = [
  ['distributor', 0x1000],
  ['CPU interface', 0x2000],
  ['virtual interface control', 0x1000],
  ['virtual CPU interface', 0x2000],
] as const;

export const planGicv2: DevicePlanner = (context) => {
  const { board, node } = context;
  const regions = namedRegions(context, REGIONS);
  const parameters = requiredParameters(context, 'tracewright,gicv2-parameters');
  const spis =
    board.reading(() => parameters.u32('spis')) ??
    board.fail('missing property', parameters, 'the property spis is missing');
  const optional = (property: string) => board.reading(() => parameters.u32(property));
  const [listRegisters, priorityBits] = [optional('list-registers'), optional('priority-bits')];
  const name = `gic@${(regions[0]?.address ?? 0).toString(16)}`;
  return {
    node,
    role: 'interrupt controller',
    regions,
    build: (building) => {
      const { bus, observer, latency, cpus, wiring, blocks } = building;
      const options: Gicv2Options = {
        name,
        cpus,
        spis,
        ...(listRegisters === undefined ? {} : { listRegisters }),
        ...(priorityBits === undefined ? {} : { priorityBits }),
        observer,
        latency,
      };
      const gic = board.making(parameters, () => new Gicv2(options));
      const devices = [gic.distributor, gic.cpuInterface, gic.hypervisorInterface, gic.virtualCpuInterface] as const;
      for (const [index, region] of regions.entries()) {
        bus.add(region.name, pa(region.address), region.size, devices[index] as (typeof devices)[number]);
      }
      offerInterfaces(context, building, gic.interfaces);
      wiring.controllers.set(node, gic);
      blocks.set(node.path, gic);
    },
  };
};
