/**
 * A context of a main instance: its registers but for IMCTR, the tables that they name, the first fault, and what was walked.
 *
 * What was walked is kept by page of 4 KiB until a flush, whatever becomes of tables and registers meanwhile. Changes of the
 * registers take effect with the next walk.
 *
 * Not modelled: short descriptors (EAE = 0), ranges of TTBR1, both stages at once, the NS bits of stage 1 descriptors, which
 * hardware insists on, and software management of the Access flag, which no driver enables: AF does not count.
 */
import { get } from '../../bits.js';
import type { Translation } from '../../paging/translation.js';
import { entryBits, stage1StartLevel, stage2StartLevel, type TableStartFields } from '../../paging/vmsa-geometry.js';
import { Stage1Config } from '../../paging/vmsa-stage1.js';
import { Stage2Config } from '../../paging/vmsa-stage2.js';
import { IMTTBCR, IMTTLBR0, IMTTUBR0, IPMMU_ADDRESS_BITS, STAGE1_START_LEVELS } from './layout.js';
import { bits, type ContextRegister } from './registers.js';

const GRANULE = 12;
/** Up to 16 start tables of stage 2 lie side by side (Arm DDI 0487 D8.2). */
const LARGEST_START_BITS = 9 + 4;
/** Input bits without VA64, and the bits of TSZ0 that count then. */
const SHORT_ADDRESS_BITS = 32;
const SHORT_TSZ0_MASK = 7;

/** The most pages that are kept; one more, and all are forgotten. */
const WALKED_LIMIT = 0x4000;

/** What a walk found. */
export interface Walked {
  readonly translation: Translation;
  /** When, on the clock of the main instance. */
  readonly time: number;
}

/** The tables of a context. */
export interface Tables {
  /** The format that they have. */
  readonly config: Stage1Config | Stage2Config;
  /** Why nothing can be walked, if so: what software did wrong, or what the model lacks. */
  readonly misuse?: string;
  readonly unmodelled?: string;
}

/** The registers of a context but for IMCTR. */
export type ContextState = Readonly<Record<ContextRegister, number>>;

/** The bits of the registers that software writes. */
const KNOWN = {
  IMTTBCR: bits(...Object.values(IMTTBCR)),
  IMTTLBR0: bits(IMTTLBR0.TTBR),
  IMTTUBR0: bits(IMTTUBR0.TTBR),
  IMMAIR0: 0xffff_ffff,
} as const;

