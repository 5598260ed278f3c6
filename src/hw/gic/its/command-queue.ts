/**
 * The command queue: Arm IHI 0069 5.3, and 12.19 (GITS_CBASER, GITS_CREADR, GITS_CWRITER).
 *
 * Commands are read from memory and executed in order, each a while after the one before. What the ITS does about a
 * command error is CONSTRAINED UNPREDICTABLE; this one stalls, as the CoreLink GIC-600 does: GITS_CREADR stays on the
 * command with Stalled = 1, and GITS_CWRITER.Retry executes it again, as it then is in memory. No SError is generated
 * (GITS_TYPER.SEIS is 0).
 */
import { hex } from '../../address.js';
import { get } from '../../bits.js';
import type { Deferral, Latency } from '../../latency.js';
import type { PhysicalMemory } from '../../memory.js';
import { type CommandContext, commandName, execute, operands } from './commands.js';
import { CMD, COMMAND_BYTES, COMMAND_ERROR, type CommandError } from './layout.js';
import type { RegisterFile } from './registers.js';

/** What a command queue needs. */
export interface CommandQueueParts {
  readonly registers: RegisterFile;
  readonly memory: PhysicalMemory;
  readonly latency: Latency;
  readonly context: CommandContext;
  readonly tell: (kind: 'command' | 'fault', name: string, text: string) => void;
}

/** The command queue. */
export class CommandQueue {
  readonly #parts: CommandQueueParts;
  readonly #consumption: Deferral;
  readonly #words = new Uint32Array(COMMAND_BYTES / 4);
  #scheduled = false;

  constructor(parts: CommandQueueParts) {
    this.#parts = parts;
    this.#consumption = parts.latency.source();
  }

  /** There may be commands: executes them, in time. */
  poke(): void {
    if (this.#parts.latency.maximum === 0) {
      while (this.#consume());
    } else {
      this.#schedule();
    }
  }

  #schedule(): void {
    if (this.#scheduled || !this.#hasWork()) return;
    this.#scheduled = true;
    this.#consumption.defer(() => {
      this.#scheduled = false;
      if (this.#consume()) this.#schedule();
    });
  }

  /** Executes everything that waits: before a snapshot. */
  settle(): void {
    while (this.#consumption.pending > 0) this.#consumption.flush();
  }

  #hasWork(): boolean {
    const { registers } = this.#parts;
    return registers.runs && registers.creadr !== registers.cwriter;
  }

  /** Executes one command. Whether there may be more to do. */
  #consume(): boolean {
    if (!this.#hasWork()) return false;
    const { registers, memory, context, tell } = this.#parts;
    const words = this.#words;
    if (!memory.loadWords(registers.queueAddress + registers.creadr, words, words.length)) {
      this.#stall('EXTERNAL_ABORT', 'the command queue');
      return false;
    }
    const name = commandName(words);
    if (name === undefined) {
      this.#stall('UNKNOWN_COMMAND', `command ${hex(get(words, CMD.COMMAND))}`);
      return false;
    }
    const error = execute(name, words, context);
    if (error !== undefined) {
      this.#stall(error, `${name} ${operands(name, words)}`);
      return false;
    }
    tell('command', name, operands(name, words));
    registers.advance();
    return true;
  }

  #stall(error: CommandError, text: string): void {
    const { registers, tell } = this.#parts;
    registers.stalled = true;
    const code = `0x${COMMAND_ERROR[error].toString(16).padStart(6, '0')}`;
    tell('fault', error, `${text}: ${error} ${code}, stalled at ${hex(registers.creadr)}`);
  }
}
