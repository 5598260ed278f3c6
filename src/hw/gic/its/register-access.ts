/**
 * The ITS_base frame as software sees it: Arm IHI 0069 12.18 and 12.19. 32-bit accesses; 64-bit registers are two of
 * them. Reserved offsets are RAZ/WI.
 *
 * What is UNPREDICTABLE here is ignored and reported as misuse: writes of GITS_CBASER and GITS_BASER<n> unless
 * GITS_CTLR.Enabled is 0 and Quiescent is 1, and setting Enabled while Quiescent is 0. A GITS_CWRITER beyond the queue
 * stops the queue until it is within.
 */
import { encode, type Field, get, type Layout, put } from '../../bits.js';
import {
  ARCH_REV,
  BASER_COUNT,
  COMMAND_BYTES,
  COMMAND_QUEUE_ALIGNMENT,
  CTE_BYTES,
  DTE_BYTES,
  GITS,
  GITS_BASER,
  GITS_CBASER,
  GITS_CREADR,
  GITS_CTLR,
  GITS_CWRITER,
  GITS_IIDR,
  GITS_PIDR2,
  GITS_TYPER,
  PAGE_SIZE,
  TABLE_TYPE,
  TRANSLATION_FRAME,
} from './layout.js';
import type { RegisterFile } from './registers.js';

/** What the ITS offers: GITS_TYPER, and the page sizes that GITS_BASER<n> takes. */
export interface Features {
  readonly deviceBits: number;
  readonly eventBits: number;
  readonly ittEntryBytes: number;
  readonly collectionIdBits: number;
  readonly hardwareCollections: number;
  readonly pta: boolean;
  /** Values of GITS_BASER<n>.Page_Size. */
  readonly pageSizes: readonly number[];
}

/** What writes set going. */
export interface RegisterEffects {
  /** GITS_CTLR.Enabled went to 0. */
  disabled(): void;
  /** There may be commands to process. */
  commands(): void;
  /** A GITS_BASER<n> was written. */
  tables(): void;
  misuse(text: string): void;
}

/** Collection IDs have this many bits unless GITS_TYPER.CIL is 1 (12.19, GITS_TYPER). */
const COLLECTION_ID_BITS = 16;

/** GITS_BASER0 and 1; the others are not implemented, so RES0. */
const TABLES = [
  { type: TABLE_TYPE.DEVICES, entryBytes: DTE_BYTES },
  { type: TABLE_TYPE.COLLECTIONS, entryBytes: CTE_BYTES },
] as const;

/** An Arm part. The product id is left zero. */
const IIDR = encode(GITS_IIDR, 32, { IMPLEMENTER: 0x43b });
/** PIDR4 to 7, PIDR0 to 3, CIDR0 to 3: 64 KiB, JEP106 code of Arm (4, 0x3b), no part number, the component preamble. */
const IDENTIFICATION = [0x44, 0, 0, 0, 0x00, 0xb0, 0x0b, 0, 0x0d, 0xf0, 0x05, 0xb1] as const;

/** The bits of fields in each word. */
function writable(form: Layout<string>, ...readOnly: Field[]): Uint32Array {
  const bits = new Uint32Array(2);
  for (const field of Object.values(form)) {
    if (!readOnly.includes(field)) put(bits, field, 2 ** field.width - 1);
  }
  return bits;
}

const CBASER_BITS = writable(GITS_CBASER);
const BASER_BITS = writable(GITS_BASER, GITS_BASER.TYPE, GITS_BASER.ENTRY_SIZE);
const BASER_READ_ONLY = TABLES.map(({ type, entryBytes }) =>
  encode(GITS_BASER, 64, { TYPE: type, ENTRY_SIZE: entryBytes - 1 }),
);

/** Sets the fixed fields of GITS_BASER<n>: how the registers come out of reset. */
export function resetTables(registers: RegisterFile, { pageSizes }: Features): void {
  for (const [n, fixed] of BASER_READ_ONLY.entries()) {
    const baser = registers.basers[n] as Uint32Array;
    baser.set(fixed);
    put(baser, GITS_BASER.PAGE_SIZE, pageSizes[0] ?? PAGE_SIZE.KIB_4);
  }
}

/** The register map. */
export class RegisterAccess {
  readonly #registers: RegisterFile;
  readonly #features: Features;
  readonly #effects: RegisterEffects;
  readonly #typer: Uint32Array;
  readonly #scratch = new Uint32Array(2);

