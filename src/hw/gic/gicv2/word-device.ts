/** Registers that take word accesses only. Arm IHI 0048B.b 4.1.4. */
import type { Initiator, RegisterDevice } from '../../bus.js';

/**
 * A device of word registers.
 * @param read reads the register at an offset; undefined if there is no answer
 * @param write writes it; false if there is no answer
 */
export function wordDevice(
  bytes: number,
  read: (offset: number, from: Initiator | undefined) => number | undefined,
  write: (offset: number, value: number, from: Initiator | undefined) => boolean,
): RegisterDevice {
  const isTaken = (offset: number, width: number) => width === 4 && offset % 4 === 0 && offset >= 0 && offset < bytes;
  return {
    readRegister: (offset, width, from) => {
      const value = isTaken(offset, width) ? read(offset, from) : undefined;
      return value === undefined ? undefined : value >>> 0;
    },
    writeRegister: (offset, width, value, from) => isTaken(offset, width) && write(offset, value >>> 0, from),
  };
}
