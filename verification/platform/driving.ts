/** Platform devices as the drivers of their domain use them: registers, DMA, interrupts; and as nobody else can. */
import type { Expect } from '../../src/check/index.js';
import { reaches, unreachable } from '../arranging.js';
import { cannotUse, IDENTIFICATION, uses } from '../device-registers.js';
import type { PlatformRole } from '../devices.js';
import type { GuestInterruptController } from '../guest/interrupt-controller.js';
import type { PassthroughBench } from '../passthrough-bench.js';
import { hostPassthroughDevice, hostRegions, type PassthroughDevice } from '../passthrough-tree.js';

/** One of a device's interrupts, as its node in the host's tree has it. */
export interface WiredInterrupt {
  /** Which of the device's, from 0. */
  readonly index: number;
  readonly intid: number;
  readonly edge: boolean;
}

/** A GIC's SPIs begin here (Arm IHI 0069 2.2). */
const FIRST_SPI = 32;
/** Flags of a specifier that mean edges (Linux binding arm,gic). */
const EDGES = 3;

/** The interrupts of a device: three cells each, 0 for an SPI, its number, flags. */
export function interruptsOf(bench: PassthroughBench, device: PlatformRole): WiredInterrupt[] {
  const cells = bench.hostTree.byPath(device.path)?.cells('interrupts') ?? [];
  return Array.from({ length: cells.length / 3 }, (_, index) => {
    const [, number = 0, flags = 0] = cells.slice(index * 3);
    return { index, intid: FIRST_SPI + number, edge: (flags & EDGES) !== 0 };
  });
}

/** A device for a passthrough tree, with its registers where the machine has them; forced if it is behind no IOMMU. */
export function wanted(bench: PassthroughBench, device: PlatformRole): PassthroughDevice {
  return { ...hostPassthroughDevice(bench.hostTree, device.path), force: device.streams.length === 0 };
}

/** The platform devices that are kept for passthrough and that some domain can have, one of each kind. */
export function ofEachKind(bench: PassthroughBench): PlatformRole[] {
  const { severalStreams, withInterrupt, withoutInterrupt, withoutDma, registersOnly } = bench.devices.platform;
  const always = [severalStreams, withInterrupt, withoutInterrupt, withoutDma];
  return registersOnly === undefined ? always : [...always, registersOnly];
}

/** A domain must reach every region of a device, at the addresses that the machine has it at. */
export function hasAllRegisters(expect: Expect, bench: PassthroughBench, domid: number, device: PlatformRole): void {
  const makesRequests = bench.hostTree.byPath(device.path)?.has('tracewright,dma') === true;
  for (const [index, { address, size }] of hostRegions(bench.hostTree, device.path).entries()) {
    const engine = makesRequests && index === 0;
    if (engine) expect.equal(bench.load(domid, address), IDENTIFICATION, `d${domid} finds ${device.path}`);
    for (const offset of [engine ? size / 2 : 0, size - 4]) uses(expect, bench, domid, address + offset);
  }
}

/** A domain must reach no region of a device at the addresses that the machine has it at. */
export function lacksAllRegisters(expect: Expect, bench: PassthroughBench, domid: number, device: PlatformRole): void {
  for (const { address, size } of hostRegions(bench.hostTree, device.path)) {
    const what = `registers of ${device.path}`;
    for (const offset of [0x40, size - 4]) cannotUse(expect, bench, domid, address + offset, what);
  }
}

/** A device's writes on each of its streams must arrive where its domain's own store does. */
export function reachesOnAllStreams(
  expect: Expect,
  bench: PassthroughBench,
  device: PlatformRole,
  domid: number,
  address: number,
): void {
  for (const stream of device.streams.keys()) reaches(expect, bench, device, domid, address, { stream });
}

/** A device must reach an address on none of its streams. */
export function unreachableOnAllStreams(
  expect: Expect,
  bench: PassthroughBench,
  device: PlatformRole,
  address: number,
  what: string,
): void {
  for (const stream of device.streams.keys()) unreachable(expect, bench, device, address, what, { stream });
}

/** A domain must take each interrupt of a device once when the device drives it, as soon as it enables it. */
export function takesInterrupts(
  expect: Expect,
  bench: PassthroughBench,
  domid: number,
  device: PlatformRole,
  controller: GuestInterruptController = bench.interruptController(domid),
): void {
  for (const { index, intid, edge } of interruptsOf(bench, device)) {
    controller.enable(intid, { edge });
    expect.deepEqual(controller.take(), [], `nothing of ${device.path} is left over for d${domid}`);
    bench.setLine(device, index, true);
    const taken = controller.take(0, () => bench.setLine(device, index, false));
    expect.deepEqual(taken, [intid], `d${domid} takes interrupt ${intid} of ${device.path} once`);
    controller.disable(intid);
  }
}

/** A domain must take no interrupt of a device, even if it enables it and the device drives it. */
export function takesNoInterrupts(
  expect: Expect,
  bench: PassthroughBench,
  domid: number,
  device: PlatformRole,
  controller: GuestInterruptController = bench.interruptController(domid),
): void {
  for (const { index, intid, edge } of interruptsOf(bench, device)) {
    controller.enable(intid, { edge });
    bench.setLine(device, index, true);
    expect.deepEqual(controller.take(), [], `d${domid} takes no interrupt ${intid} of ${device.path}`);
    bench.setLine(device, index, false);
    controller.disable(intid);
  }
}
