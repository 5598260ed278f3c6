/** The hardware model as a library: the ports of a machine, and boards that make one. */
export * from './address.js';
export {
  type Bits,
  describe,
  encode,
  type Field,
  get,
  getAddress,
  type Layout,
  layout,
  put,
  putAddress,
} from './bits.js';
export { Bus, BusMapError } from './bus.js';
export { Latency } from './latency.js';
export type * from './machine.js';
export { formatSbdf, requesterId } from './machine.js';
export { PhysicalMemory } from './memory.js';
export { type Access, type HardwareEvent, Observer, type ObserverPorts, type Problem } from './observer.js';
