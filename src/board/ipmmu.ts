/**
 * IPMMU-VMSA (Linux Documentation/devicetree/bindings/iommu/renesas,ipmmu-vmsa.yaml), by the models of
 * `../hw/iommu/ipmmu/layout.ts`. A node with `renesas,ipmmu-main` is a cache of the instance that this names; one without is
 * a main instance, whose first interrupt tells of faults; its second, of the secure world, is never asserted. The streams of an
 * instance are its micro-TLBs.
 */

import type { DeviceNode } from '../firmware/tree.js';
import { pa } from '../hw/address.js';
import { Ipmmu } from '../hw/iommu/ipmmu/ipmmu.js';
import { COMPATIBLE, GENERATION, type Generation, MAIN_PROPERTY } from '../hw/iommu/ipmmu/layout.js';
import { type DevicePlanner, namedRegions, type PlanningContext } from './device-plan.js';
import { readInterrupts } from './interrupts.js';

/** How many caches a main instance tells apart: bits of its IMSSTR. */
const CACHES = 32;

export const planIpmmu: DevicePlanner = (context) => {
  const { board, node } = context;
  const models = board.reading(() => node.strings('compatible')) ?? [];
  const model = models.find((name) => Object.hasOwn(COMPATIBLE, name)) as string;
  const generation = COMPATIBLE[model] as Generation;
  const [region] = namedRegions(context, [['registers', GENERATION[generation].bytes]]);
  if (region === undefined) return board.fail('missing property', node, 'the property reg is missing');
  const mainNode = readMain(context);
  checkStreams(context, generation);
  const [interrupt] = mainNode === undefined ? readInterrupts(board, node) : [];
  const { name } = node;
  return {
    node,
    role: mainNode === undefined ? 'IOMMU' : 'IOMMU cache',
    regions: [{ ...region, name }],
    build: ({ bus, observer, latency, iommus, blocks, wiring }) => {
      const main = mainNode && iommus.get(mainNode);
      if (mainNode !== undefined && !(main instanceof Ipmmu)) {
        board.fail('missing node', node, `${MAIN_PROPERTY}: ${mainNode.path} is no main instance`, MAIN_PROPERTY);
      }
      const options = {
        name,
        generation,
        bus,
        observer,
        latency,
        ...(main instanceof Ipmmu ? { main } : {}),
        ...(interrupt === undefined ? {} : { line: wiring.driver(board, node, interrupt) }),
      };
      const ipmmu = board.making(node, () => new Ipmmu(options));
      bus.add(name, pa(region.address), region.size, ipmmu);
      iommus.set(node, ipmmu);
      blocks.set(node.path, ipmmu);
    },
  };
};

/** The main instance of a cache: a phandle, and the number that the cache has there. */
function readMain({ board, node }: PlanningContext): DeviceNode | undefined {
  if (!node.has(MAIN_PROPERTY)) return undefined;
  const cells = board.reading(() => node.cells(MAIN_PROPERTY)) ?? [];
  if (cells.length !== 1 && cells.length !== 2) {
    board.fail(
      'bad property',
      node,
      `${MAIN_PROPERTY}: ${cells.length} cells, not a phandle and a number`,
      MAIN_PROPERTY,
    );
  }
  const [phandle = 0, number = 0] = cells;
  if (number >= CACHES) {
    board.fail('bad property', node, `${MAIN_PROPERTY}: a main instance has no cache ${number}`, MAIN_PROPERTY);
  }
  const main = board.source.tree.byPhandle(phandle);
  return (
    main ?? board.fail('missing node', node, `${MAIN_PROPERTY}: no node has the phandle ${phandle}`, MAIN_PROPERTY)
  );
}

/** Refuses devices at micro-TLBs that the instance does not have. */
function checkStreams({ board, node }: PlanningContext, generation: Generation): void {
  const { microTlbs } = GENERATION[generation];
  for (const device of board.source.tree.root.walk()) {
    if (!device.has('iommus')) continue;
    const specifiers = board.reading(() => board.source.tree.specifiers(device, 'iommus', '#iommu-cells'));
    for (const { node: iommu, cells } of specifiers) {
      const [microTlb] = cells;
      if (iommu !== node || microTlb === undefined || microTlb < microTlbs) continue;
      board.fail('bad property', device, `iommus: ${node.path} has no micro-TLB ${microTlb}`, 'iommus');
    }
  }
}
