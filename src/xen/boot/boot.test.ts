import t from 'tap';
import { createXen } from '../create.js';
import { xenSteps } from '../steps.js';
import {
  assignment,
  board,
  boardWith,
  boot,
  createGuest,
  dma,
  domainBlob,
  hardwareScratch,
  physdev,
} from '../xen.test-support.js';

t.test('without IOMMUs, nothing is passed through', async (t) => {
  const booted = boot(xenSteps(), boardWith('iommu=no'));
  const { xen } = booted;
  t.equal(xen.pciDevices().length, 11);
  const blob = domainBlob({ memory: [0, 4096], 'xen,pci-devices': ['0000:00:01.0'] });
  t.same(xen.createDomain(blob), { error: -95 }, 'EOPNOTSUPP');
  const d1 = createGuest(xen, []);
  t.equal(assignment(booted, 37, d1, '0000:00:01.0'), -95);
});

t.test("without a scan, a device is nobody's until the hardware domain tells of it", async (t) => {
  const booted = boot(xenSteps(), boardWith('pci-scan=no'));
  const { machine, xen } = booted;
  t.same(xen.pciDevices(), []);
  const own = hardwareScratch(xen) + 0x4000;
  t.notOk(dma(machine, '0000:00:01.0', own).ok);
  t.equal(physdev(booted, 25, '0000:00:01.0'), 0);
  t.ok(dma(machine, '0000:00:01.0', own).ok, 'also after the SMMU has seen its stream without an entry');
  t.same(xen.pciDevices(), ['0000:00:01.0']);
  t.same(
    xen.claims()[0]?.mmio.map(({ gfn, mfn }) => gfn === mfn),
    [true, true],
    'its two BARs, at their own addresses',
  );
});

t.test('the hardware domain has adjacent RAM at its own address, clear of the blob', async (t) => {
  const { xen, machine } = boot(xenSteps(), boardWith('dom0_mem=256M'));
  const ram = xen.claims()[0]?.ram ?? [];
  t.equal(ram.length, 1);
  t.equal(ram[0]?.gfn, ram[0]?.mfn);
  t.equal((ram[0]?.count ?? 0) * 4096, 0x1000_0000);
  const first = (ram[0]?.mfn ?? 0) * 4096;
  const fdt = machine.firmware.fdt?.address ?? 0;
  t.notOk(fdt >= first && fdt < first + 0x1000_0000);
});

t.test('RAM for the hardware domain that is not there ends the boot', async (t) => {
  t.throws(() => boot(xenSteps(), boardWith('dom0_mem=64G')), {
    name: 'BootError',
    message: 'no hardware domain (-12)',
  });
});

t.test('a machine without a device tree, or with half of one, ends the boot', async (t) => {
  const machine = board.power();
  const without = Object.create(machine, { firmware: { value: {} } });
  t.throws(() => createXen(xenSteps()).boot(without), { name: 'BootError' });
  const fdt = machine.firmware.fdt;
  const half = Object.create(machine, {
    firmware: { value: { fdt: { ...fdt, size: 100 } } },
    memory: { value: machine.memory },
  });
  t.throws(() => createXen(xenSteps()).boot(half), { name: 'FirmwareFormatError' });
});

t.test('calls before a boot say so', async (t) => {
  t.throws(() => createXen(xenSteps()).claims(), /boot\(\) first/);
});

t.test('sizing of BARs leaves them, and memory decode, as they were', async (t) => {
  const machine = board.power();
  const ecam = (offset: number) => machine.mmio.read((0x40_1000_0000 + (1 << 15) + offset) as never, 4);
  const before = [0x04, 0x10, 0x14, 0x18, 0x1c, 0x20, 0x24].map(ecam);
  createXen(xenSteps()).boot(machine);
  t.same([0x04, 0x10, 0x14, 0x18, 0x1c, 0x20, 0x24].map(ecam), before);
});
