/**
 * SMMUv3 registers as software sees them: Arm IHI 0070 6.2 and 6.3. Page 0 and page 1, 32-bit accesses; 64-bit registers
 * are two of them. Says which writes count; what a write sets going is told to {@link RegisterEffects}.
 *
 * A write to a register that is guarded (a base while its queue or table is enabled, 6.3.24 to 6.3.36) is ignored and
 * reported as misuse. Reserved offsets are RAZ/WI.
 *
 * Not modelled: the page 0 alias of the event and PRI queue indices (optional, RAZ/WI), STATUSR and AGBPA (zero), the
 * ATOS, VATOS, MPAM, ECMDQ and Secure registers.
 */
import type { Field } from '../../bits.js';
import type { Deferral } from '../../latency.js';
import type { Features, IdRegisters } from './features.js';
import {
  CMDQ_CONS,
  CR0,
  CR1,
  CR2,
  GBPA,
  IRQ_CFG0,
  IRQ_CFG2,
  IRQ_CTRL,
  PRIQ_IRQ_CFG2,
  QUEUE_BASE,
  QUEUE_INDEX,
  REGISTER,
  REGISTER_BYTES,
  STRTAB_BASE,
  STRTAB_BASE_CFG,
} from './layout.js';
import type { OutputIndices } from './queues.js';
import { type InterruptSource, mask, type Pair, type RegisterFile } from './registers.js';

/** What writes set going. */
export interface RegisterEffects {
  /** CR0ACK took over a new value. */
  enabled(now: number, before: number): void;
  /** CMDQ_PROD moved, or a command queue error was acknowledged: there may be commands to consume. */
  commands(): void;
  /** EVENTQ_CONS moved or an event queue abort was acknowledged: there may be room for held events. */
  eventRoom(): void;
  /** IRQ_CTRLACK is about to take over a new value: interrupts under way have arrived before it shows (6.3.16). */
  interrupts(): void;
  misuse(text: string): void;
}

/** CIDR0..3 are the same for every CoreSight component; PIDR is left zero (6.3.75). */
const IDENTIFICATION = [0, 0, 0, 0, 0, 0, 0, 0, 0x0d, 0xf0, 0x05, 0xb1] as const;

/** The bits of fields in the upper half of a 64-bit register. */
function upperMask(...fields: Field[]): number {
  let bits = 0;
  for (const field of fields) {
    if (field.word === 1) bits |= field.mask << field.shift;
    else if (field.upperMask !== 0) bits |= field.upperMask;
  }
  return bits >>> 0;
}

const STREAM_BASE_LO = mask(STRTAB_BASE.ADDR);
const STREAM_BASE_HI = upperMask(STRTAB_BASE.ADDR, STRTAB_BASE.RA);
const QUEUE_BASE_LO = mask(QUEUE_BASE.LOG2SIZE, QUEUE_BASE.ADDR);
const QUEUE_BASE_HI = upperMask(QUEUE_BASE.ADDR, QUEUE_BASE.HINT);
const MSI_LO = mask(IRQ_CFG0.ADDR);
const MSI_HI = upperMask(IRQ_CFG0.ADDR);
const STRTAB_CFG_BITS = mask(STRTAB_BASE_CFG.LOG2SIZE, STRTAB_BASE_CFG.SPLIT, STRTAB_BASE_CFG.FMT);
const INDEX_BITS = mask(QUEUE_INDEX.INDEX);
const OUTPUT_INDEX_BITS = mask(QUEUE_INDEX.INDEX, QUEUE_INDEX.OVERFLOW);
const COMMAND_CONS_BITS = mask(CMDQ_CONS.RD, CMDQ_CONS.ERR);
const CR1_QUEUE = mask(CR1.QUEUE_IC, CR1.QUEUE_OC, CR1.QUEUE_SH);
const CR1_TABLE = mask(CR1.TABLE_IC, CR1.TABLE_OC, CR1.TABLE_SH);
const GBPA_BITS = mask(GBPA.MEMATTR, GBPA.MTCFG, GBPA.ALLOCCFG, GBPA.SHCFG, GBPA.PRIVCFG, GBPA.INSTCFG, GBPA.ABORT);
const GBPA_UPDATE = mask(GBPA.UPDATE);
const CFG2_BITS = mask(IRQ_CFG2.MEMATTR, IRQ_CFG2.SH);
const LAST_ONLY = mask(PRIQ_IRQ_CFG2.LO);