  constructor(registers: RegisterFile, features: Features, effects: RegisterEffects) {
    this.#registers = registers;
    this.#features = features;
    this.#effects = effects;
    const isLimited = features.collectionIdBits !== COLLECTION_ID_BITS;
    this.#typer = encode(GITS_TYPER, 64, {
      PHYSICAL: 1,
      ITT_ENTRY_SIZE: features.ittEntryBytes - 1,
      ID_BITS: features.eventBits - 1,
      DEVBITS: features.deviceBits - 1,
      PTA: features.pta ? 1 : 0,
      HCC: features.hardwareCollections,
      CIL: isLimited ? 1 : 0,
      CIDBITS: isLimited ? features.collectionIdBits - 1 : 0,
    });
  }

  /** Reads 4 naturally aligned bytes of the ITS_base frame. */
  read(offset: number): number {
    const registers = this.#registers;
    const half = (offset >>> 2) & 1;
    switch (offset) {
      case GITS.CTLR:
        return field32(GITS_CTLR.ENABLED, registers.enabled) | field32(GITS_CTLR.QUIESCENT, registers.quiescent);
      case GITS.IIDR:
        return IIDR[0] as number;
      case GITS.TYPER:
      case GITS.TYPER + 4:
        return this.#typer[half] as number;
      case GITS.CBASER:
      case GITS.CBASER + 4:
        return registers.cbaser[half] as number;
      case GITS.CWRITER:
        return registers.cwriter;
      case GITS.CREADR:
        return registers.creadr | field32(GITS_CREADR.STALLED, registers.stalled);
      default:
        break;
    }
    const baser = (offset - GITS.BASER) >>> 3;
    if (offset >= GITS.BASER && baser < BASER_COUNT) return registers.basers[baser]?.[half] ?? 0;
    if (offset >= GITS.PIDR4 && offset < TRANSLATION_FRAME) return identification(offset);
    return 0;
  }

  /** Writes 4 naturally aligned bytes of the ITS_base frame. */
  write(offset: number, value: number): void {
    const half = (offset >>> 2) & 1;
    switch (offset) {
      case GITS.CTLR:
        this.#control(value);
        return;
      case GITS.CBASER:
      case GITS.CBASER + 4:
        this.#queue(half, value);
        return;
      case GITS.CWRITER:
        this.#writePointer(value);
        return;
      default:
        break;
    }
    const baser = (offset - GITS.BASER) >>> 3;
    if (offset >= GITS.BASER && baser < TABLES.length) this.#table(baser, half, value);
  }

  /** GITS_CTLR. */
  #control(value: number): void {
    const registers = this.#registers;
    this.#scratch[0] = value;
    const enabled = get(this.#scratch, GITS_CTLR.ENABLED) === 1;
    if (enabled === registers.enabled) return;
    if (!enabled) {
      registers.enabled = false;
      this.#effects.disabled();
      return;
    }
    if (!registers.quiescent) {
      this.#effects.misuse('GITS_CTLR.Enabled set while GITS_CTLR.Quiescent is 0');
      return;
    }
    registers.enabled = true;
    registers.quiescent = false;
    this.#effects.commands();
  }

  #isLocked(name: string): boolean {
    const { enabled, quiescent } = this.#registers;
    if (!enabled && quiescent) return false;
    this.#effects.misuse(`${name} written while GITS_CTLR.${enabled ? 'Enabled is 1' : 'Quiescent is 0'}`);
    return true;
  }

  /** GITS_CBASER: a write sets GITS_CREADR to zero. */
  #queue(half: number, value: number): void {
    if (this.#isLocked('GITS_CBASER')) return;
    const { cbaser } = this.#registers;
    cbaser[half] = value & (CBASER_BITS[half] as number);
    if (half === 0 && (get(cbaser, GITS_CBASER.PHYSICAL_ADDRESS) * 2 ** 12) % COMMAND_QUEUE_ALIGNMENT !== 0) {
      this.#effects.misuse('GITS_CBASER.Physical_Address is not a multiple of 64 KiB');
    }
    this.#registers.creadr = 0;
    this.#registers.stalled = false;
  }

  /** GITS_CWRITER. */
  #writePointer(value: number): void {
    const registers = this.#registers;
    this.#scratch[0] = value;
    registers.cwriter = get(this.#scratch, GITS_CWRITER.OFFSET) * COMMAND_BYTES;
    if (registers.cwriter >= registers.queueBytes) this.#effects.misuse('GITS_CWRITER is beyond the command queue');
    if (get(this.#scratch, GITS_CWRITER.RETRY) === 1) registers.stalled = false;
    this.#effects.commands();
  }

  /** GITS_BASER<n>: a page size that is not supported leaves the field as it was. */
  #table(n: number, half: number, value: number): void {
    if (this.#isLocked(`GITS_BASER${n}`)) return;
    const baser = this.#registers.basers[n] as Uint32Array;
    const before = get(baser, GITS_BASER.PAGE_SIZE);
    const fixed = BASER_READ_ONLY[n] as Uint32Array;
    baser[half] = (value & (BASER_BITS[half] as number)) | (fixed[half] as number);
    const asked = Math.min(get(baser, GITS_BASER.PAGE_SIZE), PAGE_SIZE.KIB_64);
    put(baser, GITS_BASER.PAGE_SIZE, this.#features.pageSizes.includes(asked) ? asked : before);
    this.#effects.tables();
  }
}

function field32(field: Field, set: boolean): number {
  return set ? (1 << field.shift) >>> 0 : 0;
}

function identification(offset: number): number {
  const id = IDENTIFICATION[(offset - GITS.PIDR4) >>> 2] as number;
  return offset === GITS.PIDR2 ? id | ((ARCH_REV.GICV3 << GITS_PIDR2.ARCH_REV.shift) >>> 0) : id;
}
