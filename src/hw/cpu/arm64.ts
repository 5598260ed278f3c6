/**
 * Arm64 CPUs as a hypervisor at EL2 sees them: system registers, TLB maintenance, and guests that load, store, fetch and
 * call through stage 2. Arm DDI 0487: D1.3 (exceptions), D8 (VMSAv8-64), D24.2 (registers).
 *
 * - A guest's stage 1 is taken as on and mapping every address to itself, Normal Write-Back, inner shareable, everything
 *   permitted; so the attributes of an access are those of stage 2. Its accesses are those of EL1.
 * - Stage 2 works by HCR_EL2.VM, VTCR_EL2 and VTTBR_EL2 as they stand when the guest makes its access. With VM clear
 *   addresses are physical.
 * - A TLBI takes effect at the next DSB of the CPU that executed it, on all CPUs: the latest that is allowed (D8.17). No
 *   order is taken from the lack of an ISB.
 * - A fetch from Device memory that stage 2 lets execute is done as if the memory were Normal Non-cacheable: one of the
 *   two things that the manual allows (D8.6; the other is a permission fault).
 * - Guests have no program counter: a trap leaves ELR_EL2 alone, and what the vector returns says where to go on.
 *   Loads and stores use X0; a store that traps has put its value there. So do reads and writes of system registers.
 * - A physical IRQ is taken before each thing that a guest does. The GIC's system registers are those of the interface that
 *   the interrupt controller offers the CPU.
 *
 * Not modelled: a guest's own stage 1 and exception handling (an abort that it takes is a failed access), EL0, AArch32,
 * physical interrupts that go to EL1 (HCR_EL2.IMO clear), physical FIQs, HCR_EL2 traps, FEAT_VHE, nested virtualisation,
 * FEAT_S2FWB, FEAT_LPA2, hardware management of AF and dirty state, alignment faults and unaligned accesses, TLB entries of
 * EL2 (EL2 runs on physical addresses), weak memory order.
 */
import { hex, highHalf, join, lowHalf, pa } from '../address.js';
import { encode, get } from '../bits.js';
import type { Bus } from '../bus.js';
import type { CpuInterface, GicSystemRegister, IccRegister } from '../interrupt.js';
import type { Latency } from '../latency.js';
import type {
  AccessAttributes,
  CpuInstruction,
  CpuPort,
  GuestAccess,
  GuestResult,
  InterruptVector,
  SavedBlock,
  SystemRegister,
  TrapOutcome,
  TrapVector,
  Value64,
} from '../machine.js';
import type { Actor, Observer } from '../observer.js';
import {
  INNER_SHAREABLE,
  isDevice,
  memoryTypeName,
  NORMAL_NON_CACHEABLE,
  NORMAL_WRITE_BACK,
  permissionFor,
  shareabilityName,
  Translation,
} from '../paging/translation.js';
import { addressBits } from '../paging/vmsa-geometry.js';
import { isDefined, routeOf, systemSyndrome } from './gic-registers.js';
import { InterruptEntry } from './interrupts.js';
import { HCR_EL2, ID_AA64MMFR0_EL1, MODE_EL1H, REGISTER_BITS, SPSR_EL2, VTCR_EL2 } from './layout.js';
import { invalidation } from './stage2.js';
import { Cpu, type IdRegister, READ_ONLY, type SavedCpu, value64 } from './state.js';
import { abortSyndrome, faultingIpa, hvcSyndrome, TRANSFER_REGISTER } from './syndrome.js';

/** What {@link Arm64Cpus} is made of. */
export interface Arm64Options {
  readonly count: number;
  readonly bus: Bus;
  readonly observer: Observer;
  readonly latency: Latency;
  /** Identification registers, the same on every CPU; what is not given is as {@link DEFAULT_ID_REGISTERS} has it. */
  readonly id?: Partial<Record<IdRegister, Value64>>;
  /** What the interrupt controller offers each CPU. */
  readonly interfaces?: readonly CpuInterface[];
}

