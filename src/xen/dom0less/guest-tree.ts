/**
 * The device tree that a guest finds: what Xen emulates for it, and what of its passthrough device tree is for it
 * (xen/common/device-tree/dom0less-build.c, xen/arch/arm/dom0less-build.c, tools/libs/light/libxl_arm.c).
 *
 * The same configuration on the same machine always makes the same bytes.
 *
 * Not modelled: grant tables, so the hypervisor node has no `reg`; serial ports; boot arguments.
 */
import { cellBytes, DeviceNode, DeviceTree, stringBytes } from '../../firmware/tree.js';
import type { DomainConfig } from '../domain-config.js';
import { PAGE_SIZE } from '../frames.js';
import type { Gic } from '../gic/driver.js';
import { GUEST_GICV2, GUEST_GICV3, GUEST_PHANDLE_GIC, GUEST_VPCI } from '../guest-layout.js';
import type { ByteSpan, Domain, Xen } from '../xen.js';

/** Version of Xen that the model was compared with, as it names itself to guests. */
const VERSION = '4.22';
/** Private peripheral interrupts of the timers and of Xen's events (arch-arm.h), as a GIC's cells count them: from 16. */
const PPI = { TIMER_SECURE: 13, TIMER_PHYSICAL: 14, TIMER_VIRTUAL: 11, EVENT_CHANNEL: 15 } as const;
/** First cell of a GIC's interrupt: a private one. Last: level low, for all CPUs (Linux devicetree binding arm,gic). */
const PRIVATE = 1;
const LEVEL_LOW = 0xf08;
/** vCPUs that share all of MPIDR but affinity level 0 (xen/arch/arm/include/asm/vgic.h, vcpuid_to_vaffinity). */
const CLUSTER = 16;
/** First cell of a PCI range (IEEE 1275 PCI binding, 2.2.1.1): memory of 32 bits, of 64 bits, prefetchable. */
const PCI_SPACE = { MEMORY_32: 0x0200_0000, MEMORY_64: 0x0300_0000, PREFETCHABLE_64: 0x4300_0000 } as const;

/** Two cells of a number. */
const twoCells = (value: number): readonly [number, number] => [Math.floor(value / 2 ** 32), value >>> 0];
const reg = (...spans: readonly ByteSpan[]): Uint8Array =>
  cellBytes(...spans.flatMap(({ address, size }) => [...twoCells(address), ...twoCells(size)]));
const EMPTY = new Uint8Array(0);

/** Makes a node of properties and children. */
export function makeNode(
  name: string,
  properties: Readonly<Record<string, Uint8Array>>,
  ...children: readonly DeviceNode[]
): DeviceNode {
  const node = new DeviceNode(name);
  for (const [property, bytes] of Object.entries(properties)) node.properties.set(property, bytes);
  for (const child of children) node.append(child);
  return node;
}

const at = (name: string, address: number): string => `${name}@${address.toString(16)}`;

/** RAM of a domain, with a `reg` entry for each run of guest frames. */
export function memoryNode(domain: Domain): DeviceNode {
  const banks: { address: number; size: number }[] = [];
  for (const { gfn, count } of domain.ram.toSorted((a, b) => a.gfn - b.gfn)) {
    const last = banks[banks.length - 1];
    if (last !== undefined && last.address + last.size === gfn * PAGE_SIZE) last.size += count * PAGE_SIZE;
    else banks.push({ address: gfn * PAGE_SIZE, size: count * PAGE_SIZE });
  }
  return makeNode(at('memory', banks[0]?.address ?? 0), { device_type: stringBytes('memory'), reg: reg(...banks) });
}

/** How guests turn vCPUs on and off. */
export function psciNode(): DeviceNode {
  return makeNode('psci', { compatible: stringBytes('arm,psci-1.0', 'arm,psci-0.2'), method: stringBytes('hvc') });
}

