/** What tests of domains from device trees share: boards, configurations and passthrough trees as text. */
import { readFileSync } from 'node:fs';
import { type Board, loadBoard } from '../../board/board.js';
import { readDts } from '../../firmware/dts.js';
import { decodeFdt, encodeFdt } from '../../firmware/fdt.js';
import type { DeviceTree } from '../../firmware/tree.js';
import { pa } from '../../hw/address.js';
import type { Machine } from '../../hw/machine.js';
import { createXen } from '../create.js';
import type { CreateResult, Hypervisor } from '../hypervisor.js';
import { type XenSteps, xenSteps } from '../steps.js';
import type { Domain, DtDevice, Xen } from '../xen.js';

const text = readFileSync(new URL('../../../../fixtures/boards/arm64-smmuv3.dts', import.meta.url), 'utf8');

/** The blob of a tree in text, without its version line. */
export const blobOf = (dts: string): Uint8Array => encodeFdt(readDts(`/dts-v1/;\n${dts}`, 'test.dts').tree);

/** Where modules lie: RAM of the board. */
export const MODULE = 0x6000_0000;

/** Registers on the board, not reserved: of 3 pages; of 1 and of 2 pages. */
export const THREE = { path: '/soc@a000000/registers@0', address: 0x0a00_0000 } as const;
export const TWO = { path: '/soc@a000000/registers@4000', address: 0x0a00_4000, second: 0x0a00_8000 } as const;

/** The board, and the device tree that firmware hands over on it. */
export interface Firmware {
  readonly board: Board;
  readonly blob: Uint8Array;
}

const plain = loadBoard(text, 'arm64-smmuv3.dts');

/** The board as it is, with another device tree: nodes in `/chosen`, aliases, and properties of the two devices. */
export function chosenBoard(chosen: string, more: { three?: string; two?: string; aliases?: string } = {}): Firmware {
  const dts = text
    .replace(/(chosen \{[^}]*)\}/, (_all, properties: string) => `${properties}${chosen}}`)
    .replace('registers@0 {', `registers@0 {\n${more.three ?? ''}`)
    .replace('registers@4000 {', `registers@4000 {\n${more.two ?? ''}`)
    .replace('serial0 = &uart;', `serial0 = &uart;\n${more.aliases ?? ''}`);
  const { tree } = readDts(dts, 'arm64-smmuv3.dts');
  const parameters = tree.root.child('tracewright');
  if (parameters !== undefined) tree.root.remove(parameters);
  return { board: plain, blob: encodeFdt(tree) };
}

/** A configuration with 4 MiB, the module of a passthrough tree, and other properties and nodes. */
export const domainDts = (properties = '', nodes = ''): string => `/ {
  compatible = "xen,domain"; #address-cells = <2>; #size-cells = <2>;
  ${properties.includes('memory =') ? '' : 'memory = <0 0x1000>;'} ${properties}
  module@60000000 { compatible = "multiboot,device-tree", "multiboot,module"; reg = <0 0x60000000 0 0x100000>; };
  ${nodes}
};`;

/** A passthrough tree with these nodes below `/passthrough`, whose cells are 2. */
export const partialDts = (nodes: string, { top = '', bus = '' } = {}): string => `/ {
  #address-cells = <2>; #size-cells = <2>;
  ${top}
  passthrough { compatible = "simple-bus"; ranges; #address-cells = <2>; #size-cells = <2>; ${bus}
    ${nodes}
  };
};`;

/** A node that asks for a page of {@link TWO} at a guest address. */
export const oneNode = (more = '', machine: number = TWO.address, guest = 0x2300_0000): string =>
  `dev@0 { reg = <0 ${guest} 0 0x1000>; xen,reg = <0 ${machine} 0 0x1000 0 ${guest}>; ${more} };`;

/** What stands for the steps of platform devices and interrupts: identity, ownership and routes in maps. */
export interface Stand {
  readonly steps: XenSteps;
  /** Owner by interrupt. */
  readonly routes: Map<number, Domain>;
  /** Devices that are given: node path to what is different about it. */
  readonly devices: Map<string, { interrupts?: number[]; isProtected?: boolean }>;
  /** What was done, in order. */
  readonly log: string[];
}

