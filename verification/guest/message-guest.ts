/**
 * A guest that takes messages of PCI devices: the drivers of its interrupt controller, of its translation service and of PCI,
 * brought up in its own memory.
 */
import type { Sbdf } from '../../src/hw/machine.js';
import { barAddress } from '../device-registers.js';
import { nameOf } from '../guest-bench.js';
import type { PassthroughBench } from '../passthrough-bench.js';
import type { GuestInterruptController } from './interrupt-controller.js';
import { GuestPci } from './pci.js';
import { GuestTranslationService } from './translation-service.js';

/** The drivers' tables: so far from the beginning of the guest's memory, and so long. In bytes. */
const ROOM = 0x10_0000;
/** Memory of a guest that has room for the drivers, in bytes. */
export const MESSAGE_GUEST_MEMORY = 2 * ROOM;
/** The first LPI (Arm IHI 0069 2.2.1). */
export const FIRST_LPI = 8192;

/** How a device's messages shall be. */
export interface MessageSetting {
  /** Messages that are mapped and enabled, a power of two; 1 if absent. */
  readonly vectors?: number;
  /** The LPI of the first; the next that the driver has not used if absent. */
  readonly lpi?: number;
  readonly vcpu?: number;
  /** MSI-X if the device has it, and else MSI, if absent. */
  readonly kind?: 'msi' | 'msi-x';
}

/** A device whose messages a guest has enabled. */
export interface MessageDevice {
  /** Where the guest sees it: bus 15:8, device 7:3, function 2:0. */
  readonly requester: number;
  /** What the guest's translation service knows it by. */
  readonly deviceId: number;
  readonly kind: 'msi' | 'msi-x';
  /** The LPIs of its messages, by vector. */
  readonly lpis: readonly number[];
}

/** The guest. */
export class MessageGuest {
  readonly domid: number;
  readonly controller: GuestInterruptController;
  readonly service: GuestTranslationService;
  readonly pci: GuestPci;
  readonly #bench: PassthroughBench;
  #nextLpi = FIRST_LPI;

  /** Brings the drivers up. @throws Error if the guest's tree does not describe what they drive */
  constructor(bench: PassthroughBench, domid: number, vcpus = 1, room = bench.ramOf(domid).address + ROOM) {
    const tree = bench.guestTree(domid);
    const cpu = bench.guest(domid);
    this.#bench = bench;
    this.domid = domid;
    this.controller = bench.interruptController(domid, vcpus);
    this.service = new GuestTranslationService(tree, cpu, this.controller, room, vcpus);
    this.pci = new GuestPci(tree, cpu);
  }

  /** Where the guest sees a device of its own, told by the place of its first base address register. Undefined: nowhere. */
  find(device: Sbdf): number | undefined {
    const place = barAddress(this.#bench, device, 0);
    return this.pci.scan().find(({ requester }) => this.pci.bar(requester, 0) === place)?.requester;
  }

  /**
   * Maps messages of a device to LPIs, message 0 to event 0, enables them there and at the device.
   * @throws Error if the guest does not see the device, or has no DeviceID for it
   */
  enableMessages(device: Sbdf, { vectors = 1, lpi, vcpu = 0, kind }: MessageSetting = {}): MessageDevice {
    const requester = this.find(device);
    if (requester === undefined) throw new Error(`d${this.domid} does not see ${nameOf(device)}`);
    const deviceId = this.pci.deviceId(requester);
    if (deviceId === undefined) throw new Error(`d${this.domid} has no DeviceID for ${nameOf(device)}`);
    const first = lpi ?? this.#nextLpi;
    this.#nextLpi = Math.max(this.#nextLpi, first + vectors);
    const lpis = Array.from({ length: vectors }, (_, vector) => first + vector);
    this.service.mapDevice(deviceId, Math.max(1, Math.ceil(Math.log2(vectors))));
    for (const [event, intid] of lpis.entries()) {
      this.service.mapEvent(deviceId, event, intid, vcpu);
      this.service.configure(deviceId, event, intid, true);
    }
    this.service.sync(vcpu);
    this.pci.enable(requester);
    const { entries, table } = this.pci.msix(requester);
    const chosen = kind ?? (entries > 0 ? 'msi-x' : 'msi');
    if (chosen === 'msi') {
      this.pci.enableMsi(requester, { address: this.service.doorbell, data: 0 }, Math.log2(vectors));
    } else {
      for (const event of lpis.keys()) this.pci.setEntry(table, event, { address: this.service.doorbell, data: event });
      this.pci.enableMsix(requester);
    }
    return { requester, deviceId, kind: chosen, lpis };
  }

  /** Lets everything arrive, and takes what interrupts a vCPU: the INTIDs, in order. */
  take(vcpu = 0): number[] {
    this.#bench.rest();
    return this.controller.take(vcpu);
  }
}
