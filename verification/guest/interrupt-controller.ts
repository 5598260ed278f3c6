/**
 * A guest's driver of its interrupt controller, from the manuals: GICv3 (Arm IHI 0069, 12.9 distributor, 12.11
 * redistributor, 12.2 CPU interface) and GICv2 (Arm IHI 0048B.b, 4.3, 4.4). It finds the controller where the guest's device
 * tree says it is, and knows nothing of who emulates it.
 */
import type { DeviceTree } from '../../src/firmware/tree.js';
import type { GuestCpu } from './guest-cpu.js';

/** Offsets in the distributor. */
const GICD = {
  CTLR: 0x000,
  IGROUPR: 0x080,
  ISENABLER: 0x100,
  ICENABLER: 0x180,
  ISPENDR: 0x200,
  ICPENDR: 0x280,
  ISACTIVER: 0x300,
  IPRIORITYR: 0x400,
  ITARGETSR: 0x800,
  ICFGR: 0xc00,
  IROUTER: 0x6000,
} as const;
/** Group 1 enabled, affinity routing (12.9.4, one security state). */
const GICD_CTLR_V3 = 0x12;
/** Offsets in a redistributor's frames, which are 128 KiB apart. */
const GICR = { CTLR: 0x0, WAKER: 0x14, PROPBASER: 0x70, PENDBASER: 0x78, SGI: 0x1_0000, STRIDE: 0x2_0000 } as const;
/** Offsets in the GICv2's CPU interface. */
const GICC = { CTLR: 0x0, PMR: 0x4, IAR: 0xc, EOIR: 0x10 } as const;
/** From here on acknowledging gives no interrupt. */
const SPECIAL = 1020;
const SPECIAL_END = 1023;
const FIRST_SPI = 32;
const FIRST_LPI = 8192;
/** A guest has nothing more to say to an interrupt than this many times in a row. */
const ROUNDS = 64;

/** How an interrupt is to be. */
export interface InterruptSetting {
  readonly vcpu?: number;
  readonly edge?: boolean;
  /** 0 is the most urgent; multiples of 8. */
  readonly priority?: number;
}

/** The driver. */
export class GuestInterruptController {
  readonly #vcpus: readonly GuestCpu[];
  readonly #version: 2 | 3;
  readonly #distributor: number;
  /** Redistributors of a GICv3, the CPU interface of a GICv2. */
  readonly #second: number;

  /**
   * @param tree the guest's own device tree
   * @param vcpus its vCPUs, by number
   * @throws Error if the tree describes no controller that the driver knows
   */
  constructor(tree: DeviceTree, vcpus: readonly GuestCpu[]) {
    const v3 = tree.compatible('arm,gic-v3')[0];
    const node = v3 ?? tree.compatible('arm,gic-400')[0] ?? tree.compatible('arm,cortex-a15-gic')[0];
    const [distributor, second] = node?.reg() ?? [];
    if (distributor === undefined || second === undefined) throw new Error("the guest's tree has no GIC");
    this.#version = v3 === undefined ? 2 : 3;
    this.#vcpus = vcpus;
    this.#distributor = distributor.address;
    this.#second = second.address;
  }

