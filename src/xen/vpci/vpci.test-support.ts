/** What tests of the virtual host bridge share: a board with devices for it, and a guest's accesses. */
import { readFileSync } from 'node:fs';
import { type Board, loadBoard } from '../../board/board.js';
import { pa } from '../../hw/address.js';
import { type XenSteps, xenSteps } from '../steps.js';
import { at, type Booted, boot, machineAddress } from '../xen.test-support.js';

const text = readFileSync(new URL('../../../../fixtures/boards/arm64-smmuv3.dts', import.meta.url), 'utf8');

/**
 * Of segment 0: MSI of 32 vectors; of 4 vectors with 32-bit addresses and without masks; MSI-X of 2048 entries, of 3 entries
 * beside MSI, of 2 entries in a page with registers. Two virtual functions, at slots
 * 0x16 and 0x17.
 */
const DEVICES = `
  dma@10 { compatible = "tracewright,dma-endpoint"; bars = <0 0x0 0x4000>; msi = <32 0x180>; };
  dma@11 { compatible = "tracewright,dma-endpoint"; bars = <0 0xc 0x4000>; msi = <4 0x0>; };
  dma@12 {
    compatible = "tracewright,dma-endpoint";
    bars = <0 0x0 0x4000>, <2 0x4 0x10000>;
    msi-x = <2048 2 0x0 2 0x8000>;
  };
  dma@13 {
    compatible = "tracewright,dma-endpoint";
    bars = <0 0x0 0x4000>;
    msi = <1 0x180>;
    msi-x = <3 0 0x1000 0 0x1800>;
  };
  dma@14 { compatible = "tracewright,dma-endpoint"; bars = <0 0x0 0x4000>; msi-x = <2 0 0x800 0 0xc00>; };
  dma@15 {
    compatible = "tracewright,dma-endpoint";
    bars = <0 0x0 0x4000>;
    sr-iov = <2 8 8>;
    vf-bars = <0 0x4 0x4000>;
    vf-msi-x = <2 0 0x1000 0 0x1800>;
    vf-device-id = <0x77>;
  };
`;

const dts = text
  .replace(/xen,dom0-bootargs = "[^"]*"/, 'xen,dom0-bootargs = ""')
  .replace(/(segment-0 \{[^;]*;[^;]*;)/, `$1\n${DEVICES}`);
/** The board with these devices too, and all devices for the hardware domain. */
export const vpciBoard: Board = loadBoard(dts, 'arm64-smmuv3.dts');
/** The same with the memory of segment 0 where guests have their configuration space. */
export const lowWindowBoard: Board = loadBoard(
  dts.replace('0x0  0x20000000 0x0  0x20000000 0x0 0x10000000', '0x0  0x10000000 0x0  0x10000000 0x0 0x10000000'),
  'arm64-smmuv3.dts',
);

/**
 * Boots on that board, with steps of the host bridge in place of those that there are. Translation services know nothing of
 * devices: in these tests messages are words that devices write into RAM.
 */
export function bootVpci(vpci: Partial<XenSteps['vpci']> = {}, board = vpciBoard): Booted {
  const steps = xenSteps();
  const vits = { ...steps.vits, assignDevice: () => 0, removeDevice: () => 0 };
  return boot({ ...steps, vits, vpci: { ...steps.vpci, ...vpci } }, board);
}

/** By what they have. */
export const MSI_32_VECTORS = '0000:00:10.0';
export const MSI_PLAIN = '0000:00:11.0';
export const MSIX_2048 = '0000:00:12.0';
export const BOTH = '0000:00:13.0';
export const MSIX_BESIDE_REGISTERS = '0000:00:14.0';
export const PHYSICAL_FUNCTION = '0000:00:15.0';

/** GUEST_RAM0_BASE (xen/include/public/arch-arm.h). */
export const RAM = 0x4000_0000;
/** GUEST_VPCI_ECAM_BASE. */
const ECAM = 0x1000_0000;

/** Offsets of capabilities (PCI Express Base 7.5.1.1.11: the pointer is at 0x34, an id and the next pointer in each). */
const POINTER = 0x34;

/** A guest's loads and stores, and configuration space as it finds it: 4 KiB for each function, slots 32 KiB apart. */
export class Guest {
  readonly #booted: Booted;
  readonly domid: number;
  readonly #ecam: number;

  constructor(booted: Booted, domid: number, ecam: number = ECAM) {
    this.#booted = booted;
    this.domid = domid;
    this.#ecam = ecam;
  }

  #access(kind: 'load' | 'store', address: number, width: 1 | 2 | 4 | 8, lo = 0, hi = 0) {
    const cpu = this.#booted.xen.schedule({ domid: this.domid, vcpu: 0 }) ?? 0;
    const where = { hi: Math.floor(address / 2 ** 32), lo: address % 2 ** 32 };
    return this.#booted.machine.cpus.guest(cpu, { kind, ...where, width, valueLo: lo, valueHi: hi });
  }

  /** Undefined: an abort. */
  load(address: number, width: 1 | 2 | 4 = 4): number | undefined {
    const result = this.#access('load', address, width);
    return result.ok ? result.lo : undefined;
  }

  load64(address: number): readonly [hi: number, lo: number] | undefined {
    const result = this.#access('load', address, 8);
    return result.ok ? [result.hi, result.lo] : undefined;
  }

  /** False: an abort. */
  store(address: number, value: number, width: 1 | 2 | 4 = 4): boolean {
    return this.#access('store', address, width, value >>> 0).ok;
  }

  store64(address: number, hi: number, lo: number): boolean {
    return this.#access('store', address, 8, lo, hi).ok;
  }

  /** Guest address of a register of a slot. */
  address(slot: number, offset: number): number {
    return this.#ecam + slot * 0x8000 + offset;
  }

  read(slot: number, offset: number, width: 1 | 2 | 4 = 4): number | undefined {
    return this.load(this.address(slot, offset), width);
  }

  write(slot: number, offset: number, value: number, width: 1 | 2 | 4 = 4): void {
    this.store(this.address(slot, offset), value, width);
  }

  /** The capabilities of a slot: id and offset of each, in the order of the list. */
  capabilities(slot: number): [id: number, offset: number][] {
    const list: [number, number][] = [];
    for (let offset = this.read(slot, POINTER, 1) ?? 0; offset !== 0 && list.length < 48; ) {
      list.push([this.read(slot, offset, 1) ?? 0, offset]);
      offset = this.read(slot, offset + 1, 1) ?? 0;
    }
    return list;
  }

  /** Offset of a capability: 5 is MSI, 0x11 MSI-X. */
  capability(slot: number, id: 5 | 0x11): number {
    const found = this.capabilities(slot).find(([one]) => one === id);
    if (found === undefined) throw new Error(`slot ${slot} has no capability ${id}`);
    return found[1];
  }

  /** Has its RAM hold a word, and says what is there: where devices of these tests send their messages. */
  word(address: number): number {
    const bytes = this.#booted.machine.memory.peek(pa(machineAddress(this.#booted.xen, this.domid, address)), 4);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  }
}

/** A word of the device's own configuration space: segment 0 at 0x40_1000_0000. */
export function physical({ machine }: Booted, device: string, offset: number, width: 1 | 2 | 4 = 4): number {
  const { bus, device: slot, function: fn } = at(device);
  return machine.mmio.read(pa(0x40_1000_0000 + bus * 0x10_0000 + slot * 0x8000 + fn * 0x1000 + offset), width);
}
