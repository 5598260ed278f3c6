/**
 * A guest's driver of this project's DMA devices, which knows of the device what the guest's device tree says, and of its
 * registers what `src/hw/dma-engine-layout.ts` documents. Offsets are restated by hand.
 */
import type { Expect } from '../../src/check/index.js';
import type { DeviceNode, DeviceTree } from '../../src/firmware/tree.js';
import { hex } from '../../src/hw/address.js';
import { IDENTIFICATION } from '../device-registers.js';
import type { PlatformRole } from '../devices.js';
import type { GuestInterruptController } from '../guest/interrupt-controller.js';
import type { PassthroughBench } from '../passthrough-bench.js';

const REGISTER = {
  BUFFER_OFFSET: 0x04,
  DESTINATION: 0x18,
  LENGTH: 0x20,
  COMMAND: 0x2c,
  STATUS: 0x30,
  INTERRUPT_ENABLE: 0x34,
  INTERRUPT_STATUS: 0x38,
  STREAM: 0x3c,
} as const;
/** DONE of STATUS and of the interrupt registers. */
const DONE = 2;
/** STORE: buffer to memory. */
const STORE = 2;
const FIRST_SPI = 32;

/** Where a guest's CPUs see the regions of a node. */
export function regionsSeen(node: DeviceNode): { readonly address: number; readonly size: number }[] {
  return node.reg().map(({ address, size }) => ({ address: node.translate(address) ?? address, size }));
}

/** The node that the interrupts of a node are of, by the nearest `interrupt-parent` (Devicetree Specification 2.4.1). */
export function interruptParent(tree: DeviceTree, node: DeviceNode): DeviceNode | undefined {
  for (let at: DeviceNode | undefined = node; at !== undefined; at = at.parent) {
    const phandle = at.u32('interrupt-parent');
    if (phandle !== undefined) return tree.byPhandle(phandle);
  }
  return undefined;
}

/** The INTIDs of a node's interrupts: SPIs of a GIC, of three cells each. */
function intids(node: DeviceNode): number[] {
  const cells = node.cells('interrupts') ?? [];
  return Array.from({ length: cells.length / 3 }, (_, index) => FIRST_SPI + (cells[index * 3 + 1] ?? 0));
}

/**
 * A guest must find a device in its tree by its model, and use it as the tree says: all regions, DMA into its own memory on
 * every stream, each interrupt.
 * @param destination guest address of memory that it lets the device write to
 */
export function drives(
  expect: Expect,
  bench: PassthroughBench,
  domid: number,
  device: PlatformRole,
  model: string,
  destination: number,
): void {
  const tree = bench.guestTree(domid);
  const node = tree.compatible(model)[0];
  if (node === undefined) expect.fail(`the tree of d${domid} has a ${model}`);
  const [first, ...others] = regionsSeen(node);
  if (first === undefined) expect.fail(`the ${model} of d${domid} has registers`);
  const cpu = bench.guest(domid);
  for (const { address, size } of others) {
    const value = bench.ledger.pattern();
    expect.ok(cpu.store(address + size - 4, value), `d${domid} stores to the registers at ${hex(address)}`);
    expect.equal(
      cpu.load(address + size - 4),
      value,
      `d${domid} loads from the registers at ${hex(address)} what it stored`,
    );
  }
  const controller = bench.interruptController(domid);
  const parent = interruptParent(tree, node);
  expect.ok(
    parent?.has('interrupt-controller') === true && parent.reg().length > 1,
    'its interrupts are of the controller',
  );
  const { address: base } = first;
  expect.equal(cpu.load(base), IDENTIFICATION, `d${domid} finds the device at ${hex(base)}`);
  const buffer = base + (cpu.load(base + REGISTER.BUFFER_OFFSET) ?? 0);
  const [done] = intids(node);
  if (done !== undefined) controller.enable(done);
  for (const stream of device.streams.keys()) {
    const value = bench.ledger.pattern();
    const settings = [
      [buffer, value],
      [base + REGISTER.DESTINATION, destination + stream * 4],
      [base + REGISTER.LENGTH, 4],
      [base + REGISTER.STREAM, stream],
      [base + REGISTER.INTERRUPT_ENABLE, done === undefined ? 0 : DONE],
      [base + REGISTER.COMMAND, STORE],
    ] as const;
    for (const [address, setting] of settings) cpu.store(address, setting);
    bench.machine.settle();
    expect.equal(cpu.load(base + REGISTER.STATUS), DONE, `the command on stream ${stream} is done without error`);
    cpu.store(base + REGISTER.STATUS, DONE);
    expect.equal(cpu.load(destination + stream * 4), value, `d${domid} finds in its memory what the device wrote`);
    const clear = () => void cpu.store(base + REGISTER.INTERRUPT_STATUS, DONE);
    if (done === undefined) clear();
    else expect.deepEqual(controller.take(0, clear), [done], `d${domid} is told of it by interrupt ${done}`);
  }
  for (const [index, intid] of intids(node).entries()) takesLine(expect, bench, device, controller, index, intid);
}

function takesLine(
  expect: Expect,
  bench: PassthroughBench,
  device: PlatformRole,
  controller: GuestInterruptController,
  index: number,
  intid: number,
): void {
  controller.enable(intid);
  bench.setLine(device, index, true);
  const taken = controller.take(0, () => bench.setLine(device, index, false));
  expect.deepEqual(taken, [intid], `interrupt ${intid} of the tree is interrupt ${index} of the device`);
  controller.disable(intid);
}
