/** What tests of interrupt translation share: the board booted with the model's state in reach, guests with their drivers. */
import { readFileSync } from 'node:fs';
import { GuestCpu } from '../../../verification/guest/guest-cpu.js';
import { GuestInterruptController } from '../../../verification/guest/interrupt-controller.js';
import { GuestTranslationService } from '../../../verification/guest/translation-service.js';
import { type Board, loadBoard } from '../../board/board.js';
import { decodeFdt } from '../../firmware/fdt.js';
import { pa } from '../../hw/address.js';
import { type XenSteps, xenSteps } from '../steps.js';
import type { Domain, PciDevice, Xen } from '../xen.js';
import { at, type Booted, boardOfFile, boot, createGuest, dma, machineAddress } from '../xen.test-support.js';

/** The board with two SMMUs, which send messages, and with conventional PCI; with these functions kept for guests. */
export function dualBoard(hidden: readonly string[] = []): Board {
  const name = 'arm64-smmuv3-dual.dts';
  const text = readFileSync(new URL(`../../../../fixtures/boards/${name}`, import.meta.url), 'utf8');
  const hide = hidden.map((sbdf) => `(${sbdf})`).join('');
  return loadBoard(text.replace(/xen-pciback\.hide=[^ "]*/, `xen-pciback.hide=${hide}`), name);
}

/** A device with eight messages that the administrator keeps for passthrough. */
export const DEVICE = '0000:05:00.0';
/** Its requester id, which `msi-map` of its bridge maps to itself. */
export const DEVICE_ID = 0x500;
/** Where guests' drivers have their tables: in the RAM that every test's guest has. */
const ROOM = 0x4010_0000;

/** A machine with the model on it, and the model's state. */
export interface Bench extends Booted {
  readonly state: Xen;
}

/** Boots with these steps, of the composition, replaced. */
export function bench(replace: (steps: XenSteps) => Partial<XenSteps> = () => ({}), board: Board = boardOfFile): Bench {
  const standard = xenSteps();
  const steps = { ...standard, ...replace(standard) };
  let state: Xen | undefined;
  const start: XenSteps['boot']['start'] = (xen) => {
    state = xen;
    steps.boot.start(xen);
  };
  const booted = boot({ ...steps, boot: { ...steps.boot, start } }, board);
  if (state === undefined) throw new Error('it did not boot');
  return { ...booted, state };
}

/** A device of the model. */
export function deviceOf({ state }: Bench, name: string): PciDevice {
  const found = state.steps.pci.findDevice(state, at(name));
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}

/** A guest with drivers of its interrupt controller and of its translation service. */
export interface Guest {
  readonly domid: number;
  readonly domain: Domain;
  readonly cpus: readonly GuestCpu[];
  readonly gic: GuestInterruptController;
  readonly its: GuestTranslationService;
}

/** Creates a guest with these devices and two vCPUs, and starts its drivers. */
export function startGuest(booted: Bench, devices: readonly string[] = [DEVICE]): Guest {
  const domid = createGuest(booted.xen, devices, { cpus: [2] });
  return startDrivers(booted, domid, 2, ROOM);
}

/** Starts the drivers of a domain, at a multiple of 64 KiB of its RAM. */
export function startDrivers(booted: Bench, domid: number, vcpus: number, room: number): Guest {
  const { machine, xen, state } = booted;
  const domain = state.domains.get(domid);
  const fdt = xen.deviceTree(domid);
  if (domain === undefined || fdt === undefined) throw new Error(`d${domid} is not there`);
  const bytes = machine.memory.peek(pa(machineAddress(xen, domid, fdt.address)), fdt.size);
  const tree = decodeFdt(bytes);
  const cpus = Array.from({ length: vcpus }, (_, vcpu) => new GuestCpu(machine, xen, domid, vcpu));
  const gic = new GuestInterruptController(tree, cpus).start();
  const first = cpus[0] as GuestCpu;
  return { domid, domain, cpus, gic, its: new GuestTranslationService(tree, first, gic, room, vcpus) };
}

/** Writes a message to a guest's doorbell, as a device with that data would. Returns whether the write was completed. */
export function send({ machine }: Bench, guest: Guest, device: string, event: number): boolean {
  const result = dma(machine, device, guest.its.doorbell, Uint8Array.of(event, event >>> 8, 0, 0)).ok;
  machine.settle();
  return result;
}
