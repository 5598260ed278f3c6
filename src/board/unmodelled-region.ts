/** Regions of the map that the model knows of and lacks. */
import type { RegisterDevice } from '../hw/bus.js';
import type { Observer } from '../hw/observer.js';

/** A region of the map that a real board has and the model lacks: reads as zero, and says so. */
export class UnmodelledRegion implements RegisterDevice {
  readonly #name: string;
  readonly #what: string;
  readonly #observer: Observer;

  constructor(name: string, what: string, observer: Observer) {
    this.#name = name;
    this.#what = what;
    this.#observer = observer;
  }

  readRegister(offset: number, width: 1 | 2 | 4): number {
    this.#observer.unmodelled(this.#name, `${this.#what}: read of ${width} bytes at +0x${offset.toString(16)}`);
    return 0;
  }

  writeRegister(offset: number, width: 1 | 2 | 4): boolean {
    this.#observer.unmodelled(this.#name, `${this.#what}: write of ${width} bytes at +0x${offset.toString(16)}`);
    return true;
  }
}
