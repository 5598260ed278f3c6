/** The hardware model as a library: the ports of a machine, and boards that make one. */
export * from './address.js';
export { type Bits, type Field, type Layout, describe, encode, get, getAddress, layout, put, putAddress } from './bits.js';
export type * from './machine.js';
export { formatSbdf, requesterId } from './machine.js';
export { PhysicalMemory } from './memory.js';
export { Bus, BusMapError } from './bus.js';
export { Latency } from './latency.js';
export { type Access, type HardwareEvent, Observer, type ObserverPorts, type Problem } from './observer.js';
