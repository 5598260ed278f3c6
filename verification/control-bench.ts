/**
 * How checks arrange: hypercalls that vCPUs of the hardware domain make, with their structures in its memory, and modules
 * that a boot loader leaves.
 */
import { decodeFdt, encodeFdt } from '../src/firmware/fdt.js';
import type { DeviceTree } from '../src/firmware/tree.js';
import { hex, type Pa } from '../src/hw/address.js';
import type { Sbdf } from '../src/hw/machine.js';
import type { CreateResult } from '../src/xen/hypervisor.js';
import { type DeviceName, endpointOf, isPlatformDevice } from './devices.js';
import { type DomainConfig, domainBlob, passthroughTreeOf } from './domain-blob.js';
import { FRAME, wordOf } from './frame-ledger.js';
import { GuestBench, nameOf } from './guest-bench.js';
import { hostPassthroughDevice } from './passthrough-tree.js';
import * as abi from './public-abi.js';

/** Hypercall numbers and commands (xen/include/public), restated. */
const MEMORY_OP = 12;
const PHYSDEV_OP = 33;
const DOMCTL = 36;
const HARDWARE_DOMAIN = 0;
/** Where what a structure points to is put, from the structure: both in one page. */
const PATH_OFFSET = 0x400;

/** A domain as a check asks for it: devices of either kind, by whatever name. */
export interface BenchDomainConfig extends Omit<DomainConfig, 'devices'> {
  readonly devices?: readonly DeviceName[];
}

/** A bench with the verbs of the control domain. */
export class ControlBench extends GuestBench {
  #argument: number | undefined;
  #hostTree: DeviceTree | undefined;
  #nextModule: number | undefined;

  /** The host's device tree, as firmware and boot loader left it. */
  get hostTree(): DeviceTree {
    const { fdt } = this.machine.firmware;
    if (fdt === undefined) throw new Error('the machine has no device tree');
    this.#hostTree ??= decodeFdt(this.machine.memory.peek(fdt.address, fdt.size));
    return this.#hostTree;
  }

  /**
   * Leaves a module in memory, as a boot loader does: in the part of it that the host's tree keeps for modules.
   * @returns where it is, in bytes
   */
  placeModule(bytes: Uint8Array): { readonly address: number; readonly size: number } {
    const region = this.hostTree
      .byPath('/reserved-memory')
      ?.children.find((node) => node.name.startsWith('modules@'))
      ?.reg()[0];
    if (region === undefined) throw new Error('the board keeps no memory for modules');
    this.#nextModule ??= region.address;
    const address = this.#nextModule;
    if (address + bytes.length > region.address + region.size) throw new Error('no room for another module');
    this.#nextModule += Math.ceil(bytes.length / FRAME) * FRAME;
    this.machine.memory.poke(address as Pa, bytes);
    return { address, size: bytes.length };
  }

  /** Creates a domain. Platform devices among `devices` have their registers where the machine has them. */
  create({ devices = [], platform = [], ...rest }: BenchDomainConfig): CreateResult {
    const config: DomainConfig = {
      ...rest,
      devices: devices.filter((device): device is Sbdf => !isPlatformDevice(device)),
      platform: [
        ...devices.filter(isPlatformDevice).map((device, index, all) => {
          const once = all.indexOf(device) === index;
          return {
            ...hostPassthroughDevice(this.hostTree, nameOf(device)),
            ...(once ? {} : { name: `again-${index}` }),
          };
        }),
        ...platform,
      ],
    };
    const given = [...(config.devices ?? []), ...(config.platform ?? []).map(({ path, name }) => path ?? name ?? '?')];
    this.transcript?.say(
      'xen',
      `create a domain of ${config.memory / 2 ** 20} MiB with ${given.map(nameOf).join(', ') || 'no device'}`,
    );
    const tree = passthroughTreeOf(config);
    const module = tree === undefined ? undefined : this.placeModule(encodeFdt(tree));
    const result = this.xen.createDomain(domainBlob(config, module));
    this.transcript?.say('xen', 'domid' in result ? `created d${result.domid}` : `failed with ${result.error}`, 1);
    return result;
  }

