/**
 * `pci-host-ecam-generic`: a root complex with an ECAM window.
 *
 * Linux Documentation/devicetree/bindings/pci/host-generic-pci.yaml; IEEE 1275 PCI Bus Binding 2.1 for `ranges` and
 * `bus-range`; `linux,pci-domain` is the segment. `iommu-map`, `msi-map` and `msi-parent` are read in `id-map.ts`,
 * `interrupt-map` in `interrupts.ts`.
 */
import type { DeviceNode } from '../firmware/tree.js';
import { pa } from '../hw/address.js';
import type { InterruptLine } from '../hw/interrupt.js';
import { ECAM } from '../hw/pci/layout.js';
import { MemoryRequestPort } from '../hw/pci/memory-port.js';
import { type IntxListener, type MemoryWindow, RootComplex } from '../hw/pci/root-complex.js';
import { BoardError, type BoardSource } from './board-error.js';
import { type DevicePlanner, type PlanningContext, parametersFor, type Region, regionsOf } from './device-plan.js';
import { readIdMap, readMsiMap } from './id-map.js';
import { type InterruptSpecifier, type InterruptWiring, mapPin, readInterruptMap } from './interrupts.js';
import { configurePci, PciFirmwareError } from './pci-firmware.js';
import { type FunctionPlan, plugIn, readTopology } from './pci-topology.js';
import { RequesterRouter } from './requester-router.js';
import { UnmodelledRegion } from './unmodelled-region.js';
import type { WiredLine } from './wired-lines.js';

/** Space code in bits 25:24 of the first cell of a PCI address (IEEE 1275 PCI Bus Binding 2.2.1.1). */
const SPACE = { CONFIGURATION: 0, IO: 1, MEMORY_32: 2, MEMORY_64: 3 } as const;
const PREFETCHABLE = 0x4000_0000;

export const planHostBridge: DevicePlanner = (context) => {
  const { board, node } = context;
  const [ecam] = regionsOf(context);
  if (ecam === undefined) return board.fail('missing property', node, 'the property reg is missing');
  const segment = board.u32(node, 'linux,pci-domain', 0);
  if (segment > 0xffff) board.fail('bad property', node, 'linux,pci-domain: a segment has 16 bits', 'linux,pci-domain');
  const [firstBus, lastBus] = readBusRange(board, node, ecam);
  const { windows, io } = readWindows(board, node);
  const iommuMap = readIdMap(board, node, 'iommu');
  const msiMap = readMsiMap(board, node);
  const pins = readPins(board, node, firstBus);
  const topology = parametersFor(context, 'tracewright,pci-topology', 'host');
  const functions = topology === undefined ? [] : readTopology(board, topology);
  const regions: Region[] = [
    { ...ecam, name: `${node.name} configuration` },
    ...windows.map(({ physical, size }) => ({ name: `${node.name} memory`, address: physical, size })),
    ...io,
  ];
  return {
    node,
    regions,
    build: (building) => {
      const { bus, observer, latency, iommus, wiring } = building;
      for (const { target } of iommuMap.entries) {
        if (!iommus.has(target)) {
          board.fail('missing node', node, `iommu-map: ${target.path} is no IOMMU that the board has`, 'iommu-map');
        }
      }
      const upstream = new RequesterRouter({ iommuMap, msiMap, iommus, memory: new MemoryRequestPort(bus) });
      const rootComplex = new RootComplex({ name: node.name, segment, firstBus, lastBus, upstream, observer });
      for (const { fn, endpoint } of plugIn(functions, rootComplex.bus, { rootComplex, latency, observer })) {
        building.endpoints.set(fn, endpoint);
      }
      rootComplex.onIntx(intxWiring(context, pins, wiring));
      bus.add(`${node.name} configuration`, pa(ecam.address), ecam.size, rootComplex.ecam);
      for (const window of windows) {
        bus.add(`${node.name} memory`, pa(window.physical), window.size, rootComplex.window(window));
      }
      for (const { name, address, size } of io) {
        bus.add(name, pa(address), size, new UnmodelledRegion(name, 'PCI I/O space is not modelled', observer));
      }
      const twin = building.rootComplexes.find((other) => other.options.segment === segment);
      if (twin !== undefined) {
        board.fail('overlap', node, `${twin.options.name} is segment ${segment} already`, 'linux,pci-domain');
      }
      building.configRegions.push(ecam);
      building.rootComplexes.push(rootComplex);
      building.blocks.set(node.path, rootComplex);
      building.firmware.push(() => {
        try {
          const secondaryBus = (path: readonly number[]) => wishFor(functions, path);
          configurePci({ ecam: rootComplex.ecam, firstBus, lastBus, windows, secondaryBus });
        } catch (error) {
          if (!(error instanceof PciFirmwareError)) throw error;
          throw new BoardError('no room', board.source.locationOf(topology ?? node), `${node.path}: ${error.message}`);
        }
      });
    },
  };
};

