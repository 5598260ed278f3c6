/**
 * `tracewright,platform-device`, and `tracewright,registers`: devices that only the device tree describes.
 *
 * What makes them up are ordinary properties that firmware hands over:
 *
 * - `reg`: the regions. The first holds the DMA engine of a device that makes requests; the others hold storage.
 * - `tracewright,dma`: the device makes requests. Its first region is whole pages of 4 KiB.
 * - `iommus`: its streams, in the order in which the engine counts them, each (IOMMU, stream id). Two devices may name one
 *   stream. A device that makes requests and has none writes to memory straight.
 * - `interrupts` or `interrupts-extended`: its lines. Two devices may name one input, which is high while either drives it.
 */

import type { Specifier } from '../firmware/tree.js';
import { pa } from '../hw/address.js';
import type { RequestOrigin } from '../hw/dma-engine.js';
import { MemoryRequestPort } from '../hw/pci/memory-port.js';
import { PlatformDevice } from '../hw/platform/platform-device.js';
import type { RequestPort } from '../hw/transaction.js';
import { type Building, type DevicePlanner, type PlanningContext, regionsOf, type StreamPort } from './device-plan.js';
import { readInterrupts } from './interrupts.js';

const PAGE_BYTES = 4096;

export const planPlatformDevice: DevicePlanner = (context) => {
  const { board, node } = context;
  const regions = regionsOf(context);
  const interrupts = readInterrupts(board, node);
  const hasDma = node.has('tracewright,dma');
  const streams = readStreams(context);
  if (hasDma && (regions[0]?.size ?? 0) % PAGE_BYTES !== 0) {
    board.fail('bad property', node, 'reg: the DMA engine takes whole pages of 4 KiB', 'reg');
  }
  if (!hasDma && streams.length > 0) {
    board.fail('bad property', node, 'iommus: the device makes no requests (no tracewright,dma)', 'iommus');
  }
  return {
    node,
    regions,
    build: (building) => {
      const { bus, latency, observer, platformDevices, blocks, wiring } = building;
      const device = new PlatformDevice({
        name: node.path,
        sizes: regions.map((region) => region.size),
        lines: interrupts.map((interrupt) => wiring.driver(board, node, interrupt)),
        origins: hasDma ? originsOf(context, streams, building) : undefined,
        latency,
        observer,
      });
      for (const [index, { name, address, size }] of regions.entries()) {
        bus.add(name, pa(address), size, device.region(index));
      }
      blocks.set(node.path, device);
      platformDevices.set(node.path, device);
    },
  };
};

/** The entries of `iommus`, each of one cell. */
function readStreams({ board, node }: PlanningContext): Specifier[] {
  const streams = board.reading(() => board.source.tree.specifiers(node, 'iommus', '#iommu-cells'));
  for (const { node: iommu, cells } of streams) {
    if (cells.length !== 1) {
      board.fail('bad property', node, `iommus: ${iommu.path} does not have #iommu-cells = <1>`, 'iommus');
    }
  }
  return streams;
}

/** Where the requests of each stream go. */
function originsOf(
  { board, node }: PlanningContext,
  streams: readonly Specifier[],
  { iommus, bus }: Building,
): RequestOrigin[] {
  if (streams.length === 0) return [{ port: new MemoryRequestPort(bus), segment: 0, requester: 0 }];
  return streams.map(({ node: target, cells }) => {
    const iommu = iommus.get(target);
    if (iommu === undefined) {
      return board.fail('missing node', node, `iommus: ${target.path} is no IOMMU that the board has`, 'iommus');
    }
    const requester = cells[0] as number;
    return { port: streamOf(iommu, requester), segment: 0, requester };
  });
}

/** One stream of an IOMMU. */
function streamOf(iommu: StreamPort, stream: number): RequestPort {
  return {
    request: (transaction) => iommu.request(stream, transaction),
    begin: (transaction) => iommu.begin(stream, transaction),
  };
}
