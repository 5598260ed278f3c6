/**
 * The Arm Generic Interrupt Controller, version 2, with virtualization: Arm IHI 0048B.b. What the architecture leaves
 * to the implementation is as in the GIC-400 (Arm DDI 0471), but for the Security Extensions.
 *
 * Not modelled: the Security Extensions (a GIC without them has both interrupt groups), the bypass of the interrupt
 * signals, power management, and anything that takes time: no register of a GICv2 tells that a write has not taken
 * effect yet. What is left out of one chapter stands at the head of its file.
 */
import type { Initiator, RegisterDevice } from '../../bus.js';
import type { CpuInterface, InterruptController, InterruptLine } from '../../interrupt.js';
import type { Latency } from '../../latency.js';
import type { SavedBlock } from '../../machine.js';
import type { Observer } from '../../observer.js';
import { CpuInterfaceRegisters, GICC_CONTROL_BITS } from './cpu-interface.js';
import { Distributor } from './distributor.js';
import { fieldMask } from './fields.js';
import { Interrupts, type SavedInterrupts } from './interrupts.js';
import {
  FIRST_PPI,
  FIRST_SPECIAL,
  FIRST_SPI,
  GICC_BYTES,
  GICH_BYTES,
  GICV_BYTES,
  GICV_CTLR,
  LIST_REGISTERS_MAX,
  MAINTENANCE_PPI,
} from './layout.js';
import { PhysicalInterface } from './physical-interface.js';
import { Prioritization, type SavedPrioritization } from './prioritization.js';
import { signalsOf } from './signals.js';
import { type SavedVirtualInterface, VirtualInterface } from './virtual-interface.js';
import { wordDevice } from './word-device.js';

/** How a GICv2 is made. */
export interface Gicv2Options {
  /** Its name in transcripts: `gic@f1010000`. */
  readonly name: string;
  /** Number of CPUs, 1 to 8. */
  readonly cpus: number;
  /** Number of SPIs, 32 to 988. */
  readonly spis: number;
  /** List registers of each CPU, 1 to 64; 4 if absent. */
  readonly listRegisters?: number;
  /** Implemented bits of a physical priority, 4 to 8; 5 if absent. */
  readonly priorityBits?: number;
  /** Only a GIC without the Security Extensions is modelled. */
  readonly securityExtensions?: false;
  readonly observer: Observer;
  /** Taken as every device of a board takes it; nothing here waits. */
  readonly latency?: Latency;
}

/** Cells of an interrupt specifier of the device tree: what the first one says, and CPUs of a PPI in the third. */
const SPECIFIER_CELLS = 3;
const SPECIFIER_SPI = 0;
const SPECIFIER_PPI = 1;
const SPECIFIER_CPUS_SHIFT = 8;
const SPECIFIER_CPUS_MASK = 0xff;

/** Most PPIs of a CPU, and most SPIs (2.2.1). */
const PPIS = FIRST_SPI - FIRST_PPI;
const SPIS_MAX = FIRST_SPECIAL - FIRST_SPI;

/** GIC-400: from here, the virtual interface control blocks of all CPUs one behind the other (Arm DDI 0471). */
const GICH_ALIASES = GICH_BYTES;
const GICH_ALIAS_BYTES = 0x200;

interface SavedCpu {
  readonly prioritization: SavedPrioritization;
  readonly acknowledged: readonly number[];
  readonly virtual: SavedVirtualInterface;
}

interface SavedGicv2 {
  readonly interrupts: SavedInterrupts;
  readonly cpus: readonly SavedCpu[];
}

/** What one CPU has of its own. */
interface Cpu {
  readonly prioritization: Prioritization;
  readonly physical: PhysicalInterface;
  readonly virtual: VirtualInterface;
  readonly gicc: CpuInterfaceRegisters;
  readonly gicv: CpuInterfaceRegisters;
}

/** One GICv2. */
export class Gicv2 implements InterruptController, SavedBlock {
  readonly name: string;
  /** GICD: 4 KiB. */
  readonly distributor: RegisterDevice;
  /** GICC: 8 KiB, those of the CPU that makes the access. */
  readonly cpuInterface: RegisterDevice;
  /**
   * GICH: 4 KiB, those of the CPU that makes the access. Where the region is larger, the blocks of CPU 0, 1, ... follow
   * from 0x1000 in steps of 0x200, as in a GIC-400.
   */
  readonly hypervisorInterface: RegisterDevice;
  /** GICV: 8 KiB, those of the CPU that makes the access. Only CPUs get an answer there. */
  readonly virtualCpuInterface: RegisterDevice;
  /** What each CPU is offered. */
  readonly interfaces: readonly CpuInterface[];
  readonly #observer: Observer;
  readonly #interrupts: Interrupts;
  readonly #cpus: readonly Cpu[];