/** Steps with platform devices and interrupts of these tests' own, so that each failure can be had. */
export function stand(base: XenSteps = xenSteps()): Stand {
  const routes = new Map<number, Domain>();
  const devices: Stand['devices'] = new Map();
  const log: string[] = [];
  const known = new WeakMap<Xen, Map<string, DtDevice>>();
  const findDevice = (xen: Xen, path: string): DtDevice | undefined => {
    const node = xen.platform.tree.byPath(path);
    if (node === undefined || !devices.has(node.path)) return undefined;
    const found = known.get(xen) ?? new Map<string, DtDevice>();
    known.set(xen, found);
    const device = found.get(node.path);
    if (device !== undefined) return device;
    const { interrupts = [], isProtected = false } = devices.get(node.path) ?? {};
    const made = {
      kind: 'dt',
      node,
      domain: undefined,
      reserved: true,
      regions: node.reg().map(({ address, size }) => ({ address: node.translate(address) ?? 0, size })),
      interrupts: interrupts.map((irq) => ({ irq, type: 'level' })),
      master: isProtected ? {} : undefined,
    } as unknown as DtDevice;
    found.set(node.path, made);
    return made;
  };
  const steps: XenSteps = {
    ...base,
    p2m: {
      ...base.p2m,
      mapMmio: (xen, domain, at, frames, count) => {
        log.push(`map ${count}`);
        return base.p2m.mapMmio(xen, domain, at, frames, count);
      },
    },
    domain: {
      ...base.domain,
      permitIomem: (xen, domain, first, count) => {
        if (domain.domid !== 0) log.push(`permit ${count}`);
        base.domain.permitIomem(xen, domain, first, count);
      },
    },
    dt: {
      ...base.dt,
      setup: () => {},
      setupHardwareDomain: () => {},
      sharesResources: () => 0,
      findDevice: (xen, path) => {
        log.push(`find ${path}`);
        return findDevice(xen, path);
      },
      assignDevice: (_xen, domain, device) => {
        log.push(`assign ${device.node.path}`);
        if (device.domain !== undefined) return -16;
        device.domain = domain;
        domain.dtDevices.push(device);
        return 0;
      },
      releaseDevice: (xen, _domain, device) => {
        log.push(`release ${device.node.path}`);
        base.dt.setOwner(xen, device, undefined);
        return 0;
      },
      releaseDevices: (xen, domain) => {
        for (const device of [...domain.dtDevices]) steps.dt.releaseDevice(xen, domain, device);
        return 0;
      },
    },
    irq: {
      ...base.irq,
      routeToGuest: (_xen, domain, virq, irq) => {
        log.push(`route ${irq} as ${virq}`);
        if (irq < 32) return -22;
        const owner = routes.get(irq);
        if (owner !== undefined && owner !== domain) return -16;
        routes.set(irq, domain);
        return 0;
      },
      releaseAll: (_xen, domain) => {
        for (const [irq, owner] of routes) if (owner === domain) routes.delete(irq);
        return 0;
      },
    },
  };
  return { steps, routes, devices, log };
}

/** A machine with the model on it, whose state a test may look at. */
export interface State {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  readonly xen: Xen;
}

/** Boots on a board. `modules` are left in RAM before, by address. */
export function bootState(
  steps: XenSteps,
  { board, blob }: Firmware,
  modules: ReadonlyMap<number, Uint8Array> = new Map(),
): State {
  const powered = board.power();
  const address = powered.firmware.fdt?.address ?? pa(0);
  powered.memory.poke(address, blob);
  const firmware = { fdt: { address, size: blob.length } };
  const machine: Machine = Object.create(powered, { firmware: { value: firmware } });
  for (const [address, bytes] of modules) machine.memory.poke(pa(address), bytes);
  let state: Xen | undefined;
  const start: XenSteps['boot']['start'] = (xen) => {
    state = xen;
    steps.boot.start(xen);
  };
  const hypervisor = createXen({ ...steps, boot: { ...steps.boot, start } });
  hypervisor.boot(machine);
  if (state === undefined) throw new Error('no state');
  return { machine, hypervisor, xen: state };
}

/** Creates a domain of a configuration with a passthrough tree, or with the bytes of a module. */
export function create(
  { machine, hypervisor }: State,
  partial: string | Uint8Array,
  configuration: string = domainDts(),
): CreateResult {
  machine.memory.poke(pa(MODULE), typeof partial === 'string' ? blobOf(partial) : partial);
  return hypervisor.createDomain(blobOf(configuration));
}

/** The tree that a domain finds in its RAM, by its own p2m. Throws if there is none. */
export function treeOf({ machine, xen }: State, domid: number): DeviceTree {
  const domain = xen.domains.get(domid);
  const { fdt } = domain ?? {};
  if (domain?.p2m === undefined || fdt === undefined) throw new Error(`d${domid} has no device tree`);
  const bytes = new Uint8Array(Math.ceil(fdt.size / 4096) * 4096);
  for (let at = 0; at < bytes.length; at += 4096) {
    const mapping = xen.steps.p2m.lookup(xen, domain.p2m, ((fdt.address + at) / 4096) as never);
    if (mapping === undefined) throw new Error('not mapped');
    bytes.set(machine.memory.peek(pa(mapping.mfn * 4096), 4096), at);
  }
  return decodeFdt(bytes.subarray(0, fdt.size));
}

/** All that a failed creation must not change, as text. */
export function footprint({ xen, machine, hypervisor }: State, { routes }: Stand): string {
  const used = xen.heap.free;
  return JSON.stringify([
    hypervisor.claims(),
    used,
    xen.vmids.inUse,
    [...routes].map(([irq, domain]) => [irq, domain.domid]),
    [...xen.domains.values()].map((domain) => [domain.domid, domain.iomem.runs, domain.irqs.runs]),
    machine.memory.ranges.length,
  ]);
}