/** That there is a hypervisor. */
export function hypervisorNode(gicPhandle: number): DeviceNode {
  return makeNode('hypervisor', {
    compatible: stringBytes(`xen,xen-${VERSION}`, 'xen,xen'),
    interrupts: cellBytes(PRIVATE, PPI.EVENT_CHANNEL, LEVEL_LOW),
    'interrupt-parent': cellBytes(gicPhandle),
  });
}

function cpusNode(domain: Domain): DeviceNode {
  const cpus = domain.vcpus.map(({ vcpu }) => {
    const affinity = Math.floor(vcpu / CLUSTER) * 0x100 + (vcpu % CLUSTER);
    return makeNode(at('cpu', affinity), {
      device_type: stringBytes('cpu'),
      compatible: stringBytes('arm,armv8'),
      'enable-method': stringBytes('psci'),
      reg: cellBytes(affinity),
    });
  });
  return makeNode('cpus', { '#address-cells': cellBytes(1), '#size-cells': cellBytes(0) }, ...cpus);
}

function timerNode(gicPhandle: number): DeviceNode {
  const interrupts = [PPI.TIMER_SECURE, PPI.TIMER_PHYSICAL, PPI.TIMER_VIRTUAL];
  return makeNode('timer', {
    compatible: stringBytes('arm,armv8-timer'),
    interrupts: cellBytes(...interrupts.flatMap((number) => [PRIVATE, number, LEVEL_LOW])),
    'interrupt-parent': cellBytes(gicPhandle),
  });
}

/** Registers of a node of the host's tree. */
function hostRegisters(node: DeviceNode): ByteSpan[] {
  return node.reg().map(({ address, size }) => ({ address: node.translate(address) ?? address, size }));
}

/**
 * How many entries of the controller's `reg` are for guests: distributor and CPU interface of a GICv2, distributor and
 * redistributors of a GICv3. What follows is for hypervisors, or for software without system registers.
 */
export function guestRegisters({ version, node }: Gic): number {
  return version === 2 ? 2 : 1 + (node.u32('#redistributor-regions') ?? 1);
}

/** The interrupt controller that a domain sees, with its translation service if the host has one. */
function gicNode(xen: Xen, domain: Domain, phandle: number, itsPhandle: number): DeviceNode | undefined {
  const host = xen.gic;
  if (host === undefined) return undefined;
  const { directMapped } = domain;
  const hostSpans = hostRegisters(host.node).slice(0, guestRegisters(host));
  const common = {
    '#interrupt-cells': cellBytes(3),
    'interrupt-controller': EMPTY,
    '#address-cells': cellBytes(2),
    '#size-cells': cellBytes(2),
    ranges: EMPTY,
  };
  if (host.version === 2) {
    const spans = directMapped ? hostSpans : [GUEST_GICV2.GICD, GUEST_GICV2.GICC];
    return makeNode(at('interrupt-controller', spans[0]?.address ?? 0), {
      compatible: stringBytes('arm,gic-400'),
      ...common,
      reg: reg(...spans),
      phandle: cellBytes(phandle),
    });
  }
  const spans = directMapped ? hostSpans : [GUEST_GICV3.GICD, GUEST_GICV3.GICR];
  const hostIts = xen.platform.tree.compatible('arm,gic-v3-its').find((node) => node.enabled);
  const children: DeviceNode[] = [];
  if (hostIts !== undefined) {
    const its = (directMapped ? hostRegisters(hostIts)[0] : undefined) ?? GUEST_GICV3.ITS;
    children.push(
      makeNode(at('msi-controller', its.address), {
        compatible: stringBytes('arm,gic-v3-its'),
        'msi-controller': EMPTY,
        '#msi-cells': cellBytes(1),
        reg: reg(its),
        phandle: cellBytes(itsPhandle),
      }),
    );
  }
  const properties = {
    compatible: stringBytes('arm,gic-v3'),
    ...common,
    ...(spans.length > 2 ? { '#redistributor-regions': cellBytes(spans.length - 1) } : {}),
    reg: reg(...spans),
    phandle: cellBytes(phandle),
  };
  return makeNode(at('interrupt-controller', spans[0]?.address ?? 0), properties, ...children);
}

