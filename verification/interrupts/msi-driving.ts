/** Steps of the checks of messages: guests that take them, and everybody's interrupts at once. */
import type { Expect } from '../../src/check/index.js';
import { created } from '../arranging.js';
import { type DeviceName, type PciRole, pciDevicesOf } from '../devices.js';
import { MESSAGE_GUEST_MEMORY, MessageGuest } from '../guest/message-guest.js';
import { nameOf } from '../guest-bench.js';
import type { PassthroughBench } from '../passthrough-bench.js';

/** vCPUs of the guests of these checks. */
export const VCPUS = 2;
const HARDWARE_DOMAIN = 0;

/** Devices that send messages: each board has them in these roles. */
export interface MessageDevices {
  /** One message, by MSI. */
  readonly one: PciRole;
  /** Eight, by MSI with masks. */
  readonly several: PciRole;
  /** Four, by MSI-X, in segment 1. */
  readonly msix: PciRole;
  /** Four, by MSI, at the bus, device and function of {@link msix} in segment 0; the hardware domain's. */
  readonly hardwareDomains: PciRole;
}

/** The devices of a board. */
export function messageDevices(bench: PassthroughBench): MessageDevices {
  const { kept, hardwareDomains } = pciDevicesOf(bench);
  return { one: kept.first, several: kept.second, msix: kept.apart, hardwareDomains: hardwareDomains.first };
}

/** A guest of two vCPUs with these devices, its drivers brought up. */
export function guestWith(expect: Expect, bench: PassthroughBench, ...devices: readonly DeviceName[]): MessageGuest {
  const domid = created(expect, bench.create({ memory: MESSAGE_GUEST_MEMORY, vcpus: VCPUS, devices }));
  return new MessageGuest(bench, domid, VCPUS);
}

/** The drivers of the hardware domain, which runs on its first vCPU. */
export function hardwareDomain(bench: PassthroughBench): MessageGuest {
  const room = Math.ceil(bench.ramOf(HARDWARE_DOMAIN).address / 0x10_0000 + 1) * 0x10_0000;
  return new MessageGuest(bench, HARDWARE_DOMAIN, 1, room);
}

/** Lets all that is on its way arrive: what one CPU tells another as well. */
export function arrived(bench: PassthroughBench): void {
  bench.rest();
  bench.rest();
}

/** What the vCPUs of a guest take, vCPU by vCPU, when everything has arrived. */
export function taken(
  bench: PassthroughBench,
  { controller, domid }: MessageGuest,
): readonly (readonly (number | undefined)[])[] {
  arrived(bench);
  return Array.from({ length: domid === HARDWARE_DOMAIN ? 1 : VCPUS }, (_, vcpu) => controller.take(vcpu));
}

/** As {@link taken}, each vCPU's in the order of their numbers: what comes together comes in any order. */
export function takenTogether(bench: PassthroughBench, guest: MessageGuest): ReturnType<typeof taken> {
  return taken(bench, guest).map((each) => each.toSorted((a = 0, b = 0) => a - b));
}

/** No guest of these may be interrupted. */
export function takesNothing(
  expect: Expect,
  bench: PassthroughBench,
  why: string,
  ...guests: readonly MessageGuest[]
): void {
  for (const guest of guests) {
    expect.deepEqual(taken(bench, guest).flat(), [], `d${guest.domid} is not interrupted: ${why}`);
  }
}

/** A device sends message `vector`: its guest must take the LPI once, at that vCPU, and nothing else. */
export function takesMessage(
  expect: Expect,
  bench: PassthroughBench,
  guest: MessageGuest,
  device: PciRole,
  [vector, lpi, vcpu = 0]: readonly [vector: number, lpi: number, vcpu?: number],
): void {
  const name = `message ${vector} of ${nameOf(device)}`;
  expect.equal(bench.signal(device, vector), 'sent', `${name} is sent`);
  const found = taken(bench, guest);
  const wanted = found.map((_, at) => (at === vcpu ? [lpi] : []));
  expect.deepEqual(found, wanted, `${name} is LPI ${lpi} of d${guest.domid}, at vCPU ${vcpu} and once`);
}

/** A device writes `data` at an address, as a message of its own making. Returns whether that went through. */
export function writes(bench: PassthroughBench, device: DeviceName, address: number, data: number): boolean {
  const result = bench.dmaStart(device, address, data);
  bench.rest();
  return result()?.ok === true;
}

/** Runs every vCPU of the hardware domain until each CPU has one of them: no guest runs. */
export function occupyCpus(bench: PassthroughBench): void {
  const { count } = bench.machine.cpus;
  for (let round = 0; round < 3; round++)
    for (let vcpu = 0; vcpu < count; vcpu++) bench.guest(HARDWARE_DOMAIN, vcpu).cpu;
}
