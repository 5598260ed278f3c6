/** Interrupt lines that several devices drive: a wired OR. */
import type { InterruptLine } from '../hw/interrupt.js';

/** One input of a controller, high while any of those that drive it is. */
export class WiredLine {
  readonly #input: InterruptLine;
  #high = 0;

  constructor(input: InterruptLine) {
    this.#input = input;
  }

  /** A line of its own for one more that drives the input; low at first. */
  driver(): InterruptLine {
    let level = false;
    return {
      set: (next) => {
        if (next === level) return;
        level = next;
        this.#high += next ? 1 : -1;
        if (this.#high === (next ? 1 : 0)) this.#input.set(next);
      },
    };
  }
}