/** One register, as software reads and writes it. */
interface Port {
  readonly read: () => number;
  readonly write: (value: number) => void;
}

/** The register map. */
export class RegisterAccess {
  readonly #registers: RegisterFile;
  readonly #features: Features;
  readonly #ids: IdRegisters;
  readonly #effects: RegisterEffects;
  readonly #acknowledge: Deferral;
  readonly #cr0Bits: number;
  readonly #cr2Bits: number;
  readonly #irqBits: number;
  readonly #map = new Map<number, Port>();
  /** GBPA with UPDATE while an update is under way: new values read back at once (6.3.14). */
  #gbpaUpdate: number | undefined;

  /** @param acknowledge where acknowledgements (CR0ACK, IRQ_CTRLACK, GBPA.UPDATE) wait */
  constructor(
    registers: RegisterFile,
    features: Features,
    ids: IdRegisters,
    effects: RegisterEffects,
    acknowledge: Deferral,
  ) {
    this.#registers = registers;
    this.#features = features;
    this.#ids = ids;
    this.#effects = effects;
    this.#acknowledge = acknowledge;
    this.#cr0Bits =
      mask(CR0.SMMUEN, CR0.EVENTQEN, CR0.CMDQEN) |
      (features.pri ? mask(CR0.PRIQEN) : 0) |
      (features.ats ? mask(CR0.ATSCHK) : 0);
    this.#cr2Bits =
      mask(CR2.RECINVSID, CR2.PTM) |
      (features.hyp ? mask(CR2.E2H) : 0) |
      (features.recordAtsErrors ? mask(CR2.REC_CFG_ATS) : 0);
    this.#irqBits = mask(IRQ_CTRL.GERROR, IRQ_CTRL.EVENTQ) | (features.pri ? mask(IRQ_CTRL.PRIQ) : 0);
    this.#defineAll();
  }

  /** Reads 4 naturally aligned bytes. Undefined: not such an access. Reserved registers read as zero. */
  read(offset: number, width: number): number | undefined {
    if (width !== 4 || offset % 4 !== 0 || !(offset >= 0 && offset < REGISTER_BYTES)) return undefined;
    return (this.#map.get(offset)?.read() ?? 0) >>> 0;
  }

  /** Writes 4 naturally aligned bytes. False: not such an access. Writes to reserved registers are ignored. */
  write(offset: number, width: number, value: number): boolean {
    if (width !== 4 || offset % 4 !== 0 || !(offset >= 0 && offset < REGISTER_BYTES)) return false;
    this.#map.get(offset)?.write(value >>> 0);
    return true;
  }

  #define(offset: number, read: () => number, write: (value: number) => void = () => {}): void {
    this.#map.set(offset, { read, write });
  }

