/**
 * The state of one Arm64 CPU: system registers (Arm DDI 0487 D24.2), general-purpose registers, translations.
 */
import { encode, put } from '../bits.js';
import type { Initiator } from '../bus.js';
import type { CpuInterface } from '../interrupt.js';
import type { SystemRegister, Value64 } from '../machine.js';
import type { PhysicalMemory } from '../memory.js';
import { ID_AA64MMFR0_EL1, ID_AA64MMFR1_EL1, ID_AA64MMFR2_EL1, MPIDR_EL1, REGISTER_BITS } from './layout.js';
import { Stage2Mmu } from './stage2.js';

/** Identification registers that a board sets. */
export type IdRegister = 'ID_AA64MMFR0_EL1' | 'ID_AA64MMFR1_EL1' | 'ID_AA64MMFR2_EL1';

/** Two words as a value. */
export function value64(words: Uint32Array): Value64 {
  return { hi: words[1] as number, lo: words[0] as number };
}

/** 44 bits of physical address, all granules, 16-bit VMIDs and ASIDs, FEAT_XNX; no FEAT_TTST. */
export const DEFAULT_ID_REGISTERS: Readonly<Record<IdRegister, Value64>> = {
  ID_AA64MMFR0_EL1: value64(
    encode(ID_AA64MMFR0_EL1, REGISTER_BITS, { PARange: 4, ASIDBits: 2, TGran16: 1, TGran64: 0, TGran4: 0 }),
  ),
  ID_AA64MMFR1_EL1: value64(encode(ID_AA64MMFR1_EL1, REGISTER_BITS, { VMIDBits: 2, XNX: 1 })),
  ID_AA64MMFR2_EL1: value64(encode(ID_AA64MMFR2_EL1, REGISTER_BITS, {})),
};

/** Registers that software reads only. */
export const READ_ONLY: readonly SystemRegister[] = [
  'MPIDR_EL1',
  'ID_AA64MMFR0_EL1',
  'ID_AA64MMFR1_EL1',
  'ID_AA64MMFR2_EL1',
];
const WRITABLE: readonly SystemRegister[] = [
  'HCR_EL2',
  'VTCR_EL2',
  'VTTBR_EL2',
  'ESR_EL2',
  'FAR_EL2',
  'HPFAR_EL2',
  'ELR_EL2',
  'SPSR_EL2',
];
const GENERAL_REGISTERS = 31;
/** CPUs of one value of Aff1: as many as a target list of ICC_SGI1R_EL1 has room for. */
const CLUSTER = 16;

/** One CPU as saved. */
export interface SavedCpu {
  readonly system: Readonly<Record<string, readonly number[]>>;
  readonly general: readonly number[];
  readonly guest: string | undefined;
}

/** One CPU: its registers, its translations, and what it is doing. */
export class Cpu {
  readonly system = new Map<SystemRegister, Uint32Array>();
  readonly general = new Uint32Array(2 * GENERAL_REGISTERS);
  readonly mmu: Stage2Mmu;
  /** TLB maintenance that awaits a DSB. */
  maintenance: ((mmu: Stage2Mmu) => void)[] = [];
  /** The guest that runs; undefined at EL2. */
  guest: string | undefined = undefined;
  /** Within a vector: on behalf of the guest, or for an interrupt. */
  trapped = false;
  /** A physical FIQ has been reported. */
  fiqReported = false;
  readonly name: string;
  /** Who makes the accesses of its guests. */
  readonly initiator: Initiator;
  /** What an interrupt controller offers it. */
  readonly interface: CpuInterface | undefined;

  /**
   * @param id identification registers; what is not given is as {@link DEFAULT_ID_REGISTERS} has it
   */
  constructor(
    number: number,
    memory: PhysicalMemory,
    id: Partial<Record<IdRegister, Value64>>,
    offered: CpuInterface | undefined,
  ) {
    this.name = `cpu${number}`;
    this.initiator = { cpu: number };
    this.interface = offered;
    for (const register of [...READ_ONLY, ...WRITABLE]) this.system.set(register, new Uint32Array(2));
    const values = { ...DEFAULT_ID_REGISTERS, ...id };
    for (const register of Object.keys(DEFAULT_ID_REGISTERS) as IdRegister[]) {
      this.words(register).set([values[register].lo, values[register].hi]);
    }
    put(this.words('MPIDR_EL1'), MPIDR_EL1.RES1, 1);
    put(this.words('MPIDR_EL1'), MPIDR_EL1.Aff0, number % CLUSTER);
    put(this.words('MPIDR_EL1'), MPIDR_EL1.Aff1, Math.floor(number / CLUSTER));
    this.mmu = new Stage2Mmu(memory, {
      mmfr0: this.words('ID_AA64MMFR0_EL1'),
      mmfr1: this.words('ID_AA64MMFR1_EL1'),
      mmfr2: this.words('ID_AA64MMFR2_EL1'),
      hcr: this.words('HCR_EL2'),
      vtcr: this.words('VTCR_EL2'),
      vttbr: this.words('VTTBR_EL2'),
    });
  }

  words(register: SystemRegister): Uint32Array {
    return this.system.get(register) as Uint32Array;
  }

  /** Registers and the running guest, as plain data. */
  save(): SavedCpu {
    return {
      system: Object.fromEntries([...this.system].map(([name, words]) => [name, [...words]])),
      general: [...this.general],
      guest: this.guest,
    };
  }

  /** Takes a saved state; caches are cold, and maintenance that awaited a DSB is forgotten. */
  load({ system, general, guest }: SavedCpu): void {
    for (const [name, words] of Object.entries(system)) this.words(name as SystemRegister).set(words);
    this.general.set(general);
    this.guest = guest;
    this.maintenance = [];
    this.mmu.invalidateAll();
    this.mmu.changed();
  }
}
