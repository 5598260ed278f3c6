/** What tests of platform devices share: the board with its device tree changed, names in guest memory, Xen's state. */
import { readFileSync } from 'node:fs';
import { type Board, loadBoard } from '../../board/board.js';
import { decodeFdt, encodeFdt } from '../../firmware/fdt.js';
import type { DeviceTree } from '../../firmware/tree.js';
import { pa } from '../../hw/address.js';
import type { DmaResult, Machine, MmioPort } from '../../hw/machine.js';
import { createXen } from '../create.js';
import { type XenSteps, xenSteps } from '../steps.js';
import type { Domain, DtDevice, Xen } from '../xen.js';
import { type Booted, domctl, hardwareScratch, machineAddress } from '../xen.test-support.js';

const text = readFileSync(new URL('../../../../fixtures/boards/arm64-smmuv3.dts', import.meta.url), 'utf8');

/** The board with its text changed. Throws if a change changes nothing. */
export function changedBoard(...changes: readonly (readonly [from: string, to: string])[]): Board {
  let changed = text;
  for (const [from, to] of changes) {
    if (!changed.includes(from)) throw new Error(`the board has no ${from}`);
    changed = changed.replaceAll(from, to);
  }
  return loadBoard(changed, 'changed.dts');
}

/**
 * Xen on a board, with its state. `change` is what becomes of the blob that firmware has left, behind the board's back;
 * `mmio` what stands before its registers.
 */
export function bootInside(
  on: Board,
  change: (tree: DeviceTree) => void = () => {},
  steps: XenSteps = xenSteps(),
  mmio: (inner: MmioPort) => MmioPort = (inner) => inner,
): Booted & { readonly state: Xen } {
  const problems: Booted['problems'] = [];
  const powered = on.power({ problem: (problem) => problems.push(problem) });
  const { fdt } = powered.firmware;
  if (fdt === undefined) throw new Error('the board has no device tree');
  const tree = decodeFdt(powered.memory.peek(fdt.address, fdt.size));
  change(tree);
  const blob = encodeFdt(tree);
  powered.memory.poke(fdt.address, blob);
  const firmware = { fdt: { address: fdt.address, size: blob.length } };
  const registers = mmio(powered.mmio);
  const machine = new Proxy(powered, {
    get: (target, name) => {
      if (name === 'firmware') return firmware;
      if (name === 'mmio') return registers;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  }) as Machine;
  let state: Xen | undefined;
  const start: typeof steps.boot.start = (xen) => {
    state = xen;
    steps.boot.start(xen);
  };
  const xen = createXen({ ...steps, boot: { ...steps.boot, start } });
  xen.boot(machine);
  return { machine, xen, problems, operations: () => 0, state: state as unknown as Xen };
}

/** A platform device by the path of its node. Throws if Xen does not know it. */
export function deviceAt(state: Xen, path: string): DtDevice {
  const device = state.dtDevices.get(path);
  if (device === undefined) throw new Error(`Xen knows no ${path}`);
  return device;
}

/** A domain. Throws if there is none. */
export function domainOf(state: Xen, domid: number): Domain {
  const domain = state.domains.get(domid);
  if (domain === undefined) throw new Error(`there is no d${domid}`);
  return domain;
}

/** DMA of a platform device on one of its streams: 4 bytes. */
export function dmaOf(machine: Machine, path: string, address: number, write: boolean, stream = 0): DmaResult {
  const where = { hi: Math.floor(address / 2 ** 32), lo: address >>> 0, stream };
  return machine.endpoints.dma(
    path,
    write ? { write, ...where, data: Uint8Array.of(1, 2, 3, 4) } : { write, ...where, length: 4 },
  );
}

/** DOMCTL 37, 45 or 47 for a platform device: dev 1 (DT), flags, size, pointer to the path, in the hardware domain's RAM. */
export function dtAssignment(
  booted: Booted,
  command: 37 | 45 | 47,
  domid: number,
  path: string,
  flags = 0,
  size = path.length,
): number {
  const pointer = hardwareScratch(booted.xen) + 0x1000;
  const bytes = new TextEncoder().encode(path);
  if (bytes.length > 0) booted.machine.memory.poke(pa(machineAddress(booted.xen, 0, pointer)), bytes);
  return domctl(booted, command, domid, [1, flags, size, 0, pointer >>> 0, Math.floor(pointer / 2 ** 32)]);
}
