import t from 'tap';
import { parseBootOptions, parseSbdf } from './options.js';

t.test('defaults: IOMMU, quarantine, PCI passthrough and scan are on, nothing is hidden', async (t) => {
  t.same(parseBootOptions(''), {
    iommu: true,
    quarantine: true,
    pciPassthrough: true,
    pciScan: true,
    dom0Memory: 64 * 1024 * 1024,
    hidden: [],
    phantoms: [],
  });
});

t.test('booleans are written in many ways', async (t) => {
  for (const no of ['no', 'off', 'false', 'disable', '0']) t.notOk(parseBootOptions(`iommu=${no}`).iommu, no);
  for (const yes of ['yes', 'on', 'true', 'enable', '1']) t.ok(parseBootOptions(`iommu=no iommu=${yes}`).iommu, yes);
  t.ok(parseBootOptions('iommu=perhaps').iommu, 'what is none changes nothing');
  t.match(parseBootOptions('iommu=off,no-quarantine'), { iommu: false, quarantine: false });
});

t.test('sizes', async (t) => {
  t.equal(parseBootOptions('dom0_mem=256M').dom0Memory, 0x1000_0000);
  t.equal(parseBootOptions('dom0_mem=1g').dom0Memory, 0x4000_0000);
  t.equal(parseBootOptions('dom0_mem=max:2048').dom0Memory, 0x20_0000, 'KiB without a unit');
  t.equal(parseBootOptions('dom0_mem=many').dom0Memory, 0x400_0000);
});

t.test('devices for passthrough, from either command line', async (t) => {
  const { hidden, phantoms } = parseBootOptions(
    'console=hvc0 xen-pciback.hide=(0000:03:00.0)(1:1f.7)(nonsense)',
    'xen-pciback.hide=(0001:00:02.0) pci-phantom=03:00,1 pci-phantom=0000:03:00.0,4',
  );
  t.same(hidden, [
    { segment: 0, bus: 3, device: 0, function: 0 },
    { segment: 0, bus: 1, device: 0x1f, function: 7 },
    { segment: 1, bus: 0, device: 2, function: 0 },
  ]);
  t.same(phantoms, [{ sbdf: { segment: 0, bus: 3, device: 0, function: 0 }, stride: 4 }]);
});

t.test('addresses of functions that there cannot be', async (t) => {
  for (const text of ['', '0:0', '0:20.0', '0:0.8', '100:00.0.0', 'g:0.0', '12345:00:00.0']) {
    t.equal(parseSbdf(text), undefined, text);
  }
});
