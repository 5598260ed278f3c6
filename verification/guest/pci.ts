/**
 * A guest's driver of PCI: PCI Express Base Specification 7.2.2 (ECAM), 7.5.1 (headers), 7.7.1 (MSI), 7.7.2 (MSI-X); the
 * host bridge where the guest's device tree says it is (IEEE 1275 PCI binding; Linux bindings host-generic-pci, pci-msi).
 */
import type { DeviceTree } from '../../src/firmware/tree.js';
import type { GuestCpu } from './guest-cpu.js';

const COMMAND = 0x04;
const HEADER_TYPE = 0x0e;
const BAR0 = 0x10;
const CAPABILITIES = 0x34;
const CAPABILITY = { MSI: 0x05, MSIX: 0x11 } as const;
/** Memory space and bus master. */
const COMMAND_ON = 0x6;

/** A device as the guest has found it. */
export interface GuestPciDevice {
  /** bus 15:8, device 7:3, function 2:0. */
  readonly requester: number;
  /** Vendor in 15:0, device in 31:16. */
  readonly id: number;
}

/** A message: where a device writes, and what. */
export interface Message {
  readonly address: number;
  readonly data: number;
}

/** The driver. */
export class GuestPci {
  readonly #cpu: GuestCpu;
  readonly #ecam: number;
  readonly #msiMap: readonly number[];

  /** @throws Error if the tree describes no host bridge */
  constructor(tree: DeviceTree, cpu: GuestCpu) {
    const node = tree.compatible('pci-host-ecam-generic')[0];
    const [region] = node?.reg() ?? [];
    if (node === undefined || region === undefined) throw new Error("the guest's tree has no PCI host bridge");
    this.#cpu = cpu;
    this.#ecam = region.address;
    this.#msiMap = node.cells('msi-map') ?? [];
  }

  /** Guest address of a register of configuration space. */
  configAddress(requester: number, offset: number): number {
    return this.#ecam + requester * 0x1000 + offset;
  }

  read(requester: number, offset: number, width: 1 | 2 | 4 = 4): number {
    return this.#cpu.load(this.configAddress(requester, offset), width) ?? 0xffff_ffff;
  }

  write(requester: number, offset: number, value: number, width: 1 | 2 | 4 = 4): void {
    this.#cpu.store(this.configAddress(requester, offset), value, width);
  }

  /** The functions on bus 0, by number. */
  scan(): GuestPciDevice[] {
    const found: GuestPciDevice[] = [];
    for (let device = 0; device < 32; device++) {
      const id = this.read(device << 3, 0);
      if ((id & 0xffff) === 0xffff) continue;
      found.push({ requester: device << 3, id });
      if ((this.read(device << 3, HEADER_TYPE, 1) & 0x80) === 0) continue;
      for (let fn = 1; fn < 8; fn++) {
        const other = this.read((device << 3) | fn, 0);
        if ((other & 0xffff) !== 0xffff) found.push({ requester: (device << 3) | fn, id: other });
      }
    }
    return found;
  }

  /** Lets a device decode its memory and issue requests. */
  enable(requester: number): void {
    this.write(requester, COMMAND, COMMAND_ON, 2);
  }

  /** Guest address that a base address register shows. */
  bar(requester: number, index: number): number {
    const low = this.read(requester, BAR0 + index * 4);
    const high = (low & 6) === 4 ? this.read(requester, BAR0 + index * 4 + 4) : 0;
    return high * 2 ** 32 + ((low & 0xffff_fff0) >>> 0);
  }

  /** Offset of a capability; 0 if the device has none of the kind. */
  capability(requester: number, id: number): number {
    let at = this.read(requester, CAPABILITIES, 1) & 0xfc;
    for (let step = 0; at !== 0 && step < 48; step++) {
      if (this.read(requester, at, 1) === id) return at;
      at = this.read(requester, at + 1, 1) & 0xfc;
    }
    return 0;
  }

  /** DeviceID of a requester at the guest's translation service, by `msi-map`. Undefined: the map has none. */
  deviceId(requester: number): number | undefined {
    for (let at = 0; at + 4 <= this.#msiMap.length; at += 4) {
      const [first = 0, , output = 0, length = 0] = this.#msiMap.slice(at, at + 4);
      if (requester >= first && requester < first + length) return output + requester - first;
    }
    return undefined;
  }

  /**
   * Sets MSI up with 2^log2 vectors, and enables it (7.7.1).
   * @returns where the mask bits are, if the device has them
   */
  enableMsi(requester: number, message: Message, log2 = 0): number | undefined {
    const at = this.capability(requester, CAPABILITY.MSI);
    if (at === 0) throw new Error('the device has no MSI capability');
    const control = this.read(requester, at + 2, 2);
    const wide = (control & 0x80) !== 0;
    this.write(requester, at + 4, message.address >>> 0);
    if (wide) this.write(requester, at + 8, Math.floor(message.address / 2 ** 32));
    this.write(requester, at + (wide ? 0xc : 8), message.data, 2);
    this.write(requester, at + 2, (control & ~0x71) | (log2 << 4) | 1, 2);
    return (control & 0x100) === 0 ? undefined : at + (wide ? 0x10 : 0xc);
  }

  /** Disables MSI. */
  disableMsi(requester: number): void {
    const at = this.capability(requester, CAPABILITY.MSI);
    this.write(requester, at + 2, this.read(requester, at + 2, 2) & ~1, 2);
  }

  /** Number of entries of the MSI-X table, 0 without the capability; and guest addresses of table and pending bits. */
  msix(requester: number): { readonly entries: number; readonly table: number; readonly pending: number } {
    const at = this.capability(requester, CAPABILITY.MSIX);
    if (at === 0) return { entries: 0, table: 0, pending: 0 };
    const place = (register: number) => {
      const value = this.read(requester, register);
      return this.bar(requester, value & 7) + ((value & ~7) >>> 0);
    };
    return { entries: (this.read(requester, at + 2, 2) & 0x7ff) + 1, table: place(at + 4), pending: place(at + 8) };
  }

  /** Enables MSI-X, with the function masked or not (7.7.2.2: enable 15, function mask 14). */
  enableMsix(requester: number, masked = false): void {
    const at = this.capability(requester, CAPABILITY.MSIX);
    const control = this.read(requester, at + 2, 2) & 0x3fff;
    this.write(requester, at + 2, control | 0x8000 | (masked ? 0x4000 : 0), 2);
  }

  /** Writes an entry of the MSI-X table, masked or not (7.7.2.5 to 7.7.2.8). */
  setEntry(table: number, index: number, message: Message, masked = false): void {
    const at = table + index * 16;
    this.#cpu.store(at, message.address >>> 0);
    this.#cpu.store(at + 4, Math.floor(message.address / 2 ** 32));
    this.#cpu.store(at + 8, message.data);
    this.#cpu.store(at + 12, masked ? 1 : 0);
  }

  /** Masks or unmasks an entry of the MSI-X table. */
  maskEntry(table: number, index: number, masked: boolean): void {
    this.#cpu.store(table + index * 16 + 12, masked ? 1 : 0);
  }
}
