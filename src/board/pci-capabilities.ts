/** What an endpoint of a board can beyond being there, read from its node. `pci-topology.ts` says what the properties are. */
import type { DeviceNode } from '../firmware/tree.js';
import type { DmaDeviceFeatures, DmaDeviceOptions } from '../hw/pci/dma-device.js';
import type { BarDescription } from '../hw/pci/header.js';
import type { MsiDescription } from '../hw/pci/msi.js';
import type { MsixDescription } from '../hw/pci/msix.js';
import type { BoardSource } from './board-error.js';

/** BAR flags (PCI Express Base 7.5.1.2.1): 64-bit, prefetchable. */
const BAR_FLAG = { IS_64_BIT: 0x4, PREFETCHABLE: 0x8 } as const;
/** Flags of Message Control of MSI (7.7.1.2). */
const MSI_FLAG = { IS_64_BIT: 0x80, MASKABLE: 0x100 } as const;
/** Bytes of the registers at the beginning of an endpoint's first memory. */
const ENGINE_REGISTERS = 0x40;
const MSI_VECTORS = [1, 2, 4, 8, 16, 32];

/** Reads base address registers. The first is the engine's, of at least a page; so is each of a virtual function. */
export function readBars(board: BoardSource, node: DeviceNode, property: 'bars' | 'vf-bars'): BarDescription[] {
  const cells = board.reading(() => node.cells(property)) ?? [];
  const fail = (text: string) => board.fail('bad property', node, `${property}: ${text}`, property);
  if (cells.length === 0 || cells.length % 3 !== 0) {
    fail('give (index, flags, size) for at least one base address register');
  }
  const bars: BarDescription[] = [];
  const taken = new Set<number>();
  for (let at = 0; at < cells.length; at += 3) {
    const [index, flags, size] = cells.slice(at, at + 3) as [number, number, number];
    const is64Bit = (flags & BAR_FLAG.IS_64_BIT) !== 0;
    const last = is64Bit ? index + 1 : index;
    if (last > 5 || taken.has(index) || taken.has(last)) fail(`register ${index} does not exist or is taken`);
    if (!Number.isInteger(Math.log2(size)) || size < (at === 0 || property === 'vf-bars' ? 4096 : 16)) {
      fail(`register ${index} cannot be of size 0x${size.toString(16)}`);
    }
    taken.add(index).add(last);
    bars.push({ index, size, is64Bit, prefetchable: (flags & BAR_FLAG.PREFETCHABLE) !== 0 });
  }
  return bars;
}

/** Reads what an endpoint of function number `fn` can. */
export function readFeatures(
  board: BoardSource,
  node: DeviceNode,
  bars: readonly BarDescription[],
  fn: number,
): DmaDeviceFeatures {
  const interruptPin = board.u32(node, 'interrupt-pin', 0);
  if (interruptPin > 4 || (node.has('interrupt-pin') && interruptPin === 0)) {
    board.fail('bad property', node, 'interrupt-pin: 1 to 4, INTA to INTD', 'interrupt-pin');
  }
  const phantomStride = board.reading(() => node.u32('phantom-functions'));
  if (phantomStride !== undefined && (![1, 2, 4].includes(phantomStride) || fn >= phantomStride)) {
    const text = 'phantom-functions: 1, 2 or 4, and more than the function number';
    board.fail('bad property', node, text, 'phantom-functions');
  }
  return {
    interruptPin,
    acs: node.has('acs'),
    ...readMessages(board, node, '', bars),
    ...(phantomStride === undefined ? {} : { phantomStride }),
  };
}

/** Reads the virtual functions of an endpoint, if it has any. */
export function readSriov(board: BoardSource, node: DeviceNode): DmaDeviceOptions['sriov'] {
  const cells = board.reading(() => node.cells('sr-iov'));
  const [totalVfs = 0, firstOffset = 0, stride = 0] = cells ?? [];
  if (cells === undefined) return undefined;
  if (cells.length !== 3 || totalVfs < 1 || firstOffset < 1 || stride < 1) {
    board.fail(
      'bad property',
      node,
      'sr-iov: give (virtual functions, first offset, stride), none of them 0',
      'sr-iov',
    );
  }
  const vfBars = readBars(board, node, 'vf-bars');
  const vfDeviceId = board.u32(node, 'vf-device-id', 2);
  return { totalVfs, firstOffset, stride, vfDeviceId, vfBars, ...readMessages(board, node, 'vf-', vfBars) };
}

function readMessages(
  board: BoardSource,
  node: DeviceNode,
  prefix: '' | 'vf-',
  bars: readonly BarDescription[],
): { readonly msi?: MsiDescription; readonly msix?: MsixDescription } {
  const msi = readMsi(board, node, `${prefix}msi`);
  const msix = readMsix(board, node, `${prefix}msi-x`, bars);
  return { ...(msi === undefined ? {} : { msi }), ...(msix === undefined ? {} : { msix }) };
}

function readMsi(board: BoardSource, node: DeviceNode, property: string): MsiDescription | undefined {
  const cells = board.reading(() => node.cells(property));
  if (cells === undefined) return undefined;
  const [vectors = 0, flags = MSI_FLAG.IS_64_BIT | MSI_FLAG.MASKABLE] = cells;
  if (cells.length > 2 || !MSI_VECTORS.includes(vectors) || (flags & ~(MSI_FLAG.IS_64_BIT | MSI_FLAG.MASKABLE)) !== 0) {
    const text = `${property}: give (vectors, flags): 1, 2, 4, 8, 16 or 32, and 0x80 for 64-bit, 0x100 for masks`;
    board.fail('bad property', node, text, property);
  }
  return { vectors, is64Bit: (flags & MSI_FLAG.IS_64_BIT) !== 0, isMaskable: (flags & MSI_FLAG.MASKABLE) !== 0 };
}

function readMsix(
  board: BoardSource,
  node: DeviceNode,
  property: string,
  bars: readonly BarDescription[],
): MsixDescription | undefined {
  const cells = board.reading(() => node.cells(property));
  if (cells === undefined) return undefined;
  const fail = (text: string) => board.fail('bad property', node, `${property}: ${text}`, property);
  const [vectors = 0, tableBar = 0, tableOffset = 0, pendingBar = 0, pendingOffset = 0] = cells;
  if (cells.length !== 5) fail('give (vectors, table register, table offset, pending register, pending offset)');
  if (vectors < 1 || vectors > 2048) fail(`1 to 2048 vectors, not ${vectors}`);
  const table = { from: tableOffset, to: tableOffset + vectors * 16, bar: tableBar };
  const pending = { from: pendingOffset, to: pendingOffset + Math.ceil(vectors / 64) * 8, bar: pendingBar };
  for (const { bar: index, from, to } of [table, pending]) {
    const bar = bars.find((b) => b.index === index);
    if (bar === undefined) return fail(`there is no base address register ${index}`);
    const isEngine = bar === bars[0];
    const end = isEngine ? bar.size / 2 : bar.size;
    if (from % 8 !== 0 || from < (isEngine ? ENGINE_REGISTERS : 0) || to > end) {
      const room = `${isEngine ? '0x40' : '0'} to 0x${end.toString(16)}`;
      fail(
        `0x${from.toString(16)} to 0x${to.toString(16)} does not lie, on 8 bytes, in the ${room} of register ${index}`,
      );
    }
  }
  if (tableBar === pendingBar && table.from < pending.to && pending.from < table.to) {
    fail('the pending bits lie in the table');
  }
  return {
    vectors,
    table: { bar: tableBar, offset: tableOffset },
    pendingBits: { bar: pendingBar, offset: pendingOffset },
  };
}