  /** @throws RangeError if a number is out of its range */
  constructor(options: Gicv2Options) {
    const { name, cpus, spis, listRegisters = 4, priorityBits = 5, observer } = options;
    checkRange('cpus', cpus, 1, 8);
    checkRange('spis', spis, 32, SPIS_MAX);
    checkRange('listRegisters', listRegisters, 1, LIST_REGISTERS_MAX);
    checkRange('priorityBits', priorityBits, 4, 8);
    this.name = name;
    this.#observer = observer;
    this.#interrupts = new Interrupts({ cpus, spis, priorityBits });
    this.#cpus = Array.from({ length: cpus }, (_, cpu) => this.#makeCpu(cpu, priorityBits, listRegisters));
    this.interfaces = this.#cpus.map(({ gicc, gicv }) => signalsOf(gicc, gicv));
    this.distributor = new Distributor(this.#interrupts, {
      accessor: (from) => this.#accessor(from),
      deactivated: (cpu, intid) => this.#tell('deactivate', cpu, intid),
      misuse: (text) => this.#misuse(text),
    });
    this.cpuInterface = wordDevice(
      GICC_BYTES,
      (offset, from) => (this.#cpus[this.#accessor(from)] as Cpu).gicc.read(offset),
      (offset, value, from) => {
        (this.#cpus[this.#accessor(from)] as Cpu).gicc.write(offset, value);
        return true;
      },
    );
    this.hypervisorInterface = wordDevice(
      GICH_ALIASES + cpus * GICH_ALIAS_BYTES,
      (offset, from) => this.#virtualAt(offset, from).read((offset % GICH_ALIASES) % blockBytes(offset)),
      (offset, value, from) => {
        this.#virtualAt(offset, from).write((offset % GICH_ALIASES) % blockBytes(offset), value);
        return true;
      },
    );
    // A guest's DMA may come here where its CPUs may: no CPU makes it, and it is not misuse.
    this.virtualCpuInterface = wordDevice(
      GICV_BYTES,
      (offset, from) => this.#cpuOf(from)?.gicv.read(offset),
      (offset, value, from) => {
        const gicv = this.#cpuOf(from)?.gicv;
        gicv?.write(offset, value);
        return gicv !== undefined;
      },
    );
  }

  /**
   * The input of an interrupt specifier (three cells): 0 and the number of an SPI, or 1 and the number of a PPI, with a
   * mask of the CPUs in bits 15:8 of the flags; the triggers in the flags are for software to program. One input has
   * one line: devices that share it must combine their levels.
   */
  line(specifier: readonly number[]): InterruptLine | undefined {
    if (specifier.length !== SPECIFIER_CELLS) return undefined;
    const [type, number, flags] = specifier as [number, number, number];
    if (!Number.isInteger(number) || number < 0) return undefined;
    if (type === SPECIFIER_SPI) {
      const intid = FIRST_SPI + number;
      return this.#interrupts.has(intid) ? this.#line([0], intid) : undefined;
    }
    if (type !== SPECIFIER_PPI || number >= PPIS) return undefined;
    const mask = (flags >>> SPECIFIER_CPUS_SHIFT) & SPECIFIER_CPUS_MASK;
    const cpus = [...this.#cpus.keys()].filter((cpu) => ((mask >>> cpu) & 1) === 1);
    return cpus.length > 0 ? this.#line(cpus, FIRST_PPI + number) : undefined;
  }

  /**
   * The input of a PPI of one CPU.
   * @param number number of the PPI, its INTID less 16
   * @throws RangeError if there is no such CPU or PPI
   */
  ppi(cpu: number, number: number): InterruptLine {
    checkRange('cpu', cpu, 0, this.#cpus.length - 1);
    checkRange('PPI', number, 0, PPIS - 1);
    return this.#line([cpu], FIRST_PPI + number);
  }

  #line(cpus: readonly number[], intid: number): InterruptLine {
    return {
      set: (level) => {
        for (const cpu of cpus) this.#interrupts.setLevel(cpu, intid, level);
      },
    };
  }

  #makeCpu(cpu: number, priorityBits: number, listRegisters: number): Cpu {
    const prioritization = new Prioritization(priorityBits);
    const physical = new PhysicalInterface(cpu, this.#interrupts, prioritization, {
      acknowledged: (by, intid) => this.#tell('acknowledge', by, intid),
      deactivated: (by, intid) => this.#tell('deactivate', by, intid),
      misuse: (text) => this.#misuse(text),
    });
    const virtual = new VirtualInterface(listRegisters, {
      maintenance: (level) => this.#interrupts.setLevel(cpu, MAINTENANCE_PPI, level),
      deactivatePhysical: (intid) => {
        // 5.2: as a write to GICC_DIR by this CPU. It does nothing if the interrupt is not active.
        if (this.#interrupts.has(intid) && this.#interrupts.deactivate(cpu, intid))
          this.#tell('deactivate', cpu, intid);
      },
      acknowledged: (intid) => this.#tell('virtual acknowledge', cpu, intid),
      deactivated: (intid) => this.#tell('virtual deactivate', cpu, intid),
      misuse: (text) => this.#misuse(text),
    });
    const gicc = new CpuInterfaceRegisters(prioritization, physical, GICC_CONTROL_BITS);
    const gicv = new CpuInterfaceRegisters(virtual.prioritization, virtual, fieldMask(...Object.values(GICV_CTLR)));
    return { prioritization, physical, virtual, gicc, gicv };
  }

  #cpuOf(from: Initiator | undefined): Cpu | undefined {
    return from?.cpu === undefined ? undefined : this.#cpus[from.cpu];
  }