function readBusRange(board: BoardSource, node: DeviceNode, ecam: Region): [number, number] {
  const range = board.reading(() => node.cells('bus-range')) ?? [0, ecam.size / 2 ** ECAM.BUS_SHIFT - 1];
  const [first = 0, last = 0] = range;
  if (range.length !== 2 || first > last || last > 255) {
    board.fail('bad property', node, 'bus-range: two bus numbers, the first not above the last', 'bus-range');
  }
  if ((last - first + 1) * 2 ** ECAM.BUS_SHIFT > ecam.size) {
    board.fail('bad property', node, 'bus-range: more buses than reg has room for', 'bus-range');
  }
  return [first, last];
}

function readWindows(board: BoardSource, node: DeviceNode): { windows: MemoryWindow[]; io: Region[] } {
  const windows: MemoryWindow[] = [];
  const io: Region[] = [];
  for (const { cells, child, parent, size } of board.reading(() => node.ranges()) ?? []) {
    const high = cells[0] as number;
    const space = (high >>> 24) & 3;
    if (space === SPACE.CONFIGURATION)
      board.fail('bad property', node, 'ranges: configuration space is in reg', 'ranges');
    if (space === SPACE.IO) io.push({ name: `${node.name} I/O`, address: parent, size });
    else windows.push({ physical: parent, pci: child, size, prefetchable: (high & PREFETCHABLE) !== 0 });
  }
  return { windows, io };
}

function wishFor(functions: readonly FunctionPlan[], path: readonly number[]): FunctionPlan['secondary'] {
  const [devfn, ...rest] = path;
  const plan = functions.find((f) => ((f.device << 3) | f.function) === devfn);
  if (plan === undefined) return 'next';
  return rest.length === 0 ? plan.secondary : wishFor(plan.behind, rest);
}

/** The interrupts that `interrupt-map` gives the pins of the devices on the root bus. */
interface MappedPins {
  readonly interrupts: readonly InterruptSpecifier[];
  /** Which of them, by device * 4 + pin - 1; a pin that is not here is not connected. */
  readonly byPin: ReadonlyMap<number, number>;
}

function readPins(board: BoardSource, node: DeviceNode, firstBus: number): MappedPins {
  const map = readInterruptMap(board, node);
  const interrupts: InterruptSpecifier[] = [];
  const byPin = new Map<number, number>();
  for (let device = 0; device < 32; device++) {
    for (let pin = 1; pin <= 4; pin++) {
      const interrupt = mapPin(map, firstBus, device, pin);
      if (interrupt === undefined) continue;
      if (!interrupts.includes(interrupt)) interrupts.push(interrupt);
      byPin.set(device * 4 + pin - 1, interrupts.indexOf(interrupt));
    }
  }
  return { interrupts, byPin };
}

/** Takes pins to their interrupts. Each drives its own from when it is first asserted. */
function intxWiring(
  { board, node }: PlanningContext,
  { interrupts, byPin }: MappedPins,
  wiring: InterruptWiring,
): IntxListener {
  const lines = interrupts.map((interrupt) => wiring.line(board, node, interrupt));
  const drivers = new Map<number, InterruptLine>();
  return (device, pin, level) => {
    const at = device * 4 + pin - 1;
    const index = byPin.get(at);
    if (index === undefined) return;
    const driver = drivers.get(at) ?? (lines[index] as WiredLine).driver();
    drivers.set(at, driver);
    driver.set(level);
  };
}