/** One context. */
export class Context {
  readonly #registers: Record<ContextRegister, number> = {
    IMTTBCR: 0,
    IMTTLBR0: 0,
    IMTTUBR0: 0,
    IMSTR: 0,
    IMMAIR0: 0,
    IMELAR: 0,
    IMEUAR: 0,
  };
  /** What the registers come to; undefined until the next walk. */
  tables: Tables | undefined;
  /** By number of the page. */
  readonly #walked = new Map<number, Walked>();

  /** What was walked for a page. */
  walked(page: number): Walked | undefined {
    return this.#walked.get(page);
  }

  /** Keeps what was walked for a page. */
  keep(page: number, walked: Walked): void {
    if (this.#walked.size === WALKED_LIMIT) this.forget();
    this.#walked.set(page, walked);
  }

  /** Forgets what was walked. */
  forget(): void {
    this.#walked.clear();
  }

  /** Records a fault, unless an earlier one is there. Whether it did. */
  record(status: number, hi: number, lo: number): boolean {
    const registers = this.#registers;
    if (registers.IMSTR !== 0) return false;
    registers.IMSTR = status;
    registers.IMELAR = lo >>> 0;
    registers.IMEUAR = hi >>> 0;
    return true;
  }

  /** Reads a register. */
  read(name: ContextRegister): number {
    return this.#registers[name];
  }

  /**
   * Writes a register. IMSTR is cleared where it is written as 0, and with its last bit the address goes; that is read-only.
   * @returns the bits that do nothing here
   */
  write(name: ContextRegister, value: number): number {
    const registers = this.#registers;
    switch (name) {
      case 'IMSTR':
        registers.IMSTR = (registers.IMSTR & value) >>> 0;
        if (registers.IMSTR === 0) registers.IMELAR = registers.IMEUAR = 0;
        return 0;
      case 'IMELAR':
      case 'IMEUAR':
        return 0;
      default: {
        const known = KNOWN[name];
        registers[name] = (value & known) >>> 0;
        this.tables = undefined;
        return (value & ~known) >>> 0;
      }
    }
  }

  /**
   * The tables that the registers name.
   * @param va64 IMCTR.VA64
   * @param s2pte IMSAUXCTLR.S2PTE of the main instance
   */
  decode(va64: boolean, s2pte: boolean): Tables {
    const registers = this.#registers;
    const ttbcr = Uint32Array.of(registers.IMTTBCR);
    const isStage2 = get(ttbcr, IMTTBCR.PMB) === 1;
    const tsz0 = get(ttbcr, IMTTBCR.TSZ0);
    const inputBits = va64 ? 64 - tsz0 : SHORT_ADDRESS_BITS - (tsz0 & SHORT_TSZ0_MASK);
    const sl0 = get(ttbcr, IMTTBCR.SL0);
    const level = isStage2 ? stage2StartLevel(GRANULE, sl0) : STAGE1_START_LEVELS[sl0];
    const fits = level !== undefined && inputBits <= IPMMU_ADDRESS_BITS && startFits(level, inputBits, isStage2);
    const isLong = get(ttbcr, IMTTBCR.EAE) === 1;
    const tables: TableStartFields = {
      granule: GRANULE,
      inputBits,
      startLevel: level ?? 1,
      base:
        get(Uint32Array.of(registers.IMTTUBR0), IMTTUBR0.TTBR) * 2 ** 32 +
        get(Uint32Array.of(registers.IMTTLBR0), IMTTLBR0.TTBR) * IMTTLBR0.TTBR.weight,
      outputBits: IPMMU_ADDRESS_BITS,
      largeAddresses: false,
      startFault: fits && isLong ? 'none' : 'translation',
    };
    const config = isStage2 && s2pte ? stage2Of(tables) : stage1Of(tables, registers.IMMAIR0);
    if (!isLong) return { config, unmodelled: 'short descriptors (IMTTBCR.EAE = 0)' };
    if (!fits) return { config, misuse: `IMTTBCR 0x${registers.IMTTBCR.toString(16)}: no walk begins so` };
    return { config };
  }

  /** The registers, as plain data. */
  save(): ContextState {
    return { ...this.#registers };
  }

  /** Takes over saved registers; nothing is kept of what was walked. */
  load(state: ContextState): void {
    Object.assign(this.#registers, state);
    this.tables = undefined;
    this.forget();
  }
}

/** Whether a walk of so many bits can begin at a level (Arm DDI 0487 D8.2). */
function startFits(level: number, inputBits: number, isStage2: boolean): boolean {
  if (!isStage2) return level === stage1StartLevel(GRANULE, inputBits);
  const perEntry = entryBits(GRANULE, level);
  return inputBits > perEntry && inputBits <= perEntry + LARGEST_START_BITS;
}

function stage1Of(tables: TableStartFields, mair: number): Stage1Config {
  return new Stage1Config({
    low: {
      ...tables,
      walksDisabled: false,
      topByteIgnored: false,
      hierarchyDisabled: false,
      unprivilegedDisabled: false,
    },
    high: undefined,
    twoPrivileges: true,
    accessFlagFault: false,
    writeExecuteNever: false,
    privilegedAccessNever: false,
    enhancedPan: false,
    mairLo: mair,
    mairHi: 0,
  });
}

function stage2Of(tables: TableStartFields): Stage2Config {
  return new Stage2Config({ ...tables, accessFlagFault: false, protectTableWalk: false, xnx: false });
}
