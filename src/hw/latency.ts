/**
 * Latency: hardware finishes later than it is told to.
 *
 * Time in the model is counted in accesses that software makes to memory; an access to a device's registers takes as long
 * as several of them. What a device defers happens a seeded time later, in an order of its own per source but always in the order in which one source deferred it. With a
 * maximum of 0 everything happens at once, which is how observed vectors are replayed.
 */

/** A source of deferred work that stays in its own order: a queue, a register, an endpoint. */
export interface Deferral {
  /** Runs `action` a seeded number of accesses from now, after everything that this source deferred before. */
  defer(action: () => void): void;
  /** Runs everything that this source has deferred, now. */
  flush(): void;
  /** How many actions wait. */
  readonly pending: number;
}

interface Waiting {
  readonly due: number;
  readonly sequence: number;
  readonly source: object;
  readonly action: () => void;
}

/** The clock of a machine: counts accesses and runs what is due. */
export class Latency {
  readonly maximum: number;
  #state: number;
  #now = 0;
  #sequence = 0;
  #waiting: Waiting[] = [];

  /**
   * @param seed any 32-bit number; equal seeds give equal delays
   * @param maximum the largest delay, in accesses to memory; 0 for none
   */
  constructor(seed: number, maximum: number) {
    this.#state = seed >>> 0;
    this.maximum = maximum;
  }

  /** mulberry32, a public-domain 32-bit generator: enough to scatter delays, and the same on every machine. */
  #random(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** Makes a source of deferred work. */
  source(): Deferral {
    const source = {};
    let last = 0;
    let pending = 0;
    const isOwn = (w: Waiting) => w.source === source;
    return {
      defer: (action) => {
        if (this.maximum === 0) {
          action();
          return;
        }
        const due = Math.max(last, this.#now + 1 + (this.#random() % this.maximum));
        last = due;
        pending++;
        this.#insert({
          due,
          sequence: this.#sequence++,
          source,
          action: () => {
            pending--;
            action();
          },
        });
      },
      flush: () => {
        for (let next = this.#waiting.find(isOwn); next !== undefined; next = this.#waiting.find(isOwn)) {
          this.#waiting.splice(this.#waiting.indexOf(next), 1);
          next.action();
        }
      },
      get pending() {
        return pending;
      },
    };
  }

  #insert(waiting: Waiting): void {
    let at = this.#waiting.length;
    while (at > 0 && (this.#waiting[at - 1] as Waiting).due > waiting.due) at--;
    this.#waiting.splice(at, 0, waiting);
  }

  /** An access has been made that takes as long as `duration` accesses to memory: runs what has become due. */
  tick(duration = 1): void {
    this.#now += duration;
    const next = this.#waiting[0];
    if (next !== undefined && next.due <= this.#now) this.#runDue();
  }

  /** Lets time pass until nothing waits: for a guest or a check that waits for the hardware to settle. */
  settle(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      this.#now = Math.max(this.#now, next.due);
      this.#runDue();
    }
  }

  #runDue(): void {
    for (let next = this.#waiting[0]; next !== undefined && next.due <= this.#now; next = this.#waiting[0]) {
      this.#waiting.shift();
      next.action();
    }
  }
}
