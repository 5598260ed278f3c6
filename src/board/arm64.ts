/** Arm64 boards: CPUs from `/cpus` (Devicetree Specification 3.8), and the machine around them. */
import type { DeviceNode } from '../firmware/tree.js';
import { pa } from '../hw/address.js';
import { Bus } from '../hw/bus.js';
import { Arm64Cpus } from '../hw/cpu/arm64.js';
import { Latency } from '../hw/latency.js';
import { PhysicalMemory } from '../hw/memory.js';
import { Observer } from '../hw/observer.js';
import type { BoardSource } from './board-error.js';
import type { Arm64Plan, BoardPlan, PowerOptions } from './board-plan.js';
import { type Building, DEVICE_ROLES } from './device-plan.js';
import { InterruptWiring } from './interrupts.js';
import { BoardMachine } from './machine.js';

/**
 * Reads `/cpus`.
 * @throws BoardError if there is none.
 */
export function planArm64(board: BoardSource, root: DeviceNode): Arm64Plan {
  const cpus = root.child('cpus') ?? board.fail('missing node', root, 'there is no node /cpus');
  const count = cpus.children.filter((node) => board.reading(() => node.string('device_type')) === 'cpu').length;
  if (count === 0) board.fail('missing node', cpus, 'there is no CPU (device_type = "cpu")');
  return { count };
}

/** Makes a machine, and runs its firmware. */
export function buildArm64(plan: BoardPlan, options: PowerOptions): BoardMachine {
  const memory = new PhysicalMemory();
  for (const { address, size } of plan.ram) memory.addRange(pa(address), size);
  const bus = new Bus(memory);
  const observer = new Observer(options);
  const latency = new Latency(options.seed ?? plan.seed, options.latency ?? plan.latency);
  const building: Building = {
    bus,
    observer,
    latency,
    cpus: plan.cpus.count,
    cpuInterfaces: [],
    wiring: new InterruptWiring(),
    lpiTargets: new Map(),
    iommus: new Map(),
    rootComplexes: [],
    endpoints: new Map(),
    platformDevices: new Map(),
    blocks: new Map(),
    configRegions: [],
    firmware: [],
  };
  for (const role of DEVICE_ROLES) {
    for (const device of plan.devices) if ((device.role ?? 'device') === role) device.build(building);
  }
  for (const run of building.firmware) run();
  memory.poke(plan.fdtAddress, plan.fdt);
  const cpus = new Arm64Cpus({
    count: plan.cpus.count,
    bus,
    observer,
    latency,
    interfaces: building.cpuInterfaces,
  });
  return new BoardMachine({
    name: plan.name,
    bus,
    memory,
    latency,
    observer,
    cpus,
    firmware: { fdt: { address: pa(plan.fdtAddress), size: plan.fdt.length } },
    rootComplexes: building.rootComplexes,
    endpoints: building.endpoints,
    platformDevices: building.platformDevices,
    blocks: building.blocks,
    configRegions: building.configRegions,
  });
}