  /** The CPU that makes an access; 0 if that is no CPU of this GIC, which is misuse. */
  #accessor(from: Initiator | undefined): number {
    const cpu = from?.cpu;
    if (cpu !== undefined && this.#cpuOf(from) !== undefined) return cpu;
    const who = cpu === undefined ? 'an access that no CPU makes' : `an access by cpu ${cpu}`;
    this.#misuse(`${who} to a register of which each CPU has its own: taken as one of cpu 0`);
    return 0;
  }

  #virtualAt(offset: number, from: Initiator | undefined): VirtualInterface {
    const cpu = offset < GICH_ALIASES ? this.#accessor(from) : Math.floor((offset - GICH_ALIASES) / GICH_ALIAS_BYTES);
    return (this.#cpus[cpu] as Cpu).virtual;
  }

  #tell(name: string, cpu: number, intid: number): void {
    this.#observer.event({ kind: 'interrupt', device: this.name, name, text: `INTID ${intid}, cpu ${cpu}` });
  }

  #misuse(text: string): void {
    this.#observer.misuse(this.#observer.actor, `${this.name}: ${text}`);
  }

  /** All state as plain data, levels of the lines included. */
  save(): unknown {
    const saved: SavedGicv2 = {
      interrupts: this.#interrupts.save(),
      cpus: this.#cpus.map(({ prioritization, physical, virtual }) => ({
        prioritization: prioritization.save(),
        acknowledged: physical.save(),
        virtual: virtual.save(),
      })),
    };
    return saved;
  }

  load(state: unknown): void {
    const saved = state as SavedGicv2 | undefined;
    if (saved?.interrupts === undefined || saved.cpus?.length !== this.#cpus.length) {
      throw new TypeError(`${this.name}: not a saved state of this GICv2`);
    }
    this.#interrupts.load(saved.interrupts);
    this.#cpus.forEach(({ prioritization, physical, virtual }, cpu) => {
      const own = saved.cpus[cpu] as SavedCpu;
      prioritization.load(own.prioritization);
      physical.load(own.acknowledged);
      virtual.load(own.virtual);
    });
  }
}

/** Bytes of the GICH block that an offset lies in. */
function blockBytes(offset: number): number {
  return offset < GICH_ALIASES ? GICH_BYTES : GICH_ALIAS_BYTES;
}

function checkRange(what: string, value: number, from: number, to: number): void {
  if (!Number.isInteger(value) || value < from || value > to) {
    throw new RangeError(`GICv2: ${what} = ${value} is not in ${from} to ${to}`);
  }
}
