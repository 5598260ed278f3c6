/**
 * Single Root I/O Virtualization: a physical function (PF) and the virtual functions (VFs) that it makes.
 *
 * PCI Express Base Specification 9.3.3 (the capability of the PF), 9.2.1.2 (routing ids of VFs: First VF Offset and VF
 * Stride from that of the PF), 9.2.1.1.1 (VF BAR apertures: the VFs' memory lies one behind the other), 9.3.4.1 (header
 * of a VF: Vendor ID and Device ID read as FFFFh, memory space is enabled in the PF, base address registers and interrupt
 * pin read as 0), 9.3.4.1.3 and 9.3.5.4 (bus master enable and function level reset are the VF's own).
 *
 * Not modelled: ARI (VFs have device and function numbers on the PF's bus, and none on a further bus), VF migration,
 * function dependency, First VF Offset and VF Stride that depend on NumVFs.
 */
import { highHalf, join, lowHalf } from '../address.js';
import { EXTENDED_CAPABILITY, SRIOV, SRIOV_CONTROL } from './capabilities-layout.js';
import { type Capability, field, tellMisuse, word } from './capability.js';
import type { BarDescription, FunctionDescription, HeaderKind } from './header.js';
import { BAR, TYPE_0_BARS } from './layout.js';
import { type BarTarget, PciFunction } from './pci-function.js';

/** What an SR-IOV capability is. */
export interface SriovDescription {
  readonly totalVfs: number;
  /** Routing id of the first VF less that of the PF, and the distance of the next ones. */
  readonly firstOffset: number;
  readonly stride: number;
  readonly vfDeviceId: number;
  /** Memory of one VF; each at least a page of 4 KiB. */
  readonly vfBars: readonly BarDescription[];
}

interface SavedSriov {
  readonly vfs: number;
}

/** 4 KiB, 8 KiB, 64 KiB, 256 KiB, 1 MiB and 4 MiB: the sizes that every PF has (9.3.3.12). */
const PAGE_SIZES = 0x553;
const PAGE = 4096;

/** The SR-IOV capability of a PF. */
class SriovCapability implements Capability {
  readonly #fn: PciFunction;
  readonly #description: SriovDescription;
  readonly #at: number;
  readonly virtualFunctions: PciFunction[] = [];
  /** How many VFs there are, as it was when they were enabled. */
  #vfs = 0;

  constructor(fn: PciFunction, description: SriovDescription) {
    const { totalVfs, firstOffset, stride, vfDeviceId, vfBars } = description;
    const last = fn.devfn + firstOffset + (totalVfs - 1) * stride;
    if (totalVfs < 1 || firstOffset < 1 || (totalVfs > 1 && stride < 1) || last > 0xff) {
      throw new RangeError(`${totalVfs} virtual functions from ${firstOffset} by ${stride} do not fit on the bus`);
    }
    this.#fn = fn;
    this.#description = description;
    const { config } = fn;
    this.#at = config.addExtendedCapability(EXTENDED_CAPABILITY.SRIOV, 1, SRIOV.BYTES);
    const define = (offset: number, width: 2 | 4, reset: number, writable = 0) =>
      config.define(this.#at + offset, width, { reset, writable });
    define(SRIOV.CONTROL, 2, 0, word(SRIOV_CONTROL, { VF_ENABLE: 1, VF_MEMORY_SPACE_ENABLE: 1 }));
    define(SRIOV.INITIAL_VFS, 2, totalVfs);
    define(SRIOV.TOTAL_VFS, 2, totalVfs);
    define(SRIOV.NUM_VFS, 2, 0, 0xffff);
    define(SRIOV.FUNCTION_DEPENDENCY_LINK, 2, fn.description.function);
    define(SRIOV.FIRST_VF_OFFSET, 2, firstOffset);
    define(SRIOV.VF_STRIDE, 2, stride);
    define(SRIOV.VF_DEVICE_ID, 2, vfDeviceId);
    define(SRIOV.SUPPORTED_PAGE_SIZES, 4, PAGE_SIZES);
    define(SRIOV.SYSTEM_PAGE_SIZE, 4, 1, PAGE_SIZES);
    const taken = new Set<number>();
    for (const { index, size, is64Bit, prefetchable } of vfBars) {
      const upper = is64Bit ? index + 1 : index;
      if (index < 0 || upper >= TYPE_0_BARS || taken.has(index) || taken.has(upper)) {
        throw new RangeError(`base address register ${index} of the virtual functions does not exist or is taken`);
      }
      if (size < PAGE || !Number.isInteger(Math.log2(size)) || (!is64Bit && size > 0x8000_0000)) {
        throw new RangeError(`base address register ${index} of a virtual function cannot be of size ${size}`);
      }
      taken.add(index).add(upper);
      const kind = word(BAR, { TYPE: is64Bit ? 2 : 0, PREFETCHABLE: prefetchable ? 1 : 0 });
      define(SRIOV.VF_BAR0 + index * 4, 4, kind, (lowHalf(-size) & 0xffff_f000) >>> 0);
      if (is64Bit)
        define(SRIOV.VF_BAR0 + index * 4 + 4, 4, 0, lowHalf(~(highHalf(size) === 0 ? 0 : highHalf(size) - 1)));
    }
  }

  #read(offset: number, width: 2 | 4): number {
    return this.#fn.config.read(this.#at + offset, width);
  }

