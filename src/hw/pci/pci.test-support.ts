/** A root complex to plug functions into, with memory behind it: what the tests of this folder share. */
import { pa } from '../address.js';
import { Bus } from '../bus.js';
import { Latency } from '../latency.js';
import { PhysicalMemory } from '../memory.js';
import { type HardwareEvent, Observer, type Problem } from '../observer.js';
import type { RequestPort, Transaction } from '../transaction.js';
import { type BridgeDescription, PciBridge, type PciBus } from './bridge.js';
import { DmaDevice, type DmaDeviceOptions } from './dma-device.js';
import { MemoryRequestPort } from './memory-port.js';
import { RootComplex } from './root-complex.js';

/** A base address register of 8 KiB, 32-bit: engine in the lower 4 KiB, its buffer in the upper. */
export const BAR = { index: 0, size: 0x2000, is64Bit: false, prefetchable: false };

/** Segment 0, buses 0 to 15, 1 MiB of memory at 0x40000000, one memory window at PCI address 0x10000000. */
export function segment(maximumLatency = 0) {
  const memory = new PhysicalMemory();
  memory.addRange(pa(0x4000_0000), 0x10_0000);
  const problems: Problem[] = [];
  const observer = new Observer({ problem: (problem) => problems.push(problem) });
  const events: HardwareEvent[] = [];
  observer.onEvent((event) => events.push(event));
  const latency = new Latency(1, maximumLatency);
  const requests: Transaction[] = [];
  const port = new MemoryRequestPort(new Bus(memory));
  const upstream: RequestPort = {
    request: (transaction) => {
      requests.push({ ...transaction, data: transaction.data.slice() });
      return port.request(transaction);
    },
    begin: (transaction) => {
      requests.push({ ...transaction, data: transaction.data.slice() });
      return port.begin(transaction);
    },
  };
  const rootComplex = new RootComplex({ name: 'pcie', segment: 0, firstBus: 0, lastBus: 15, upstream, observer });
  const window = rootComplex.window({ physical: 0, pci: 0x1000_0000, size: 0x1000_0000, prefetchable: false });
  const at = (bus: number, devfn: number, offset: number) => bus * 0x10_0000 + devfn * 0x1000 + offset;
  return {
    memory,
    observer,
    problems,
    events,
    latency,
    requests,
    rootComplex,
    /** Configuration space by bus, `device << 3 | function`, offset and width. */
    config: {
      read: (bus: number, devfn: number, offset: number, width: 1 | 2 | 4) =>
        rootComplex.ecam.readRegister(at(bus, devfn, offset), width) as number,
      write: (bus: number, devfn: number, offset: number, width: 1 | 2 | 4, value: number) =>
        rootComplex.ecam.writeRegister(at(bus, devfn, offset), width, value),
    },
    /** Memory of the functions by PCI address. */
    mmio: {
      read: (address: number, width: 1 | 2 | 4 = 4) => window.readRegister(address - 0x1000_0000, width) as number,
      write: (address: number, value: number, width: 1 | 2 | 4 = 4) =>
        window.writeRegister(address - 0x1000_0000, width, value),
    },
    /** Bytes of memory. */
    bytes: (address: number, length: number) => {
      const out = new Uint8Array(length);
      memory.read(address, out);
      return [...out];
    },
    endpoint: (bus: PciBus, device: number, options: Partial<DmaDeviceOptions> = {}) =>
      new DmaDevice({ rootComplex, latency, observer, bars: [BAR], function: 0, ...options, bus, device }),
    bridge: (bus: PciBus, device: number, portType: BridgeDescription['portType'], acs = false) => {
      const made = new PciBridge({ device, function: 0, vendorId: 0x1234, deviceId: 1, portType, acs }, bus);
      bus.add(made);
      return made;
    },
  };
}

export type Segment = ReturnType<typeof segment>;

/** Numbers a bridge and opens its window onto whole MiB, as firmware does; memory space and bus master are on. */
export function configureBridge(
  { config }: Segment,
  at: { readonly bus: number; readonly devfn: number },
  buses: { readonly secondary: number; readonly subordinate: number },
  window: { readonly base: number; readonly limit: number },
): void {
  config.write(at.bus, at.devfn, 0x18, 4, (buses.subordinate << 16) | (buses.secondary << 8) | at.bus);
  config.write(at.bus, at.devfn, 0x20, 2, window.base >>> 16);
  config.write(at.bus, at.devfn, 0x22, 2, window.limit >>> 16);
  config.write(at.bus, at.devfn, 0x24, 4, 0x0000_fff0);
  config.write(at.bus, at.devfn, 0x04, 2, 6);
}

/** Places the first base address register of an endpoint; memory space and bus master are on. */
export function placeEndpoint(
  { config }: Segment,
  at: { readonly bus: number; readonly devfn: number },
  address: number,
): void {
  config.write(at.bus, at.devfn, 0x10, 4, address);
  config.write(at.bus, at.devfn, 0x04, 2, 6);
}
