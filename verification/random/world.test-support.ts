/**
 * A bench with a model beside it, in plain data: which domains there are, which pages they have, who owns which device. After
 * each step the machine is held against it. Hypercalls are asked for what they return; what Xen believes, never.
 */
import { hardwareDomainPage } from '../arranging.js';
import { IDENTIFICATION, registersOf } from '../device-registers.js';
import { GUEST_RAM, isPlatformDevice, type PlatformRole, type Role } from '../devices.js';
import { FRAME } from '../frame-ledger.js';
import type { GuestInterruptController } from '../guest/interrupt-controller.js';
import { nameOf } from '../guest-bench.js';
import { Messages, WITH_MESSAGES } from '../ownership/messages.js';
import type { PassthroughBench } from '../passthrough-bench.js';
import { interruptsOf } from '../platform/driving.js';
import { throwing } from '../standalone.test-support.js';
import { PAGES, type Slot, type Step } from './steps.js';

const EBUSY = -16;
/** Where domains see the registers of the hardware domain that are mapped to them. */
const MAPPED_AT = 0x0b00_0000;

/** A domain as it ought to be. */
interface DomainModel {
  readonly domid: number;
  readonly slot: Slot;
  /** Machine frames by page; undefined: given back. */
  readonly frames: (number | undefined)[];
  registersMapped: boolean;
  readonly controller: GuestInterruptController;
}

/** A device as it ought to be. */
interface DeviceModel {
  readonly role: Role;
  readonly name: string;
  /** Where its registers begin: with the identification of the DMA engine. */
  readonly registers: number;
  readonly lines: readonly { readonly index: number; readonly intid: number; readonly edge: boolean }[];
  owner: DomainModel | undefined;
  /** Its owner was created with it: registers and interrupts of a platform device come with that only. */
  whole: boolean;
  /** Its owner's driver of its messages. */
  messages: Messages | undefined;
}

/** What devices of a board take part, each once. */
function rolesOf({ devices: { kept, platform } }: PassthroughBench): Role[] {
  const { severalStreams, withInterrupt, withoutInterrupt } = platform;
  const all = [kept.first, kept.second, kept.apart, severalStreams, withInterrupt, withoutInterrupt];
  return [...new Map(all.map((role) => [nameOf(role), role])).values()];
}

/** Something is not as the model has it. */
export class Finding extends Error {}

/** The bench and its model. */
export class World {
  readonly #bench: PassthroughBench;
  readonly #domains = new Map<Slot, DomainModel>();
  readonly #devices: readonly DeviceModel[];
  #turn = 0;

