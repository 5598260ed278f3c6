/**
 * What IOMMUs find their way by, read by a check beside Xen: where it is, and what is in it.
 *
 * An SMMUv3 has it in memory: registers of Arm IHI 0070 6.3 (STRTAB_BASE at 0x80, CMDQ_BASE at 0x90, EVENTQ_BASE at 0xa0),
 * L1STD of 8 bytes (5.1), STE of 64 bytes with S2TTB in doubleword 3 (5.2). An IPMMU has it in registers: contexts 0x40
 * apart, with IMTTLBR0 at 0x10 and IMTTUBR0 at 0x14; IMUCTR of a micro-TLB at 0x300 + 16n, from 32 on at 0x600 + 16(n - 32).
 */
import type { Pa } from '../src/hw/address.js';
import type { Stream } from './devices.js';
import type { PassthroughBench } from './passthrough-bench.js';

const STE_BYTES = 64;
/** Second-level tables have 2^8 entries. */
const SPLIT = 0x100;
const MICRO_TLBS = 48;
const CONTEXTS = 8;

/** Bits 51:12 of an address that hardware holds in two words. */
const frameAddress = (lo: number, hi: number) => (hi & 0xfffff) * 2 ** 32 + ((lo & ~0xfff) >>> 0);

function registerAddress(bench: PassthroughBench, address: number): number {
  const { hi, lo } = bench.machine.mmio.read64(address as Pa);
  return frameAddress(lo, hi);
}

const inMemory = (bench: PassthroughBench, address: number) =>
  frameAddress(bench.peekWord(address), bench.peekWord(address + 4));

/** IMUCTR of a micro-TLB, from the registers of its cache. */
const microTlbOffset = (microTlb: number) => (microTlb < 32 ? 0x300 + 16 * microTlb : 0x600 + 16 * (microTlb - 32));

const readWord = (bench: PassthroughBench, address: number) => bench.machine.mmio.read(address as Pa, 4);

function kindOf(bench: PassthroughBench, iommu: number): 'smmuv3' | 'ipmmu' {
  return bench.iommus.find(({ base }) => base === iommu)?.kind ?? 'ipmmu';
}

/** What confines the requests of a stream, with the machine address of each. */
export function structures(bench: PassthroughBench, { iommu, id }: Stream): [address: number, what: string][] {
  if (kindOf(bench, iommu) === 'ipmmu') {
    const main = bench.iommus[0]?.base ?? iommu;
    const context = (readWord(bench, iommu + microTlbOffset(id)) >>> 4) & 0xf;
    const [lo, hi] = [0x10, 0x14].map((offset) => readWord(bench, main + context * 0x40 + offset)) as [number, number];
    return [[frameAddress(lo, hi & 0xff), 'the root of the stage-2 tables']];
  }
  const table = registerAddress(bench, iommu + 0x80);
  const second = inMemory(bench, table + Math.floor(id / SPLIT) * 8);
  return [
    [table, 'the stream table'],
    [second, 'the second-level stream table'],
    [inMemory(bench, second + (id % SPLIT) * STE_BYTES + 24), 'the root of the stage-2 tables'],
    [registerAddress(bench, iommu + 0x90), 'the command queue'],
    [registerAddress(bench, iommu + 0xa0), 'the event queue'],
  ];
}

/** Everything that the IOMMUs hold of streams or micro-TLBs, and of contexts, by where it is. */
export function streamTables(bench: PassthroughBench): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  const caches = new Set<number>();
  const { kept, platform } = bench.devices;
  for (const role of [...Object.values(kept), platform.first, platform.apart, platform.severalStreams]) {
    for (const { iommu } of role.streams) caches.add(iommu);
  }
  for (const iommu of caches) {
    if (kindOf(bench, iommu) === 'ipmmu') {
      for (let n = 0; n < MICRO_TLBS; n++) {
        const at = iommu + microTlbOffset(n);
        found.set(at, readWord(bench, at));
      }
      for (let n = 0; n < CONTEXTS; n++) found.set(iommu + n * 0x40, readWord(bench, iommu + n * 0x40));
      continue;
    }
    const table = registerAddress(bench, iommu + 0x80);
    // 17 bits of stream ids.
    for (let index = 0; index < 2 ** 9; index++) {
      const second = inMemory(bench, table + index * 8);
      found.set(table + index * 8, second);
      if (second === 0) continue;
      const bytes = bench.machine.memory.peek(second as Pa, SPLIT * STE_BYTES);
      const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      for (let at = 0; at < bytes.length; at += 4) {
        const word = words.getUint32(at, true);
        if (word !== 0) found.set(second + at, word);
      }
    }
  }
  return found;
}