  #boot(): GuestCpu {
    return this.#vcpus[0] as GuestCpu;
  }

  /** Address of a redistributor's first frame. */
  redistributor(vcpu: number): number {
    return this.#second + vcpu * GICR.STRIDE;
  }

  /** Brings it up: distributor, and the interface of every vCPU, with everything that is not masked let through. */
  start(): this {
    if (this.#version === 2) {
      this.#boot().store(this.#distributor + GICD.CTLR, 1);
      for (const cpu of this.#vcpus) {
        cpu.store(this.#second + GICC.PMR, 0xff);
        cpu.store(this.#second + GICC.CTLR, 1);
      }
      return this;
    }
    this.#boot().store(this.#distributor + GICD.CTLR, GICD_CTLR_V3);
    for (const [vcpu, cpu] of this.#vcpus.entries()) {
      cpu.store(this.redistributor(vcpu) + GICR.WAKER, 0);
      cpu.write('ICC_SRE_EL1', 7);
      cpu.write('ICC_PMR_EL1', 0xff);
      cpu.write('ICC_IGRPEN1_EL1', 1);
    }
    return this;
  }

  /** Sets an SPI up and enables it. */
  enable(intid: number, setting: InterruptSetting = {}): this {
    const cpu = this.#boot();
    const [word, bit] = [(intid >>> 5) * 4, 1 << (intid & 31)];
    this.configure(intid, setting);
    if (this.#version === 3) {
      cpu.store(
        this.#distributor + GICD.IGROUPR + word,
        (cpu.load(this.#distributor + GICD.IGROUPR + word) ?? 0) | bit,
      );
    }
    cpu.store(this.#distributor + GICD.ISENABLER + word, bit);
    return this;
  }

  /** Sets an SPI's trigger, priority and target without enabling it. */
  configure(intid: number, { vcpu = 0, edge = false, priority = 0xa0 }: InterruptSetting): void {
    const cpu = this.#boot();
    const config = this.#distributor + GICD.ICFGR + (intid >>> 4) * 4;
    const shift = (intid & 15) * 2 + 1;
    cpu.store(config, ((cpu.load(config) ?? 0) & ~(1 << shift)) | (edge ? 1 << shift : 0));
    cpu.store(this.#distributor + GICD.IPRIORITYR + intid, priority, 1);
    this.route(intid, vcpu);
  }

  /** Has an SPI go to a vCPU (IROUTER, ITARGETSR). */
  route(intid: number, vcpu: number): void {
    const cpu = this.#boot();
    if (this.#version === 2) cpu.store(this.#distributor + GICD.ITARGETSR + intid, 1 << vcpu, 1);
    else cpu.store64(this.#distributor + GICD.IROUTER + intid * 8, { hi: 0, lo: affinity(vcpu) });
  }

  /** Makes an SPI pending by the distributor (ISPENDR), as software may without a device. */
  pend(intid: number): void {
    this.#boot().store(this.#distributor + GICD.ISPENDR + (intid >>> 5) * 4, 1 << (intid & 31));
  }

  /** Disables an SPI. */
  disable(intid: number): void {
    this.#boot().store(this.#distributor + GICD.ICENABLER + (intid >>> 5) * 4, 1 << (intid & 31));
  }

  /** A bit of a distributor's register of one bit an interrupt. */
  #bit(register: number, intid: number): boolean {
    const word = this.#boot().load(this.#distributor + register + (intid >>> 5) * 4) ?? 0;
    return ((word >>> (intid & 31)) & 1) === 1;
  }

  /** Whether the distributor shows an SPI as enabled, as pending, as active. */
  state(intid: number): { readonly enabled: boolean; readonly pending: boolean; readonly active: boolean } {
    return {
      enabled: this.#bit(GICD.ISENABLER, intid),
      pending: this.#bit(GICD.ISPENDR, intid),
      active: this.#bit(GICD.ISACTIVER, intid),
    };
  }

  /** Masks all interrupts of a vCPU at and below a priority; 0xff lets everything through. */
  mask(vcpu: number, priority: number): void {
    const cpu = this.#vcpus[vcpu] as GuestCpu;
    if (this.#version === 2) cpu.store(this.#second + GICC.PMR, priority);
    else cpu.write('ICC_PMR_EL1', priority);
  }

  /** Acknowledges an interrupt; undefined if there is none. */
  acknowledge(vcpu = 0): number | undefined {
    const cpu = this.#vcpus[vcpu] as GuestCpu;
    if (!cpu.interrupted) return undefined;
    const word = this.#version === 2 ? cpu.load(this.#second + GICC.IAR) : cpu.read('ICC_IAR1_EL1');
    if (word === undefined) return undefined;
    const intid = this.#version === 2 ? word & 0x3ff : word & 0xff_ffff;
    return intid >= SPECIAL && intid <= SPECIAL_END ? undefined : intid;
  }

  /** Ends an interrupt: its priority is dropped and it is deactivated. */
  end(intid: number, vcpu = 0): void {
    const cpu = this.#vcpus[vcpu] as GuestCpu;
    if (this.#version === 2) cpu.store(this.#second + GICC.EOIR, intid);
    else cpu.write('ICC_EOIR1_EL1', intid);
  }

  /**
   * Takes interrupts of a vCPU until none is signalled.
   * @param handler what the guest does about one, before it ends it
   * @returns the INTIDs, in order; at most 64 of them, so that one that never ends shows as many
   */
  take(vcpu = 0, handler: (intid: number) => void = () => {}): number[] {
    const taken: number[] = [];
    while (taken.length < ROUNDS) {
      const intid = this.acknowledge(vcpu);
      if (intid === undefined) break;
      taken.push(intid);
      handler(intid);
      this.end(intid, vcpu);
    }
    return taken;
  }

  /**
   * Gives LPIs their tables (12.11: PROPBASER, PENDBASER; 5.1.1 and 5.1.2 for what is in them) and enables them.
   * @param properties guest address of one byte an LPI, 4 KiB aligned; `pending` of one bit an INTID, 64 KiB aligned
   * @param bits size of INTIDs
   */
  startLpis(vcpu: number, properties: number, pending: number, bits: number): void {
    const cpu = this.#vcpus[vcpu] as GuestCpu;
    const frame = this.redistributor(vcpu);
    cpu.store64(frame + GICR.PROPBASER, properties + (bits - 1));
    cpu.store64(frame + GICR.PENDBASER, { hi: (Math.floor(pending / 2 ** 32) | 0x4000_0000) >>> 0, lo: pending >>> 0 });
    cpu.store(frame + GICR.CTLR, 1);
  }

  /** Whether an INTID is of an LPI or of an SPI, rather than of one vCPU's own. */
  static isShared(intid: number): boolean {
    return (intid >= FIRST_SPI && intid < SPECIAL) || intid >= FIRST_LPI;
  }
}

/** Affinity 0 has 16 numbers, so that SGIs reach them all (ICC_SGI1R_EL1.TargetList); affinity 1 goes on. */
function affinity(vcpu: number): number {
  return (vcpu & 0xf) | ((vcpu >>> 4) << 8);
}