/** Where a domain sees the BARs of its devices, as far as it is in none of the windows that Xen keeps for them. */
function placedBars(xen: Xen, domain: Domain): ByteSpan[] {
  const windows: readonly ByteSpan[] = [GUEST_VPCI.MEMORY, GUEST_VPCI.PREFETCHABLE];
  const spans = new Map<number, ByteSpan>();
  for (const device of domain.devices) {
    for (const bar of device.bars) {
      const address = xen.steps.pci.barGuestFrame(xen, domain, device, bar) * PAGE_SIZE;
      const size = xen.steps.pci.barFrames(xen, bar).count * PAGE_SIZE;
      const inWindow = windows.some((w) => address >= w.address && address + size <= w.address + w.size);
      if (!inWindow) spans.set(address, { address, size });
    }
  }
  return [...spans.values()].sort((a, b) => a.address - b.address);
}

/** The PCI host bridge that a domain sees. Its devices' identities at the translation service are their addresses. */
function pcieNode(xen: Xen, domain: Domain, itsPhandle: number | undefined): DeviceNode {
  const { ECAM, MEMORY, PREFETCHABLE } = GUEST_VPCI;
  const range = (space: number, { address, size }: ByteSpan) => [
    space,
    ...twoCells(address),
    ...twoCells(address),
    ...twoCells(size),
  ];
  const bars = placedBars(xen, domain).flatMap((span) =>
    range(span.address + span.size <= 2 ** 32 ? PCI_SPACE.MEMORY_32 : PCI_SPACE.MEMORY_64, span),
  );
  return makeNode(at('pcie', ECAM.address), {
    compatible: stringBytes('pci-host-ecam-generic'),
    device_type: stringBytes('pci'),
    '#address-cells': cellBytes(3),
    '#size-cells': cellBytes(2),
    reg: reg(ECAM),
    'bus-range': cellBytes(0, 0xff),
    'linux,pci-domain': cellBytes(0),
    'dma-coherent': EMPTY,
    ranges: cellBytes(
      ...range(PCI_SPACE.MEMORY_32, MEMORY),
      ...range(PCI_SPACE.PREFETCHABLE_64, PREFETCHABLE),
      ...bars,
    ),
    ...(itsPhandle === undefined ? {} : { 'msi-map': cellBytes(0, itsPhandle, 0, 0x1_0000) }),
  });
}

/** The highest phandle below the interrupt controller's usual one that the passthrough device tree does not use. */
function freePhandle(taken: ReadonlySet<number>): number {
  let phandle = GUEST_PHANDLE_GIC - 1;
  while (taken.has(phandle)) phandle--;
  return phandle;
}

/** Makes the tree of a guest that has its memory and its devices. */
export function guestTree(xen: Xen, domain: Domain, config: DomainConfig): DeviceTree {
  const partial = config.passthroughTree;
  const gicPhandle = partial?.gicPhandle ?? GUEST_PHANDLE_GIC;
  const itsPhandle = freePhandle(partial?.phandles ?? new Set());
  const gic = gicNode(xen, domain, gicPhandle, itsPhandle);
  const root = makeNode(
    '',
    {
      '#address-cells': cellBytes(2),
      '#size-cells': cellBytes(2),
      compatible: stringBytes(`xen,xenvm-${VERSION}`, 'xen,xenvm'),
      model: stringBytes(`XENVM-${VERSION}`),
      'interrupt-parent': cellBytes(gicPhandle),
    },
    makeNode('chosen', {}),
    psciNode(),
    cpusNode(domain),
    memoryNode(domain),
    ...(gic === undefined ? [] : [gic]),
    timerNode(gicPhandle),
    hypervisorNode(gicPhandle),
  );
  if (domain.devices.length > 0) root.append(pcieNode(xen, domain, gic?.children.length ? itsPhandle : undefined));
  for (const node of partial?.copied ?? []) root.append(node.clone());
  return new DeviceTree(root);
}
