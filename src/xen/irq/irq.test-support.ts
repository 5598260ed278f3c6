/**
 * What tests of interrupts share: small boards with a GICv3 and with a GICv2, the model booted on them, and a guest that
 * drives its controller by numbers restated from the manuals (Arm IHI 0069 12.2, 12.9, 12.11; Arm IHI 0048B.b 4.3, 4.4).
 */
import { type Board, loadBoard } from '../../board/board.js';
import type { GuestResult, Machine } from '../../hw/machine.js';
import type { Problem } from '../../hw/observer.js';
import { createXen } from '../create.js';
import type { Hypervisor } from '../hypervisor.js';
import { type XenSteps, xenSteps } from '../steps.js';
import type { Domain, Xen } from '../xen.js';
import { createGuest } from '../xen.test-support.js';

const cpuNode = (n: number): string => `cpu@${n} { device_type = "cpu"; compatible = "arm,armv8"; reg = <${n}>; };`;

const GICV3 = `gic: interrupt-controller@8000000 {
    compatible = "arm,gic-v3"; #interrupt-cells = <3>; interrupt-controller;
    reg = <0x0 0x08000000 0x0 0x10000>, <0x0 0x080a0000 0x0 0x80000>;
    interrupts = <1 9 4>;
  };`;
const GICV2 = `gic: interrupt-controller@8000000 {
    compatible = "arm,gic-400"; #interrupt-cells = <3>; interrupt-controller;
    reg = <0x0 0x08001000 0x0 0x1000>, <0x0 0x08002000 0x0 0x2000>, <0x0 0x08004000 0x0 0x2000>, <0x0 0x08006000 0x0 0x2000>;
    interrupts = <1 9 4>;
  };`;

/** 4 CPUs, 64 SPIs, 4 list registers; the device has SPIs 8 (level), 9 (edge), 10 to 15 (level), that is INTIDs 40 to 47. */
function dts(version: 2 | 3): string {
  return `/dts-v1/;
/ {
  compatible = "test"; #address-cells = <2>; #size-cells = <2>; interrupt-parent = <&gic>;
  chosen { xen,xen-bootargs = "dom0_mem=16M"; };
  cpus { #address-cells = <1>; #size-cells = <0>; ${[0, 1, 2, 3].map(cpuNode).join(' ')} };
  memory@40000000 { device_type = "memory"; reg = <0x0 0x40000000 0x0 0x10000000>; };
  ${version === 3 ? GICV3 : GICV2}
  device@a000000 {
    compatible = "tracewright,platform-device"; reg = <0x0 0x0a000000 0x0 0x1000>;
    interrupts = <0 8 4>, <0 9 1>, <0 10 4>, <0 11 4>, <0 12 4>, <0 13 4>, <0 14 4>, <0 15 4>;
    xen,passthrough;
  };
  other@a001000 {
    compatible = "tracewright,platform-device"; reg = <0x0 0x0a001000 0x0 0x1000>;
    interrupts = <0 16 4>;
    xen,passthrough;
  };
  tracewright {
    latency = <96>; seed = <1>; fdt-address = <0x0 0x48000000>;
    gic-parameters {
      compatible = "tracewright,gicv${version}-parameters"; device = <&gic>; spis = <64>; list-registers = <4>;
    };
  };
};`;
}

export const DEVICE = '/device@a000000';
export const OTHER = '/other@a001000';
/** SPI numbers of the device's interrupts. */
export const LEVEL = 40;
export const EDGE = 41;
/** First of six more, level-sensitive. */
export const MORE = 42;
export const OTHERS = 48;

const boards = new Map<number, Board>();

/** A machine with the model on it, and the model's own state. */
export interface Booted {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  readonly xen: Xen;
  readonly problems: Problem[];
}

/** Boots the model on the board with a GIC of that version. */
export function bootGic(version: 2 | 3, steps: XenSteps = xenSteps()): Booted {
  const board = boards.get(version) ?? loadBoard(dts(version), `gicv${version}.dts`);
  boards.set(version, board);
  const problems: Problem[] = [];
  const machine = board.power({ problem: (problem) => problems.push(problem) });
  let state: Xen | undefined;
  const start: XenSteps['boot']['start'] = (xen) => {
    state = xen;
    steps.boot.start(xen);
  };
  const hypervisor = createXen({ ...steps, boot: { ...steps.boot, start } });
  hypervisor.boot(machine);
  if (state === undefined) throw new Error('the model has not started');
  return { machine, hypervisor, xen: state, problems };
}

/** A domain with so many vCPUs. */
export function makeDomain(booted: Booted, vcpus = 1): Domain {
  const domid = createGuest(booted.hypervisor, [], { cpus: [vcpus], memory: [0, 64] });
  return booted.xen.domains.get(domid) as Domain;
}