  constructor(bench: PassthroughBench) {
    this.#bench = bench;
    this.#devices = rolesOf(bench).map((role) => ({
      role,
      name: nameOf(role),
      registers: registersOf(bench, role).address,
      lines: isPlatformDevice(role) ? interruptsOf(bench, role as PlatformRole) : [],
      owner: undefined,
      whole: false,
      messages: undefined,
    }));
  }

  /** Names of the devices, by number. */
  get names(): readonly string[] {
    return this.#devices.map(({ name }) => name);
  }

  #expect(holds: boolean, otherwise: () => string): void {
    if (!holds) throw new Finding(otherwise());
  }

  /** Does a step, where it can be done at all, then looks at everything. @throws Finding */
  step(step: Step): void {
    this.#turn++;
    this.#do(step);
    this.#look();
  }

  #do(step: Step): void {
    if (step.do === 'interrupt') {
      this.#interrupt(this.#devices[step.device] as DeviceModel);
      return;
    }
    const domain = this.#domains.get(step.slot);
    if (domain === undefined) {
      if (step.do === 'create') this.#create(step);
      return;
    }
    if (step.do === 'destroy') this.#destroy(domain);
    else if (step.do === 'assign') this.#assign(domain, this.#devices[step.device] as DeviceModel);
    else if (step.do === 'deassign') this.#deassign(domain, this.#devices[step.device] as DeviceModel);
    else if (step.do === 'give back') this.#giveBack(domain, step.page);
    else if (step.do !== 'create') this.#mapRegisters(domain, step.do === 'map registers');
  }

  #create({ slot, devices }: Step & { do: 'create' }): void {
    const bench = this.#bench;
    // In the order of the board's: the first PCI device is the first that the guest finds.
    const wanted = this.#devices.filter((_, index) => devices.includes(index));
    const messenger = wanted.find(({ role }) => role === bench.devices.kept.first && !isPlatformDevice(role));
    const memory = messenger === undefined ? PAGES * 4 * FRAME : WITH_MESSAGES;
    const result = bench.create({ memory, passthrough: 'enabled', devices: wanted.map(({ role }) => role) });
    const taken = wanted.find(({ owner }) => owner !== undefined);
    if (taken !== undefined) {
      this.#expect('error' in result && result.error === EBUSY, () => `${slot} is created, but ${taken.name} is taken`);
      return;
    }
    if ('error' in result) throw new Finding(`${slot} is not created: ${result.error}`);
    const { domid } = result;
    const controller = bench.interruptController(domid);
    const domain: DomainModel = { domid, slot, frames: [], registersMapped: false, controller };
    for (let page = 0; page < PAGES; page++) {
      const learnt = bench.learn(domid, GUEST_RAM + page * FRAME);
      if (typeof learnt === 'string') throw new Finding(learnt);
      domain.frames.push(learnt.mfn);
    }
    this.#domains.set(slot, domain);
    for (const device of wanted) {
      device.owner = domain;
      device.whole = true;
    }
    if (messenger !== undefined) messenger.messages = new Messages(bench, domid, messenger.role);
    for (const { intid, edge } of wanted.flatMap(({ lines }) => lines)) controller.enable(intid, { edge });
  }

  #lose(device: DeviceModel): void {
    device.owner = undefined;
    device.whole = false;
    device.messages = undefined;
  }

  #destroy(domain: DomainModel): void {
    this.#expect(this.#bench.destroy(domain.domid) === 0, () => `${domain.slot} is not destroyed`);
    this.#bench.ledger.forget(domain.domid);
    this.#domains.delete(domain.slot);
    for (const device of this.#devices) if (device.owner === domain) this.#lose(device);
  }

  #assign(domain: DomainModel, device: DeviceModel): void {
    const result = this.#bench.assign(domain.domid, device.role);
    if (device.owner !== undefined) {
      this.#expect(result === EBUSY, () => `${device.name} is taken, and assigning it returns ${result}`);
      return;
    }
    this.#expect(result === 0, () => `assigning ${device.name} to ${domain.slot} returns ${result}`);
    device.owner = domain;
    device.whole = false;
  }

  #deassign(domain: DomainModel, device: DeviceModel): void {
    const result = this.#bench.deassign(domain.domid, device.role);
    if (device.owner !== domain) {
      this.#expect(result < 0, () => `${device.name} is not ${domain.slot}'s, and deassigning it returns ${result}`);
      return;
    }
    this.#expect(result === 0, () => `deassigning ${device.name} from ${domain.slot} returns ${result}`);
    this.#lose(device);
  }

  #giveBack(domain: DomainModel, page: number): void {
    const taken = this.#bench.giveBack(domain.domid, GUEST_RAM + page * FRAME);
    const had = domain.frames[page] !== undefined;
    this.#expect(taken === (had ? 1 : 0), () => `${domain.slot} gives page ${page} back, and Xen takes ${taken}`);
    domain.frames[page] = undefined;
    // The frame may be another's from now on.
    this.#bench.ledger.forget(domain.domid);
    for (const [left, mfn] of domain.frames.entries()) {
      if (mfn !== undefined) this.#bench.ledger.enter({ domid: domain.domid, gfn: GUEST_RAM / FRAME + left, mfn });
    }
  }

  #mapRegisters(domain: DomainModel, add: boolean): void {
    const { address, size } = this.#bench.devices.registers.two;
    if (add === domain.registersMapped) return;
    const [gfn, mfn, count] = [MAPPED_AT / FRAME, address / FRAME, size / FRAME];
    const permitted = add ? this.#bench.iomemPermission(domain.domid, mfn, count) : 0;
    const result = permitted || this.#bench.memoryMapping(domain.domid, gfn, mfn, count, add);
    this.#expect(result === 0, () => `mapping of registers for ${domain.slot} returns ${result}`);
    domain.registersMapped = add;
  }

  /** Each interrupt of a device is taken by the domain that was created with it, once, and by no other. */
  #interrupt(device: DeviceModel): void {
    const taker = device.whole ? device.owner : undefined;
    const others = () => [...this.#domains.values()].filter((domain) => domain !== taker);
    for (const { index, intid } of device.lines) {
      this.#bench.setLine(device.role, index, true);
      const taken = taker?.controller.take(0, () => this.#bench.setLine(device.role, index, false)) ?? [];
      this.#bench.setLine(device.role, index, false);
      const right = taker === undefined || (taken.length === 1 && taken[0] === intid);
      this.#expect(
        right,
        () => `${taker?.slot} takes ${taken.join(', ') || 'nothing'} for interrupt ${intid} of ${device.name}`,
      );
      for (const { slot, controller } of others()) {
        const stray = controller.take();
        this.#expect(stray.length === 0, () => `${slot} takes ${stray} for interrupt ${intid} of ${device.name}`);
      }
    }
    if (isPlatformDevice(device.role)) return;
    if (device.messages !== undefined) device.messages.arrive(throwing());
    else this.#bench.signal(device.role, 0);
    this.#bench.rest();
    for (const { slot, controller } of others()) {
      const stray = controller.take();
      this.#expect(stray.length === 0, () => `${slot} takes ${stray} for a message of ${device.name}`);
    }
  }

  /** Every device reaches its owner's pages and nothing else, every domain its own pages and registers. */
  #look(): void {
    for (const domain of this.#domains.values()) this.#lookAtDomain(domain);
    for (const device of this.#devices) this.#lookAtDevice(device);
  }

  #lookAtDomain(domain: DomainModel): void {
    const page = this.#turn % PAGES;
    const reachable = this.#bench.load(domain.domid, GUEST_RAM + page * FRAME) !== undefined;
    this.#expect(
      reachable === (domain.frames[page] !== undefined),
      () => `${domain.slot} ${reachable ? 'has' : 'lacks'} page ${page}`,
    );
    const mapped = this.#bench.load(domain.domid, MAPPED_AT) !== undefined;
    this.#expect(
      mapped === domain.registersMapped,
      () => `${domain.slot} ${mapped ? 'has' : 'lacks'} the mapped registers`,
    );
    for (const { name, role, registers, owner, whole } of this.#devices) {
      const word = this.#bench.load(domain.domid, registers);
      const its = owner === domain && (whole || !isPlatformDevice(role));
      this.#expect(
        word === (its ? IDENTIFICATION : undefined),
        () => `${domain.slot} ${word === undefined ? 'lacks' : 'has'} the registers of ${name}`,
      );
    }
  }

  #lookAtDevice({ role, name, owner }: DeviceModel): void {
    const page = this.#turn % PAGES;
    const address = GUEST_RAM + page * FRAME + FRAME - 8;
    const frame = owner?.frames[page];
    const wanted = frame === undefined ? undefined : frame * FRAME + FRAME - 8;
    for (const stream of role.streams.keys()) {
      const options = isPlatformDevice(role) ? { stream } : {};
      const { ok, landed } = this.#bench.dmaWrite(role, address, options);
      const whose = owner === undefined ? "nobody's" : `${owner.slot}'s`;
      this.#expect(landed === wanted && ok === (wanted !== undefined), () => {
        const where = landed === undefined ? 'nowhere' : `in frame 0x${Math.floor(landed / FRAME).toString(16)}`;
        return `${name} is ${whose}, and its write to page ${page} arrives ${where}${ok === (landed !== undefined) ? '' : ', as it is not told'}`;
      });
      const foreign = [...this.#domains.values()].find((domain) => domain !== owner)?.frames[0];
      const elsewhere = [hardwareDomainPage(this.#bench), ...(foreign === undefined ? [] : [foreign * FRAME])];
      for (const machine of elsewhere) {
        const stray = this.#bench.dmaWrite(role, machine, options);
        this.#expect(
          !stray.ok && stray.landed === undefined,
          () => `${name} reaches the machine address 0x${machine.toString(16)}`,
        );
      }
    }
  }
}