/** How often an instruction may be executed again before the vector counts as stuck. */
const RETRIES = 16;
/** Who runs at EL2. */
const HYPERVISOR: Actor = 'xen';
const FAILED: GuestResult = { ok: false };
const ZERO: Value64 = { hi: 0, lo: 0 };

/** The CPUs of an Arm64 machine. */
export class Arm64Cpus implements CpuPort, SavedBlock {
  readonly count: number;
  readonly #cpus: readonly Cpu[];
  readonly #bus: Bus;
  readonly #observer: Observer;
  readonly #latency: Latency;
  readonly #out = new Translation();
  readonly #interrupts: InterruptEntry;
  #vector: TrapVector | undefined;

  constructor(options: Arm64Options) {
    this.count = options.count;
    this.#bus = options.bus;
    this.#observer = options.observer;
    this.#latency = options.latency;
    this.#cpus = Array.from(
      { length: options.count },
      (_, number) => new Cpu(number, options.bus.memory, options.id ?? {}, options.interfaces?.[number]),
    );
    this.#interrupts = new InterruptEntry(options.observer, HYPERVISOR);
  }

  /** @throws RangeError if there is no such CPU. */
  #cpu(number: number): Cpu {
    const cpu = this.#cpus[number];
    if (cpu === undefined) throw new RangeError(`there is no CPU ${number} among ${this.count}`);
    return cpu;
  }

  readSystem(cpu: number, register: SystemRegister): Value64 {
    const target = this.#cpu(cpu);
    const words = target.system.get(register);
    const value = words !== undefined ? value64(words) : this.#readGic(target, register as GicSystemRegister);
    this.#observer.access('system read', 0, 8, value.hi, value.lo, register);
    this.#latency.tick();
    return value;
  }

  writeSystem(cpu: number, register: SystemRegister, hi: number, lo: number): void {
    const target = this.#cpu(cpu);
    const words = target.system.get(register);
    if (words === undefined) {
      this.#writeGic(target, register as GicSystemRegister, hi, lo);
    } else if (READ_ONLY.includes(register)) {
      this.#observer.misuse(this.#observer.actor, `writes the read-only register ${register}`);
    } else {
      words[0] = lo;
      words[1] = hi;
      target.mmu.changed();
      this.#reportUnmodelled(target, register);
    }
    this.#observer.access('system write', 0, 8, hi >>> 0, lo >>> 0, register);
    this.#latency.tick();
  }

  /** A register that the controller lacks, or that is write-only, is UNDEFINED; here it reads as zero. */
  #readGic(cpu: Cpu, register: GicSystemRegister): Value64 {
    const value = cpu.interface?.readSystem(register);
    if (value === undefined)
      this.#observer.misuse(this.#observer.actor, `reads ${register}, which ${cpu.name} has not`);
    return value ?? ZERO;
  }

  #writeGic(cpu: Cpu, register: GicSystemRegister, hi: number, lo: number): void {
    if (cpu.interface?.writeSystem(register, hi, lo) === true) return;
    this.#observer.misuse(this.#observer.actor, `writes ${register}, which ${cpu.name} has not, or only to be read`);
  }

  #reportUnmodelled(cpu: Cpu, register: SystemRegister): void {
    const words = cpu.words(register);
    const fields =
      register === 'HCR_EL2'
        ? [HCR_EL2.TGE, HCR_EL2.E2H, HCR_EL2.CD, HCR_EL2.FWB]
        : register === 'VTCR_EL2'
          ? [VTCR_EL2.DS, VTCR_EL2.SL2, VTCR_EL2.HA, VTCR_EL2.HD]
          : [];
    for (const field of fields) {
      if (get(words, field) !== 0) this.#observer.unmodelled(cpu.name, `${register}.${field.name} is set`);
    }
  }

  registers(cpu: number): Uint32Array {
    return this.#cpu(cpu).general;
  }

  execute(cpu: number, instruction: CpuInstruction): void {
    const issuer = this.#cpu(cpu);
    const { op } = instruction;
    const ipa = 'ipa' in instruction ? instruction.ipa : 0;
    if (op === 'DSB ISH') {
      for (const invalidate of issuer.maintenance) for (const each of this.#cpus) invalidate(each.mmu);
      issuer.maintenance = [];
    } else if (op !== 'ISB') {
      issuer.maintenance.push(invalidation(op, issuer.mmu.vmid, ipa));
    }
    this.#observer.access('instruction', 0, 0, highHalf(ipa), lowHalf(ipa), op);
    this.#latency.tick();
  }

  setVector(vector: TrapVector): void {
    this.#vector = vector;
  }

  setInterruptVector(vector: InterruptVector): void {
    this.#interrupts.setVector(vector);
  }

  /** @throws Error if an IRQ is signalled and there is no vector. */
  takeInterrupts(cpu: number): void {
    this.#interrupts.take(cpu, this.#cpu(cpu));
  }

  virtualInterrupt(cpu: number): boolean {
    const target = this.#cpu(cpu);
    if (target.guest === undefined) return false;
    const hcr = target.words('HCR_EL2');
    if (get(hcr, HCR_EL2.IMO) === 0) return false;
    return get(hcr, HCR_EL2.VI) === 1 || (target.interface?.virq ?? false);
  }

  /** @throws Error as {@link guest} does. */
  guestRead(cpu: number, register: IccRegister): Value64 | undefined {
    const target = this.#running(cpu);
    const { restore } = this.#as(target.guest as string);
    try {
      const value = this.#guestRegister(cpu, target, register, undefined);
      this.#observer.access('system read', 0, 8, value?.hi ?? 0, value?.lo ?? 0, register);
      this.#latency.tick();
      return value;
    } finally {
      restore();
    }
  }

  /** @throws Error as {@link guest} does. */
  guestWrite(cpu: number, register: IccRegister, hi: number, lo: number): boolean {
    const target = this.#running(cpu);
    const { restore } = this.#as(target.guest as string);
    try {
      const value = { hi: hi >>> 0, lo: lo >>> 0 };
      const taken = this.#guestRegister(cpu, target, register, value) !== undefined;
      this.#observer.access('system write', 0, 8, value.hi, value.lo, register);
      this.#latency.tick();
      return taken;
    } finally {
      restore();
    }
  }

  /**
   * A guest's access to a register of its CPU interface.
   * @param value what is written; undefined for a read
   * @returns what was read, or `value`; undefined if the guest takes an exception of its own
   */
  #guestRegister(number: number, cpu: Cpu, register: IccRegister, value: Value64 | undefined): Value64 | undefined {
    const controller = cpu.interface;
    const isRead = value === undefined;
    for (let attempt = 0; attempt <= RETRIES; attempt++) {
      this.#interrupts.take(number, cpu);
      if (controller === undefined || !isDefined(register, isRead)) return undefined;
      const route = routeOf(register, cpu.words('HCR_EL2'), controller);
      if (route === undefined) return undefined;
      if (route !== 'trap') {
        const isVirtual = route === 'virtual';
        if (isRead) return isVirtual ? controller.readVirtual(register) : controller.readSystem(register);
        const { hi, lo } = value;
        const taken = isVirtual ? controller.writeVirtual(register, hi, lo) : controller.writeSystem(register, hi, lo);
        return taken ? value : undefined;
      }
      if (!isRead) this.#setTransfer(cpu, value.hi, value.lo);
      cpu.words('ESR_EL2').set(systemSyndrome(register, isRead));
      const outcome = this.#trap(number, cpu, 'system register', `${isRead ? 'read' : 'write'} of ${register}`);
      if (outcome === 'inject abort') return undefined;
      if (outcome === 'return') return isRead ? this.#transferred(cpu) : value;
    }
    this.#observer.misuse(HYPERVISOR, `has ${cpu.guest} repeat an access to ${register} for ever`);
    return undefined;
  }

  /** @throws Error if the CPU already runs a guest. */
  enter(cpu: number, actor: string): void {
    const target = this.#cpu(cpu);
    if (target.guest !== undefined) throw new Error(`${target.name} already runs ${target.guest}`);
    target.guest = actor;
  }

  /** @throws Error if the CPU runs no guest. */
  leave(cpu: number): void {
    const target = this.#cpu(cpu);
    if (target.guest === undefined) throw new Error(`${target.name} runs no guest`);
    target.guest = undefined;
  }

  /**
   * @throws Error if the CPU runs no guest, is in the vector on its behalf, or the guest traps and no vector is installed.
   */
  guest(cpu: number, access: GuestAccess): GuestResult {
    const target = this.#running(cpu);
    const { observer, restore } = this.#as(target.guest as string);
    try {
      for (let attempt = 0; attempt <= RETRIES; attempt++) {
        this.#interrupts.take(cpu, target);
        const address = this.#translate(target, access, true);
        if (address === undefined) {
          this.#note(access, 0, 0);
          return FAILED;
        }
        if (address >= 0) return this.#complete(target, access, address);
        const outcome = this.#abort(cpu, target, access);
        if (outcome === 'inject abort') return FAILED;
        if (outcome === 'return') return this.#emulated(target, access);
      }
      observer.misuse(
        HYPERVISOR,
        `has ${target.guest} repeat the same ${access.kind} at ${hex(access.hi, access.lo)} for ever`,
      );
      return FAILED;
    } finally {
      restore();
    }
  }

  /** @throws Error as {@link guest} does. */
  hvc(cpu: number, immediate: number): void {
    const target = this.#running(cpu);
    const { observer, restore } = this.#as(target.guest as string);
    try {
      for (let attempt = 0; attempt <= RETRIES; attempt++) {
        this.#interrupts.take(cpu, target);
        observer.access('instruction', 0, 0, 0, immediate, 'HVC');
        this.#latency.tick();
        target.words('ESR_EL2').set(hvcSyndrome(immediate));
        if (this.#trap(cpu, target, 'HVC', hex(immediate)) !== 'retry') return;
      }
      observer.misuse(HYPERVISOR, `has ${target.guest} repeat HVC ${hex(immediate)} for ever`);
    } finally {
      restore();
    }
  }

  attributes(cpu: number, access: GuestAccess): AccessAttributes | undefined {
    const address = this.#translate(this.#cpu(cpu), access, false);
    if (address === undefined || address < 0) return undefined;
    const fetchesDevice = access.kind === 'fetch' && isDevice(this.#out.type);
    return {
      type: memoryTypeName(fetchesDevice ? NORMAL_NON_CACHEABLE : this.#out.type),
      shareability: shareabilityName(this.#out.shareability),
    };
  }

  #running(number: number): Cpu {
    const cpu = this.#cpu(number);
    if (cpu.guest === undefined) throw new Error(`${cpu.name} runs no guest`);
    if (cpu.trapped) throw new Error(`${cpu.name} is at EL2: ${cpu.guest} has trapped`);
    return cpu;
  }

  #as(actor: string): { observer: Observer; restore: () => void } {
    const observer = this.#observer;
    const before = observer.actor;
    observer.actor = actor;
    return {
      observer,
      restore: () => {
        observer.actor = before;
      },
    };
  }

  /**
   * The physical address of an access; -1 after a stage 2 fault, which is in `#out`; undefined if stage 1 would have given
   * the guest a fault of its own (more address bits than the CPU has).
   */
  #translate(cpu: Cpu, access: GuestAccess, keep: boolean): number | undefined {
    const out = this.#out;
    const physicalBits = addressBits(get(cpu.words('ID_AA64MMFR0_EL1'), ID_AA64MMFR0_EL1.PARange));
    if (access.hi >>> 0 >= 2 ** (physicalBits - 32)) return undefined;
    const address = join(access.hi, access.lo);
    if (get(cpu.words('HCR_EL2'), HCR_EL2.VM) === 0) {
      out.type = NORMAL_WRITE_BACK;
      out.shareability = INNER_SHAREABLE;
      return address;
    }
    const need = permissionFor(true, access.kind === 'store', access.kind === 'fetch');
    return cpu.mmu.translate(address, need, keep, out) ? out.output : -1;
  }

  /** The access reaches the bus. An external abort is the guest's own affair. */
  #complete(cpu: Cpu, access: GuestAccess, address: number): GuestResult {
    const { kind, width } = access;
    if (address % width !== 0) {
      this.#observer.unmodelled(cpu.name, `an unaligned ${kind} of ${width} bytes at ${hex(access.hi, access.lo)}`);
      return FAILED;
    }
    if (kind === 'store') {
      const lo = (access.valueLo ?? 0) >>> 0;
      const hi = width === 8 ? (access.valueHi ?? 0) >>> 0 : 0;
      const error = this.#bus.write(pa(address), width, lo, hi, cpu.initiator);
      this.#note(access, hi, lo);
      return error === undefined ? { ok: true, hi: 0, lo: 0 } : FAILED;
    }
    const result = this.#bus.read(pa(address), width, cpu.initiator);
    const failed = typeof result === 'string';
    this.#note(access, failed ? 0 : result.hi, failed ? 0 : result.value);
    return failed ? FAILED : { ok: true, hi: result.hi, lo: result.value };
  }

  #note(access: GuestAccess, hi: number, lo: number): void {
    const kind = access.kind === 'store' ? 'store' : 'load';
    this.#observer.access(
      kind,
      join(access.hi, access.lo),
      access.width,
      hi,
      lo,
      access.kind === 'fetch' ? 'fetch' : '',
    );
    this.#latency.tick();
  }

  #abort(number: number, cpu: Cpu, access: GuestAccess): TrapOutcome {
    const fault = this.#out;
    cpu.words('ESR_EL2').set(abortSyndrome(access, fault));
    cpu.words('FAR_EL2').set([access.lo >>> 0, access.hi >>> 0]);
    cpu.words('HPFAR_EL2').set(faultingIpa(fault));
    if (access.kind === 'store') this.#setTransfer(cpu, access.valueHi ?? 0, access.valueLo ?? 0);
    const name = access.kind === 'fetch' ? 'instruction abort' : 'data abort';
    const text = `${access.kind} of ${access.width} at ${hex(access.hi, access.lo)}: stage 2 ${fault.fault} fault, level ${fault.level}`;
    return this.#trap(number, cpu, name, text);
  }

  #trap(number: number, cpu: Cpu, name: string, text: string): TrapOutcome {
    const vector = this.#vector;
    if (vector === undefined) throw new Error(`${cpu.guest} traps on ${cpu.name} (${name}), and there is no vector`);
    cpu.words('SPSR_EL2').set(encode(SPSR_EL2, REGISTER_BITS, { M: MODE_EL1H }));
    this.#observer.event({ kind: 'trap', device: cpu.name, name, text });
    const { restore } = this.#as(HYPERVISOR);
    cpu.trapped = true;
    try {
      return vector(number);
    } finally {
      cpu.trapped = false;
      restore();
    }
  }

  /** The vector did the access in the guest's stead; a fetch cannot be done so. */
  #emulated(cpu: Cpu, access: GuestAccess): GuestResult {
    if (access.kind === 'fetch') return FAILED;
    if (access.kind === 'store') return { ok: true, hi: 0, lo: 0 };
    const { hi, lo } = this.#transferred(cpu);
    if (access.width === 8) return { ok: true, hi, lo };
    return { ok: true, hi: 0, lo: access.width === 4 ? lo : lo % 2 ** (8 * access.width) };
  }

  #transferred(cpu: Cpu): Value64 {
    return {
      hi: cpu.general[2 * TRANSFER_REGISTER + 1] as number,
      lo: cpu.general[2 * TRANSFER_REGISTER] as number,
    };
  }

  #setTransfer(cpu: Cpu, hi: number, lo: number): void {
    cpu.general[2 * TRANSFER_REGISTER] = lo;
    cpu.general[2 * TRANSFER_REGISTER + 1] = hi;
  }

  save(): unknown {
    return this.#cpus.map((cpu) => cpu.save());
  }

  /** @throws RangeError if the state is of another number of CPUs. */
  load(state: unknown): void {
    const saved = state as readonly SavedCpu[];
    if (saved.length !== this.count)
      throw new RangeError(`the saved state has ${saved.length} CPUs, not ${this.count}`);
    saved.forEach((one, number) => {
      this.#cpu(number).load(one);
    });
  }
}
