/** The reference model of Xen as a {@link Hypervisor}. */

import { DeviceTree } from '../firmware/tree.js';
import type { Machine } from '../hw/machine.js';
import { formatSbdf } from '../hw/machine.js';
import { FrameHeap } from './boot/heap.js';
import { parseBootOptions } from './boot/options.js';
import { makeDomIo } from './domain/create.js';
import { failure } from './errno.js';
import type { Hypervisor } from './hypervisor.js';
import { allDevices } from './passthrough/pci.js';
import { RangeSet } from './range-set.js';
import type { XenSteps } from './steps.js';
import { TagBitmap } from './tags.js';
import type { Vcpu, Xen } from './xen.js';

/** State before anything is known of the machine. */
function blank(steps: XenSteps, machine: Machine, console: string[]): Xen {
  return {
    machine,
    steps,
    console,
    heap: new FrameHeap(),
    options: parseBootOptions(''),
    platform: {
      tree: new DeviceTree(),
      memory: [],
      reserved: [],
      cpus: 1,
      hostBridges: [],
      iomem: new RangeSet(),
      staticBanks: [],
    },
    format: { ipaBits: 40, rootLevel: 1, rootOrder: 1, paRange: 2 },
    vmids: new TagBitmap(8),
    iommus: [],
    segments: new Map(),
    dtDevices: new Map(),
    domains: new Map(),
    domIo: makeDomIo(),
    lastDomid: 0,
    running: [],
    cpu: 0,
    gic: undefined,
    irqs: new Map(),
    its: { services: [], lpis: undefined },
  };
}

/** A hypervisor of these steps, not yet booted. Its calls throw until {@link Hypervisor.boot}. */
export function createXen(steps: XenSteps): Hypervisor {
  const console: string[] = [];
  let state: Xen | undefined;
  const booted = (): Xen => {
    if (state === undefined) throw new Error('Xen has not booted: call boot() first');
    return state;
  };
  const find = (xen: Xen, { domid, vcpu }: { domid: number; vcpu: number }): Vcpu | undefined =>
    xen.domains.get(domid)?.vcpus[vcpu];
  return {
    console,
    boot(machine) {
      console.length = 0;
      const xen = blank(steps, machine, console);
      xen.steps.boot.start(xen);
      state = xen;
    },
    createDomain(blob) {
      const xen = booted();
      xen.steps.iommu.service(xen);
      return xen.steps.domain.create(xen, blob);
    },
    hypercall(vcpu, number, args) {
      const xen = booted();
      const found = find(xen, vcpu);
      return found === undefined ? failure('ESRCH') : xen.steps.hypercall.dispatch(xen, found, number, args);
    },
    schedule(vcpu) {
      const xen = booted();
      const found = find(xen, vcpu);
      return found === undefined ? undefined : xen.steps.domain.schedule(xen, found);
    },
    claims: () => booted().steps.domain.claims(booted()),
    deviceTree: (domid) => booted().domains.get(domid)?.fdt,
    pciDevices: () => allDevices(booted()).map((device) => formatSbdf(device.sbdf)),
  };
}
