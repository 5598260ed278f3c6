/**
 * `arm,gic-v3` (Linux Documentation/devicetree/bindings/interrupt-controller/arm,gic-v3.yaml): `reg` holds the distributor,
 * then the redistributors of all CPUs one behind the other. An ITS is a child node.
 *
 * What the model is to be is in a node `compatible = "tracewright,gicv3-parameters"` below `/tracewright` that names the
 * controller in `device`: `spis`; `id-bits`, `list-registers` and `priority-bits` if not those that the model has by itself;
 * `direct-lpi`.
 */
import { pa } from '../hw/address.js';
import { Gicv3 } from '../hw/gic/gicv3/gicv3.js';
import { type DevicePlanner, namedRegions, offerInterfaces, requiredParameters } from './device-plan.js';

/** Bytes of the distributor, and of one redistributor without virtual LPIs (Arm IHI 0069, 12.8, 12.10). */
const DISTRIBUTOR_BYTES = 0x1_0000;
const REDISTRIBUTOR_BYTES = 0x2_0000;

/** Width of an INTID that the model has if nothing else is said. */
const ID_BITS = 16;

export const planGicv3: DevicePlanner = (context) => {
  const { board, node } = context;
  const regions = namedRegions(context, [
    ['distributor', DISTRIBUTOR_BYTES],
    ['redistributors', REDISTRIBUTOR_BYTES],
  ]);
  const [distributor, redistributors] = regions;
  if (distributor === undefined || redistributors === undefined) {
    return board.fail('missing property', node, 'the property reg is missing');
  }
  const parameters = requiredParameters(context, 'tracewright,gicv3-parameters');
  const optional = (property: string) => board.reading(() => parameters.u32(property));
  const spis = optional('spis') ?? board.fail('missing property', parameters, 'the property spis is missing');
  const idBits = board.u32(parameters, 'id-bits', ID_BITS);
  const [listRegisters, priorityBits] = [optional('list-registers'), optional('priority-bits')];
  const name = `gic@${distributor.address.toString(16)}`;
  return {
    node,
    role: 'interrupt controller',
    hasDevicesBelow: true,
    regions,
    build: (building) => {
      const { bus, observer, latency, cpus, wiring, blocks, lpiTargets } = building;
      if (redistributors.size < cpus * REDISTRIBUTOR_BYTES) {
        board.fail('bad property', node, `reg: no room for the redistributors of ${cpus} CPUs`, 'reg');
      }
      const options = {
        name,
        cpus,
        spis,
        directLpi: parameters.has('direct-lpi'),
        idBits,
        ...(listRegisters === undefined ? {} : { listRegisters }),
        ...(priorityBits === undefined ? {} : { priorityBits }),
        redistributorBase: redistributors.address,
        bus,
        observer,
        latency,
      };
      const gic = board.making(parameters, () => new Gicv3(options));
      bus.add(distributor.name, pa(distributor.address), distributor.size, gic.distributor);
      bus.add(redistributors.name, pa(redistributors.address), redistributors.size, gic.redistributors);
      offerInterfaces(context, building, gic.interfaces);
      wiring.controllers.set(node, gic);
      lpiTargets.set(node, { targets: gic.lpiTargets, intidBits: idBits });
      blocks.set(node.path, gic);
    },
  };
};