  /** A guest address in the memory of the hardware domain that hypercall arguments are put at. */
  #argumentAddress(): number {
    this.#argument ??= this.ramOf(HARDWARE_DOMAIN).address + 8 * FRAME;
    return this.#argument;
  }

  /** A hypercall of a domain whose structure is `bytes`; `before` are the register arguments in front of its pointer. */
  #call(domid: number, number: number, before: readonly number[], bytes: Uint8Array | number): number {
    const address =
      typeof bytes === 'number'
        ? bytes
        : domid === HARDWARE_DOMAIN
          ? this.#argumentAddress()
          : this.ramOf(domid).address;
    if (typeof bytes !== 'number') this.#copyToGuest(domid, address, bytes);
    return this.xen.hypercall({ domid, vcpu: 0 }, number, [...before, address]);
  }

  #copyToGuest(domid: number, address: number, bytes: Uint8Array): void {
    const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
    padded.set(bytes);
    for (let at = 0; at < padded.length; at += 4) {
      const stored = this.store(domid, address + at, wordOf(padded.subarray(at, at + 4)));
      if (!stored.ok) throw new Error(`d${domid} cannot write its own argument at ${hex(address + at)}`);
    }
  }

  /** PHYSDEVOP_pci_device_add (25). The caller is the hardware domain unless another is given. */
  pciDeviceAdd(sbdf: Sbdf, options: { flags?: number; physfn?: Sbdf; caller?: number } = {}): number {
    this.transcript?.say('xen', `pci_device_add ${nameOf(sbdf)}`);
    const bytes = abi.pciDeviceAdd(sbdf, options.flags, options.physfn);
    return this.#call(options.caller ?? HARDWARE_DOMAIN, PHYSDEV_OP, [25], bytes);
  }

  /** PHYSDEVOP_pci_device_remove (26). */
  pciDeviceRemove(sbdf: Sbdf, options: { caller?: number } = {}): number {
    this.transcript?.say('xen', `pci_device_remove ${nameOf(sbdf)}`);
    return this.#call(options.caller ?? HARDWARE_DOMAIN, PHYSDEV_OP, [26], abi.pciDevice(sbdf));
  }

  /** A physdev operation whose argument is a guest address of the caller's choice. */
  physdevAt(command: number, address: number): number {
    return this.#call(HARDWARE_DOMAIN, PHYSDEV_OP, [command], address);
  }

  /** One of the commands about assignment. A path of the device tree goes into memory beside the structure. */
  #assignment(cmd: number, domain: number, device: DeviceName, flags: number | undefined, caller: number): number {
    const endpoint = endpointOf(device);
    if (typeof endpoint !== 'string') {
      return this.#call(caller, DOMCTL, [], abi.assignDevice({ cmd, domain }, endpoint, flags));
    }
    const path = new TextEncoder().encode(endpoint);
    const own = caller === HARDWARE_DOMAIN ? this.#argumentAddress() : this.ramOf(caller).address;
    const place = own + PATH_OFFSET;
    this.#copyToGuest(caller, place, path);
    return this.#call(caller, DOMCTL, [], abi.assignDtDevice({ cmd, domain }, place, path.length, flags));
  }

  /** XEN_DOMCTL_assign_device (37), of a PCI function or of a platform device by its path. */
  assign(domain: number, device: DeviceName, options: { flags?: number; caller?: number } = {}): number {
    this.transcript?.say('xen', `assign_device ${nameOf(device)} to d${domain}`);
    return this.#assignment(37, domain, device, options.flags, options.caller ?? HARDWARE_DOMAIN);
  }

  /** XEN_DOMCTL_test_assign_device (45). */
  testAssign(domain: number, device: DeviceName, flags?: number): number {
    return this.#assignment(45, domain, device, flags, HARDWARE_DOMAIN);
  }

  /** XEN_DOMCTL_deassign_device (47). */
  deassign(domain: number, device: DeviceName, options: { flags?: number; caller?: number } = {}): number {
    this.transcript?.say('xen', `deassign_device ${nameOf(device)} from d${domain}`);
    return this.#assignment(47, domain, device, options.flags, options.caller ?? HARDWARE_DOMAIN);
  }

  /**
   * XEN_DOMCTL_get_device_group (50).
   * @returns what the call returns, and the functions that it listed, as bus << 16 | device << 11 | function << 8
   */
  deviceGroup(domain: number, sbdf: Sbdf, max = 16): { readonly result: number; readonly listed: readonly number[] } {
    const array = this.#argumentAddress() + PATH_OFFSET;
    const result = this.#call(HARDWARE_DOMAIN, DOMCTL, [], abi.deviceGroup({ cmd: 50, domain }, sbdf, max, array));
    if (result !== 0) return { result, listed: [] };
    const count = this.load(HARDWARE_DOMAIN, this.#argumentAddress() + abi.DEVICE_GROUP_COUNT) ?? 0;
    const listed = Array.from({ length: count }, (_, at) => this.load(HARDWARE_DOMAIN, array + at * 4) ?? 0);
    return { result, listed };
  }

  /** XEN_DOMCTL_bind_pt_irq (38) of an SPI, or unbind_pt_irq (48). */
  bindSpi(domain: number, machineIrq: number, spi: number, bind = true): number {
    return this.#call(HARDWARE_DOMAIN, DOMCTL, [], abi.bindSpi({ cmd: bind ? 38 : 48, domain }, machineIrq, spi));
  }

  /** XEN_DOMCTL_irq_permission (19). */
  irqPermission(domain: number, irq: number, allow = true): number {
    return this.#call(HARDWARE_DOMAIN, DOMCTL, [], abi.irqPermission({ cmd: 19, domain }, irq, allow));
  }

  /** XEN_DOMCTL_destroydomain (2). Its pages stay in the ledger: what became of them is for the check to see. */
  destroy(domain: number): number {
    this.transcript?.say('xen', `destroydomain d${domain}`);
    return this.#call(HARDWARE_DOMAIN, DOMCTL, [], abi.plainDomctl({ cmd: 2, domain }));
  }

  /** XEN_DOMCTL_iomem_permission (20). Frames. */
  iomemPermission(domain: number, mfn: number, count: number, allow = true): number {
    return this.#call(HARDWARE_DOMAIN, DOMCTL, [], abi.iomemPermission({ cmd: 20, domain }, mfn, count, allow));
  }

  /** XEN_DOMCTL_memory_mapping (39). Frames. */
  memoryMapping(domain: number, gfn: number, mfn: number, count: number, add = true): number {
    this.transcript?.say(
      'xen',
      `memory_mapping d${domain} gfn ${hex(gfn)} to mfn ${hex(mfn)}, ${count} frames, ${add ? 'add' : 'remove'}`,
    );
    return this.#call(HARDWARE_DOMAIN, DOMCTL, [], abi.memoryMapping({ cmd: 39, domain }, gfn, mfn, count, add));
  }

  /**
   * XENMEM_decrease_reservation (memory_op 1): a guest gives back the page, or the 2^order pages, at a guest address.
   * @returns how many such extents Xen took: 1 or 0
   */
  giveBack(domid: number, address: number, order = 0): number {
    this.transcript?.say('xen', `decrease_reservation d${domid} ${hex(address)}`);
    const list = this.ramOf(domid).address + FRAME / 2;
    const frame = Math.floor(address / FRAME);
    this.#copyToGuest(domid, list, Uint8Array.of(frame, frame >>> 8, frame >>> 16, frame >>> 24, 0, 0, 0, 0));
    return this.#call(domid, MEMORY_OP, [1], abi.memoryReservation(list, 1, order));
  }
}