  /** The register map, in the order of 6.2. */
  #defineAll(): void {
    const { IDR0, IDR1, IDR3, IDR5, IIDR, AIDR } = this.#ids;
    this.#define(REGISTER.IDR0, () => IDR0);
    this.#define(REGISTER.IDR1, () => IDR1);
    this.#define(REGISTER.IDR3, () => IDR3);
    this.#define(REGISTER.IDR5, () => IDR5);
    this.#define(REGISTER.IIDR, () => IIDR);
    this.#define(REGISTER.AIDR, () => AIDR);
    this.#define(
      REGISTER.CR0,
      () => this.#registers.cr0,
      (value) => this.#writeCr0(value),
    );
    this.#define(REGISTER.CR0ACK, () => this.#registers.cr0ack);
    this.#define(
      REGISTER.CR1,
      () => this.#registers.cr1,
      (value) => this.#writeCr1(value),
    );
    this.#define(
      REGISTER.CR2,
      () => this.#registers.cr2,
      (value) => {
        if (!this.#guarded('CR2', CR0.SMMUEN)) this.#registers.cr2 = value & this.#cr2Bits;
      },
    );
    this.#define(
      REGISTER.GBPA,
      () => this.#gbpaUpdate ?? this.#registers.gbpa,
      (value) => this.#writeGbpa(value),
    );
    this.#define(
      REGISTER.IRQ_CTRL,
      () => this.#registers.irqCtrl,
      (value) => this.#writeIrqCtrl(value),
    );
    this.#define(REGISTER.IRQ_CTRLACK, () => this.#registers.irqCtrlAck);
    this.#define(REGISTER.GERROR, () => this.#registers.gerror);
    this.#define(
      REGISTER.GERRORN,
      () => this.#registers.gerrorn,
      (value) => this.#writeGerrorn(value),
    );
    this.#definePair(REGISTER.STRTAB_BASE, this.#registers.strtabBase, STREAM_BASE_LO, STREAM_BASE_HI, () =>
      this.#guarded('STRTAB_BASE', CR0.SMMUEN),
    );
    this.#define(
      REGISTER.STRTAB_BASE_CFG,
      () => this.#registers.strtabCfg,
      (value) => {
        if (!this.#guarded('STRTAB_BASE_CFG', CR0.SMMUEN)) this.#registers.strtabCfg = value & STRTAB_CFG_BITS;
      },
    );
    this.#defineCommandQueue();
    this.#defineOutputQueue('EVENTQ', CR0.EVENTQEN, this.#registers.events, () => this.#effects.eventRoom());
    if (this.#features.pri) this.#defineOutputQueue('PRIQ', CR0.PRIQEN, this.#registers.pageRequests, () => {});
    this.#defineInterrupt('GERROR', REGISTER.GERROR_IRQ_CFG0, 0);
    this.#defineInterrupt('EVENTQ', REGISTER.EVENTQ_IRQ_CFG0, 0);
    if (this.#features.pri) this.#defineInterrupt('PRIQ', REGISTER.PRIQ_IRQ_CFG0, LAST_ONLY);
    IDENTIFICATION.forEach((value, i) => {
      this.#define(REGISTER.ID_REGS + i * 4, () => value);
    });
  }

  #definePair(offset: number, pair: Pair, loBits: number, hiBits: number, guarded: () => boolean): void {
    this.#define(
      offset,
      () => pair.lo,
      (value) => {
        if (!guarded()) pair.lo = (value & loBits) >>> 0;
      },
    );
    this.#define(
      offset + 4,
      () => pair.hi,
      (value) => {
        if (!guarded()) pair.hi = (value & hiBits) >>> 0;
      },
    );
  }

  #defineCommandQueue(): void {
    this.#definePair(REGISTER.CMDQ_BASE, this.#registers.base.CMDQ, QUEUE_BASE_LO, QUEUE_BASE_HI, () =>
      this.#guarded('CMDQ_BASE', CR0.CMDQEN),
    );
    this.#define(
      REGISTER.CMDQ_PROD,
      () => this.#registers.commandProd,
      (value) => {
        this.#registers.commandProd = value & INDEX_BITS;
        this.#effects.commands();
      },
    );
    this.#define(
      REGISTER.CMDQ_CONS,
      () => this.#registers.commandCons,
      (value) => {
        if (!this.#guarded('CMDQ_CONS', CR0.CMDQEN)) this.#registers.commandCons = value & COMMAND_CONS_BITS;
      },
    );
  }

  #defineOutputQueue(name: 'EVENTQ' | 'PRIQ', enable: Field, indices: OutputIndices, room: () => void): void {
    this.#definePair(REGISTER[`${name}_BASE`], this.#registers.base[name], QUEUE_BASE_LO, QUEUE_BASE_HI, () =>
      this.#guarded(`${name}_BASE`, enable),
    );
    this.#define(
      REGISTER[`${name}_PROD`],
      () => indices.prod,
      (value) => {
        if (!this.#guarded(`${name}_PROD`, enable)) indices.prod = (value & OUTPUT_INDEX_BITS) >>> 0;
      },
    );
    this.#define(
      REGISTER[`${name}_CONS`],
      () => indices.cons,
      (value) => {
        indices.cons = (value & OUTPUT_INDEX_BITS) >>> 0;
        room();
      },
    );
  }

  /**
   * IRQ_CFG0 (two halves), CFG1 and CFG2 of a source; what describes its MSI exists only with IDR0.MSI.
   * @param always the bits of CFG2 that exist without
   */
  #defineInterrupt(source: InterruptSource, first: number, always: number): void {
    const words = this.#registers.interrupts[source];
    const { msi } = this.#features;
    const all = msi ? [MSI_LO, MSI_HI, 0xffff_ffff, CFG2_BITS | always] : [0, 0, 0, always];
    all.forEach((bits, i) => {
      if (bits === 0) return;
      this.#define(
        first + i * 4,
        () => words[i] as number,
        (value) => {
          if (((this.#registers.irqCtrl | this.#registers.irqCtrlAck) & mask(IRQ_CTRL[source])) === 0)
            words[i] = value & bits;
          else this.#effects.misuse(`${source}_IRQ_CFG written while IRQ_CTRL enables it: ignored`);
        },
      );
    });
  }

  /** Whether an enable of CR0 guards a register: set in CR0 or not yet cleared in CR0ACK. The write is ignored then. */
  #guarded(name: string, enable: Field): boolean {
    if (((this.#registers.cr0 | this.#registers.cr0ack) & mask(enable)) === 0) return false;
    this.#effects.misuse(`${name} written while CR0.${enable.name} is set or not yet acknowledged as clear: ignored`);
    return true;
  }

  #writeCr0(value: number): void {
    const next = value & this.#cr0Bits;
    const twice = (this.#registers.cr0 ^ next) & (this.#registers.cr0 ^ this.#registers.cr0ack);
    if (twice !== 0) {
      // 6.3.9: CONSTRAINED UNPREDICTABLE; here every change takes effect in its turn.
      this.#effects.misuse(`CR0 changes bits 0x${twice.toString(16)} whose last change CR0ACK does not show yet`);
    }
    this.#registers.cr0 = next;
    this.#acknowledge.defer(() => {
      const before = this.#registers.cr0ack;
      this.#registers.cr0ack = next;
      this.#effects.enabled(next, before);
    });
  }

  #writeCr1(value: number): void {
    const enabled = this.#registers.cr0 | this.#registers.cr0ack;
    let bits = 0;
    if ((enabled & mask(CR0.CMDQEN, CR0.EVENTQEN, CR0.PRIQEN)) === 0) bits |= CR1_QUEUE;
    if ((enabled & mask(CR0.SMMUEN)) === 0) bits |= CR1_TABLE;
    if (((value ^ this.#registers.cr1) & (CR1_QUEUE | CR1_TABLE) & ~bits) !== 0) {
      this.#effects.misuse('CR1 written while what it describes is enabled: ignored');
    }
    this.#registers.cr1 = (this.#registers.cr1 & ~bits) | (value & bits);
  }

  #writeGbpa(value: number): void {
    if ((value & GBPA_UPDATE) === 0 || this.#gbpaUpdate !== undefined) {
      const why = this.#gbpaUpdate === undefined ? 'without UPDATE' : 'while UPDATE is set';
      this.#effects.misuse(`GBPA written ${why}: ignored`);
      return;
    }
    this.#gbpaUpdate = value & (GBPA_BITS | GBPA_UPDATE);
    this.#acknowledge.defer(() => {
      this.#registers.gbpa = value & GBPA_BITS;
      this.#gbpaUpdate = undefined;
    });
  }

  #writeIrqCtrl(value: number): void {
    const next = value & this.#irqBits;
    this.#registers.irqCtrl = next;
    this.#acknowledge.defer(() => {
      this.#effects.interrupts();
      this.#registers.irqCtrlAck = next;
    });
  }

  #writeGerrorn(value: number): void {
    const inactive = (value ^ this.#registers.gerrorn) & ~(this.#registers.gerror ^ this.#registers.gerrorn);
    if (inactive !== 0) {
      // 7.5: CONSTRAINED UNPREDICTABLE; here the register takes what is written, so that the error shows as active.
      this.#effects.misuse(`GERRORN toggles bits 0x${(inactive >>> 0).toString(16)} of errors that are not active`);
    }
    this.#registers.gerrorn = value;
    this.#effects.commands();
    this.#effects.eventRoom();
  }

  /** Gives every acknowledgement that waits. */
  settle(): void {
    this.#acknowledge.flush();
  }
}
