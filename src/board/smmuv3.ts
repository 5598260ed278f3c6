/**
 * `arm,smmu-v3` (Linux Documentation/devicetree/bindings/iommu/arm,smmu-v3.yaml): `interrupt-names` says which of its outputs
 * each interrupt is, `combined` all of them; `msi-parent` gives the DeviceID of its own messages.
 *
 * Its ID registers are in a node `compatible = "tracewright,smmuv3-parameters"` below `/tracewright` that names it in
 * `device`: `idr0 idr1 idr3 idr5 aidr iidr`.
 */
import { pa } from '../hw/address.js';
import type { Initiator } from '../hw/bus.js';
import type { InterruptLine } from '../hw/interrupt.js';
import { Smmuv3, type Smmuv3Options } from '../hw/iommu/smmuv3/smmuv3.js';
import { type DevicePlanner, type PlanningContext, regionsOf, requiredParameters } from './device-plan.js';
import { type InterruptSpecifier, type InterruptWiring, readInterrupts } from './interrupts.js';

/** The register map: two pages of 64 KiB (Arm IHI 0070 6.1). */
const REGISTER_BYTES = 0x2_0000;

type Output = keyof NonNullable<Smmuv3Options['lines']>;

/** Outputs by their names in `interrupt-names`. */
const OUTPUTS: Readonly<Record<string, readonly Output[]>> = {
  eventq: ['eventq'],
  priq: ['priq'],
  'cmdq-sync': ['cmdqSync'],
  gerror: ['gerror'],
  combined: ['eventq', 'priq', 'cmdqSync', 'gerror'],
};

export const planSmmuv3: DevicePlanner = (context) => {
  const { board, node } = context;
  const [region] = regionsOf(context);
  if (region === undefined || region.size < REGISTER_BYTES) {
    return board.fail('bad property', node, `reg: the registers take 0x${REGISTER_BYTES.toString(16)} bytes`, 'reg');
  }
  const parameters = requiredParameters(context, 'tracewright,smmuv3-parameters');
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
  const outputs = readOutputs(context);
  const from = readInitiator(context);
  return {
    node,
    role: 'IOMMU',
    regions: [{ ...region, name }],
    build: ({ bus, observer, latency, iommus, blocks, wiring }) => {
      const lines = linesOf(context, outputs, wiring);
      const options = { name, idr, bus, observer, latency, lines, ...(from === undefined ? {} : { from }) };
      const smmu = board.making(parameters, () => new Smmuv3(options));
      bus.add(name, pa(region.address), region.size, smmu);
      iommus.set(node, smmu);
      blocks.set(node.path, smmu);
    },
  };
};

interface WiredOutput {
  readonly output: Output;
  readonly interrupt: InterruptSpecifier;
}

/** The interrupts with the outputs that they are. */
function readOutputs({ board, node }: PlanningContext): WiredOutput[] {
  const interrupts = readInterrupts(board, node);
  const names = board.reading(() => node.strings('interrupt-names')) ?? [];
  if (names.length !== interrupts.length) {
    const text = `interrupt-names: ${names.length} names for ${interrupts.length} interrupts`;
    board.fail('bad property', node, text, 'interrupt-names');
  }
  return interrupts.flatMap((interrupt, index) => {
    const name = names[index] as string;
    if (!Object.hasOwn(OUTPUTS, name)) {
      board.fail('bad property', node, `interrupt-names: an SMMU has no interrupt ${name}`, 'interrupt-names');
    }
    return (OUTPUTS[name] as readonly Output[]).map((output) => ({ output, interrupt }));
  });
}

function linesOf(
  { board, node }: PlanningContext,
  outputs: readonly WiredOutput[],
  wiring: InterruptWiring,
): NonNullable<Smmuv3Options['lines']> {
  const lines: Partial<Record<Output, InterruptLine>> = {};
  for (const { output, interrupt } of outputs) lines[output] = wiring.driver(board, node, interrupt);
  return lines;
}

/** Who makes the SMMU's own messages: the one cell that follows the phandle in `msi-parent`. */
function readInitiator({ board, node }: PlanningContext): Initiator | undefined {
  const [parent] = board.reading(() => board.source.tree.specifiers(node, 'msi-parent', '#msi-cells'));
  if (parent === undefined) return undefined;
  if (parent.cells.length !== 1) {
    board.fail('bad property', node, `msi-parent: ${parent.node.path} does not have #msi-cells = <1>`, 'msi-parent');
  }
  return { deviceId: parent.cells[0] as number };
}
