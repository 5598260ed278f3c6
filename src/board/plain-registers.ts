/** `tracewright,registers`: a device with registers that hold what is written to them. */
import { pa } from '../hw/address.js';
import type { RegisterDevice } from '../hw/bus.js';
import type { SavedBlock } from '../hw/machine.js';
import { type DevicePlanner, regionsOf } from './device-plan.js';

/** Registers that hold what is written to them and do nothing: a device whose driver can be seen at work. */
class PlainRegisters implements RegisterDevice, SavedBlock {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  readRegister(offset: number, width: 1 | 2 | 4): number {
    if (width === 4) return this.#view.getUint32(offset, true);
    return width === 2 ? this.#view.getUint16(offset, true) : this.#view.getUint8(offset);
  }

  writeRegister(offset: number, width: 1 | 2 | 4, value: number): boolean {
    if (width === 4) this.#view.setUint32(offset, value, true);
    else if (width === 2) this.#view.setUint16(offset, value, true);
    else this.#view.setUint8(offset, value);
    return true;
  }

  save(): Uint8Array {
    return this.#bytes.slice();
  }

  load(state: unknown): void {
    this.#bytes.set(state as Uint8Array);
  }
}

/** Each region of `reg` is one such device. */
export const planPlainRegisters: DevicePlanner = (context) => {
  const regions = regionsOf(context);
  return {
    node: context.node,
    regions,
    build: ({ bus, blocks }) => {
      for (const [index, { name, address, size }] of regions.entries()) {
        const registers = new PlainRegisters(size);
        bus.add(name, pa(address), size, registers);
        blocks.set(`${context.node.path} ${index}`, registers);
      }
    },
  };
};