/** Drives an interrupt of a device and lets all CPUs take what comes. */
export function line({ machine }: Booted, index: number, level: boolean, device = DEVICE): void {
  machine.endpoints.setLine(device, index, level);
  settle(machine);
}

/** Lets all CPUs take what is signalled to them. */
export function settle(machine: Machine): void {
  machine.settle();
  for (let round = 0; round < 2; round++) {
    for (let cpu = 0; cpu < machine.cpus.count; cpu++) machine.cpus.takeInterrupts(cpu);
  }
}

/** A guest's own code. Addresses are those of the guest layout. */
export class Guest {
  readonly domain: Domain;
  readonly #booted: Booted;
  readonly #version: 2 | 3;

  constructor(booted: Booted, domain: Domain) {
    this.#booted = booted;
    this.domain = domain;
    this.#version = booted.xen.gic?.version ?? 3;
  }

  /** The CPU of a vCPU, which is put on one if it is on none. */
  cpu(vcpu = 0): number {
    const cpu = this.#booted.hypervisor.schedule({ domid: this.domain.domid, vcpu });
    if (cpu === undefined) throw new Error(`there is no vCPU ${vcpu}`);
    return cpu;
  }

  access(kind: 'load' | 'store', address: number, width: 1 | 2 | 4 | 8, lo = 0, hi = 0, vcpu = 0): GuestResult {
    const value = { valueHi: hi, valueLo: lo >>> 0 };
    return this.#booted.machine.cpus.guest(this.cpu(vcpu), { kind, hi: 0, lo: address, width, ...value });
  }

  load(address: number, width: 1 | 2 | 4 | 8 = 4, vcpu = 0): number | undefined {
    const result = this.access('load', address, width, 0, 0, vcpu);
    return result.ok ? result.lo : undefined;
  }

  store(address: number, value: number, width: 1 | 4 | 8 = 4, vcpu = 0): boolean {
    return this.access('store', address, width, value, 0, vcpu).ok;
  }

  /** GICD, in both layouts. */
  readonly gicd = 0x0300_1000;

  /** Brings the controller up: groups, priority mask, all vCPUs. */
  start(): this {
    this.store(this.gicd, this.#version === 3 ? 0x12 : 1);
    for (const { vcpu } of this.domain.vcpus) {
      if (this.#version === 3) {
        this.write('ICC_PMR_EL1', 0xff, vcpu);
        this.write('ICC_IGRPEN1_EL1', 1, vcpu);
      } else {
        this.store(0x0300_2004, 0xff, 4, vcpu);
        this.store(0x0300_2000, 1, 4, vcpu);
      }
    }
    return this;
  }

  write(register: Parameters<Machine['cpus']['guestWrite']>[1], lo: number, vcpu = 0, hi = 0): boolean {
    return this.#booted.machine.cpus.guestWrite(this.cpu(vcpu), register, hi, lo);
  }

  /** Priority, target and enable bit of an SPI. */
  enable(intid: number, priority = 0xa0, vcpu = 0): this {
    this.store(this.gicd + 0x400 + intid, priority, 1);
    this.route(intid, vcpu);
    this.store(this.gicd + 0x100 + 4 * (intid >>> 5), 1 << (intid & 31));
    return this;
  }

  route(intid: number, vcpu: number): void {
    if (this.#version === 3) this.store(this.gicd + 0x6000 + 8 * intid, vcpu, 8);
    else this.store(this.gicd + 0x800 + intid, 1 << vcpu, 1);
  }

  disable(intid: number): void {
    this.store(this.gicd + 0x180 + 4 * (intid >>> 5), 1 << (intid & 31));
  }

  /** A bit of a register of one bit for each interrupt, from its first offset. */
  bit(first: number, intid: number, vcpu = 0): number {
    const word = this.load(this.gicd + first + 4 * (intid >>> 5), 4, vcpu);
    return ((word ?? 0) >>> (intid & 31)) & 1;
  }

  /** Whether an interrupt is signalled. */
  signalled(vcpu = 0): boolean {
    return this.#booted.machine.cpus.virtualInterrupt(this.cpu(vcpu));
  }

  /** Acknowledges: the INTID, or 1023; with the sender of an SGI in 12:10 on a GICv2. */
  acknowledge(vcpu = 0): number | undefined {
    if (this.#version === 2) return this.load(0x0300_200c, 4, vcpu);
    return this.#booted.machine.cpus.guestRead(this.cpu(vcpu), 'ICC_IAR1_EL1')?.lo;
  }

  /** Ends an interrupt: priority drop and deactivation. */
  end(intid: number, vcpu = 0): void {
    if (this.#version === 2) this.store(0x0300_2010, intid, 4, vcpu);
    else this.write('ICC_EOIR1_EL1', intid, vcpu);
    settle(this.#booted.machine);
  }
}