  #control(bit: keyof typeof SRIOV_CONTROL): boolean {
    return field(this.#read(SRIOV.CONTROL, 2), SRIOV_CONTROL[bit]) === 1;
  }

  /** Whether there is a VF now; VFs count from 0 here. */
  isEnabled(vf: number): boolean {
    return vf < this.#vfs;
  }

  get isMemoryEnabled(): boolean {
    return this.#control('VF_MEMORY_SPACE_ENABLE');
  }

  /** The page of the system: VFs share none (9.3.3.13). */
  get #pageSize(): number {
    const bits = this.#read(SRIOV.SYSTEM_PAGE_SIZE, 4);
    return bits === 0 ? PAGE : PAGE * (bits & -bits);
  }

  /** Bytes from a VF's memory to that of the next. */
  #spacing(bar: BarDescription): number {
    return Math.max(bar.size, this.#pageSize);
  }

  /** Where the memory of a VF is now. */
  barBase(vf: number, bar: BarDescription): number {
    const low = (this.#read(SRIOV.VF_BAR0 + bar.index * 4, 4) & 0xffff_fff0) >>> 0;
    const base = bar.is64Bit ? join(this.#read(SRIOV.VF_BAR0 + bar.index * 4 + 4, 4), low) : low;
    return base + vf * this.#spacing(bar);
  }

  configWritten(offset: number, width: number): void {
    const touches = (register: number, bytes: number) =>
      offset < this.#at + register + bytes && offset + width > this.#at + register;
    if (!touches(0, SRIOV.BYTES)) return;
    if (
      this.#vfs > 0 &&
      this.#control('VF_ENABLE') &&
      (touches(SRIOV.NUM_VFS, 2) || touches(SRIOV.SYSTEM_PAGE_SIZE, 4))
    ) {
      tellMisuse(this.#fn, 'NumVFs or System Page Size written while virtual functions are enabled');
    }
    const pages = this.#read(SRIOV.SYSTEM_PAGE_SIZE, 4);
    if (touches(SRIOV.SYSTEM_PAGE_SIZE, 4) && (pages & -pages) !== pages) {
      tellMisuse(this.#fn, `System Page Size 0x${pages.toString(16)} is no single size`);
    }
    this.#clearBelowSpacing();
    if (touches(SRIOV.CONTROL, 2)) this.#enable();
  }

  /** A base address register has no address bits below the memory of one VF, which is whole pages. */
  #clearBelowSpacing(): void {
    for (const bar of this.#description.vfBars) {
      const at = this.#at + SRIOV.VF_BAR0 + bar.index * 4;
      const value = this.#fn.config.read(at, 4);
      const clear = lowHalf(Math.min(this.#spacing(bar), 2 ** 32) - 1) & 0xffff_fff0;
      this.#fn.config.set(at, 4, value & ~clear);
    }
  }

  #enable(): void {
    if (!this.#control('VF_ENABLE')) {
      this.#disable();
      return;
    }
    if (this.#vfs > 0) return;
    const wanted = this.#read(SRIOV.NUM_VFS, 2);
    if (wanted === 0 || wanted > this.#description.totalVfs) {
      tellMisuse(this.#fn, `VF Enable set with NumVFs ${wanted} of ${this.#description.totalVfs}`);
    }
    this.#vfs = Math.min(wanted, this.#description.totalVfs);
  }

  /** The VFs are gone; they come back as out of reset. */
  #disable(): void {
    const had = this.#vfs;
    this.#vfs = 0;
    for (const vf of this.virtualFunctions.slice(0, had)) vf.reset();
  }

  reset(): void {
    this.#disable();
  }

  save(): SavedSriov {
    return { vfs: this.#vfs };
  }

  load(state: unknown): void {
    this.#vfs = (state as SavedSriov).vfs;
  }
}

/** A function with SR-IOV. Its VFs are made by {@link virtualFunction}, one for each number. */
export class PhysicalFunction extends PciFunction {
  readonly sriov: SriovCapability;
  readonly #description: SriovDescription;

  /** @throws RangeError if the VFs do not fit on the bus, or as {@link PciFunction}. */
  constructor(description: FunctionDescription, sriov: SriovDescription, target: BarTarget | undefined) {
    super(description, target);
    if (description.portType === 'conventional') throw new RangeError('a conventional function has no SR-IOV');
    this.#description = sriov;
    this.sriov = this.install(new SriovCapability(this, sriov));
  }

  /** Makes VF `number`, counted from 0. Its further interrupts and services are as described. */
  virtualFunction(
    number: number,
    description: Pick<FunctionDescription, 'msi' | 'msix'>,
    target: BarTarget | undefined,
  ): VirtualFunction {
    const vf = new VirtualFunction(this, number, this.#description, description, target);
    this.sriov.virtualFunctions[number] = vf;
    return vf;
  }
}

/** A VF: there while its PF's capability says so. */
export class VirtualFunction extends PciFunction {
  readonly physical: PhysicalFunction;
  readonly number: number;

  constructor(
    physical: PhysicalFunction,
    number: number,
    { firstOffset, stride, vfBars }: SriovDescription,
    interrupts: Pick<FunctionDescription, 'msi' | 'msix'>,
    target: BarTarget | undefined,
  ) {
    const devfn = physical.devfn + firstOffset + number * stride;
    const { classCode, revision = 0, portType, acs = false } = physical.description;
    const header: HeaderKind = 'virtual';
    const description = {
      ...interrupts,
      device: devfn >> 3,
      function: devfn & 7,
      vendorId: 0xffff,
      deviceId: 0xffff,
      classCode,
      revision,
      portType,
      acs,
      bars: vfBars,
    };
    super(description, target, header);
    this.physical = physical;
    this.number = number;
  }

  override get isPresent(): boolean {
    return super.isPresent && this.physical.isPresent && this.physical.sriov.isEnabled(this.number);
  }

  /** Its routing id follows from that of its PF, whatever reached it (9.2.1.2). */
  override get capturedBus(): number {
    return this.physical.capturedBus;
  }

  override get memorySpaceEnabled(): boolean {
    return this.physical.sriov.isMemoryEnabled;
  }

  override barBase(bar: BarDescription): number {
    return this.physical.sriov.barBase(this.number, bar);
  }
}
