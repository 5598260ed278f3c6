/** A guest's messages: its drivers of PCI and of the translation service together, for one device of one vector. */
import type { Expect } from '../../src/check/index.js';
import { MIB } from '../arranging.js';
import { GUEST_RAM, type Role } from '../devices.js';
import type { GuestInterruptController } from '../guest/interrupt-controller.js';
import { GuestPci } from '../guest/pci.js';
import { GuestTranslationService } from '../guest/translation-service.js';
import { nameOf } from '../guest-bench.js';
import type { PassthroughBench } from '../passthrough-bench.js';

const LPI = 8192;

/** RAM of a domain that has messages: the upper MiB is its drivers'. */
export const WITH_MESSAGES = 2 * MIB;

/** A domain's first PCI device, with its MSI set up. */
export class Messages {
  readonly #bench: PassthroughBench;
  readonly #domid: number;
  readonly #device: Role;
  readonly #controller: GuestInterruptController;

  /** @param device the domain's first PCI device, which has MSI */
  constructor(bench: PassthroughBench, domid: number, device: Role) {
    this.#bench = bench;
    this.#domid = domid;
    this.#device = device;
    const tree = bench.guestTree(domid);
    const cpu = bench.guest(domid);
    this.#controller = bench.interruptController(domid);
    const service = new GuestTranslationService(tree, cpu, this.#controller, GUEST_RAM + MIB);
    const pci = new GuestPci(tree, cpu);
    const [found] = pci.scan();
    if (found === undefined) throw new Error(`d${domid} finds no PCI device`);
    pci.enable(found.requester);
    const deviceId = pci.deviceId(found.requester) ?? 0;
    service.mapDevice(deviceId, 1);
    service.mapEvent(deviceId, 0, LPI);
    service.configure(deviceId, 0, LPI, true);
    service.sync();
    pci.enableMsi(found.requester, { address: service.doorbell, data: 0 });
    bench.rest();
  }

  /** The interrupts that the domain has taken since it was last asked. */
  take(): number[] {
    this.#bench.rest();
    return this.#controller.take();
  }

  /** The device sends its message, and the domain must take it once. */
  arrive(expect: Expect): void {
    expect.deepEqual(this.take(), [], `nothing of ${nameOf(this.#device)} is left over for d${this.#domid}`);
    expect.equal(this.#bench.signal(this.#device, 0), 'sent', `${nameOf(this.#device)} sends its message`);
    expect.deepEqual(this.take(), [LPI], `d${this.#domid} takes the interrupt of ${nameOf(this.#device)} once`);
  }
}
