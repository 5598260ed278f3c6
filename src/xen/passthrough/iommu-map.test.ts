import t from 'tap';
import { cellBytes, DeviceNode } from '../../firmware/tree.js';
import { xenSteps } from '../steps.js';
import type { HostBridge, Iommu, PciDevice, Xen } from '../xen.js';
import { assignment, boardWith, boot, createGuest, dma } from '../xen.test-support.js';

/** A host bridge with this `iommu-map`, in front of SMMUs with the phandles 1 and 2. */
function behind(map: readonly number[] | undefined, mask?: number) {
  const node = new DeviceNode('pcie@0');
  if (map !== undefined) node.properties.set('iommu-map', cellBytes(...map));
  if (mask !== undefined) node.properties.set('iommu-map-mask', cellBytes(mask));
  const iommus = [1, 2].map((phandle) => {
    const iommu = new DeviceNode(`iommu@${phandle}`);
    iommu.properties.set('phandle', cellBytes(phandle));
    return { node: iommu, disabled: false } as Iommu;
  });
  const steps = xenSteps();
  const xen = { steps, iommus, segments: new Map() } as unknown as Xen;
  const bridge = { node } as HostBridge;
  const stream = (requester: number) => {
    const mapped = steps.iommu.mapId(xen, bridge, requester);
    return typeof mapped === 'object' ? [iommus.indexOf(mapped.iommu) + 1, mapped.streamId] : mapped;
  };
  return { xen, bridge, stream };
}

t.test('ids are moved, not copied: Linux devicetree binding pci-iommu.txt, example 4', async (t) => {
  const { stream } = behind([0x0, 1, 0x0, 0x100, 0x100, 2, 0x8000, 0x200]);
  t.same(stream(0x00), [1, 0]);
  t.same(stream(0xff), [1, 0xff]);
  t.same(stream(0x100), [2, 0x8000]);
  t.same(stream(0x2ff), [2, 0x81ff]);
  t.equal(stream(0x300), undefined, 'behind no IOMMU');
});

t.test('the mask is applied before the look-up', async (t) => {
  const { stream } = behind([0x0, 1, 0x10, 0x8], 0x7);
  t.same(stream(0x0903), [1, 0x13], 'only the function number counts');
  t.same(stream(0x0002), [1, 0x12]);
});

t.test('an entry that begins at an id that the mask removes is -EFAULT, an IOMMU that is none -ENODEV', async (t) => {
  t.equal(behind([0x8, 1, 0, 8], 0x7).stream(0), -14);
  t.equal(behind([0x0, 9, 0, 8]).stream(0), -19);
  t.equal(behind(undefined).stream(0), undefined);
});

t.test('phantom functions have streams of their own; the same stream is listed once', async (t) => {
  const sbdf = { segment: 0, bus: 1, device: 2, function: 0 };
  const ids = (map: number[], mask: number | undefined, phantomStride: number) => {
    const { xen, bridge } = behind(map, mask);
    const found = xen.steps.iommu.streamIdsOf(xen, { sbdf, bridge, phantomStride } as PciDevice);
    return typeof found === 'number' ? found : found.streamIds;
  };
  const all = [0, 1, 0, 0x10000];
  t.same(ids(all, undefined, 0), [0x110]);
  t.same(ids(all, undefined, 4), [0x110, 0x114]);
  t.same(ids(all, undefined, 1), [0x110, 0x111, 0x112, 0x113, 0x114, 0x115, 0x116, 0x117]);
  t.same(ids(all, 0xfff8, 4), [0x110]);
  t.equal(ids([0, 1, 0, 0x114, 0x114, 2, 0, 0x100], undefined, 4), -6, 'two SMMUs: ENXIO');
  t.equal(ids([0x200, 1, 0, 0x100], undefined, 0), -19, 'ENODEV');
});

t.test('on the board: a device of segment 1 translates by its moved stream, phantom functions too', async (t) => {
  const booted = boot(xenSteps(), boardWith('pci-phantom=0001:00:01.0,4'));
  const { machine, xen } = booted;
  const d1 = createGuest(xen, ['0001:00:01.0']);
  t.ok(dma(machine, '0001:00:01.0', 0x4000_0000).ok);
  const table = machine.mmio.read64((0x0905_0000 + 0x80) as never);
  const level1 = (table.hi & 0xfffff) * 2 ** 32 + ((table.lo & 0xffff_ffc0) >>> 0);
  const pointer = machine.memory.load64((level1 + 0x80 * 8) as never);
  const level2 = (pointer.hi & 0xfffff) * 2 ** 32 + ((pointer.lo & 0xffff_ffc0) >>> 0);
  const config = (streamId: number) => (machine.memory.load64((level2 + (streamId & 0xff) * 64) as never).lo >>> 1) & 7;
  t.equal(config(0x8008), 6);
  t.equal(config(0x800c), 6, 'function 4');
  t.equal(config(0x8009), 0);
  t.equal(assignment(booted, 47, d1, '0001:00:01.0'), 0);
  t.equal(config(0x8008), 0);
  t.equal(config(0x800c), 0);
});
