import t from 'tap';
import { pa } from '../hw/address.js';
import { dtAssignment } from './passthrough/dt.test-support.js';
import { xenSteps } from './steps.js';
import {
  assignment,
  boardWith,
  boot,
  createGuest,
  dma,
  domainBlob,
  domctl,
  hardwareScratch,
  iomemPermission,
  machineAddress,
  machineSbdf,
  memoryMapping,
  physdev,
} from './xen.test-support.js';

// xen/include/public/errno.h
const EPERM = -1;
const ESRCH = -3;
const E2BIG = -7;
const EBADF = -9;
const ENOMEM = -12;
const EACCES = -13;
const EFAULT = -14;
const EBUSY = -16;
const EXDEV = -18;
const ENODEV = -19;
const EINVAL = -22;
const ENOSPC = -28;
const ENOSYS = -38;
const EILSEQ = -84;
const EOPNOTSUPP = -95;

const DOMID_IO = 0x7ff1;
const DOMID_INVALID = 0x7ff4;

t.test('PHYSDEVOP_pci_device_add', async (t) => {
  const booted = boot();
  const { xen, machine } = booted;
  const d1 = createGuest(xen, []);
  t.equal(physdev(booted, 25, '0000:00:01.0'), 0, 'owned already');
  t.equal(xen.pciDevices().filter((name) => name === '0000:00:01.0').length, 1);
  t.equal(
    physdev(booted, 25, '0000:00:02.1', 2, [0, 0x40]),
    ENODEV,
    'virtual function without its physical function 08.0',
  );
  t.notOk(xen.pciDevices().includes('0000:00:02.1'));
  t.equal(physdev(booted, 25, '0000:00:02.0', 0, [0, 0], { domid: d1, vcpu: 0 }), EPERM);
  t.equal(xen.hypercall({ domid: 0, vcpu: 0 }, 33, [25, 0x10]), EFAULT);
  t.equal(xen.hypercall({ domid: 0, vcpu: 0 }, 33, [99, hardwareScratch(xen)]), ENOSYS);
  t.equal(physdev(booted, 25, '0003:00:01.0'), ENODEV, 'no host bridge, so no IOMMU');
  t.notOk(xen.claims()[0]?.devices.includes('0003:00:01.0'), 'and no owner');
  t.ok(machine);
});

t.test('PHYSDEVOP_pci_device_remove', async (t) => {
  const booted = boot();
  const { xen, machine } = booted;
  const own = hardwareScratch(xen);
  t.ok(dma(machine, '0000:00:01.0', own + 0x2000, Uint8Array.of(1)).ok, 'control');
  t.equal(physdev(booted, 26, '0000:00:01.0'), 0);
  t.notOk(dma(machine, '0000:00:01.0', own + 0x2000, Uint8Array.of(1)).ok);
  t.notOk(xen.pciDevices().includes('0000:00:01.0'));
  t.ok(xen.pciDevices().includes('0001:00:01.0'), 'the same address in another segment stays');
  t.equal(physdev(booted, 26, '0000:00:01.0'), ENODEV);
  t.equal(physdev(booted, 26, '0009:00:01.0'), ENODEV);
  t.equal(physdev(booted, 25, '0000:00:01.0'), 0);
  t.ok(dma(machine, '0000:00:01.0', own + 0x2000, Uint8Array.of(1)).ok);
});

t.test('a physical function with virtual functions is not removed, and all of them are broken', async (t) => {
  const booted = boot();
  t.equal(physdev(booted, 25, '0000:00:02.1', 2, [0, 2 * 8]), 0, 'virtual function of 02.0');
  t.equal(physdev(booted, 26, '0000:00:02.0'), EBUSY);
  const d1 = createGuest(booted.xen, []);
  t.equal(assignment(booted, 37, d1, '0000:00:02.0'), EBADF);
  t.equal(assignment(booted, 37, d1, '0000:00:02.1'), EBADF);
  t.equal(physdev(booted, 26, '0000:00:02.1'), 0);
  t.equal(physdev(booted, 26, '0000:00:02.0'), 0);
});

t.test('without PCI passthrough, devices are neither added nor assigned', async (t) => {
  const booted = boot(xenSteps(), boardWith('pci-passthrough=off'));
  t.equal(physdev(booted, 25, '0000:00:01.0'), EOPNOTSUPP);
  t.equal(physdev(booted, 26, '0000:00:01.0'), EOPNOTSUPP);
});

t.test('XEN_DOMCTL_assign_device', async (t) => {
  const booted = boot();
  const { xen } = booted;
  const d1 = createGuest(xen, ['0000:00:01.0']);
  const d2 = createGuest(xen, []);
  const without = createGuest(xen, [], { passthrough: 'disabled' });
  t.equal(assignment(booted, 37, 0, '0000:00:02.0'), EINVAL, 'self-assignment');
  t.equal(domctl(booted, 37, d2, [1, 0, 0, 0, 0, 0]), ESRCH, 'a platform device without a path');
  t.equal(domctl(booted, 37, d2, [7, 0, 0]), ENODEV, 'no such type');
  t.equal(assignment(booted, 37, d2, '0000:00:02.0', 2), EINVAL, 'unknown flag');
  t.equal(assignment(booted, 37, d2, '0000:00:04.0'), ENODEV, 'the hole');
  t.equal(assignment(booted, 37, d2, '0000:00:01.0'), EBUSY);
  t.equal(assignment(booted, 37, d1, '0000:00:01.0'), EBUSY, 'to its own owner');
  t.equal(assignment(booted, 37, without, '0000:00:02.0'), EOPNOTSUPP);
  t.equal(assignment(booted, 37, 77, '0000:00:02.0'), ESRCH);
  t.equal(assignment(booted, 37, DOMID_INVALID, '0000:00:02.0'), ESRCH);
  t.equal(domctl(booted, 37, d2, [0, 0, machineSbdf('0000:00:02.0')], { domid: d2, vcpu: 0 }), EPERM);
  t.equal(domctl(booted, 37, d2, [0, 0, 0], { domid: 0, vcpu: 0 }, 0x17), EACCES, 'interface version');
  t.equal(xen.hypercall({ domid: 0, vcpu: 0 }, 36, [0x10]), EFAULT);
  t.equal(domctl(booted, 4711, d2, []), ENOSYS);
  t.equal(xen.hypercall({ domid: 0, vcpu: 0 }, 13, []), ENOSYS);
  t.equal(assignment(booted, 37, d2, '0000:00:02.0', 1), 0, 'RDM_RELAXED is known');
  t.equal(assignment(booted, 47, d2, '0000:00:02.0'), 0);
  t.equal(assignment(booted, 37, d2, '0000:00:02.0'), 0, 'from quarantine');
});

t.test('an assignment that IOMMU use is not permitted for is -EXDEV', async (t) => {
  const steps = xenSteps();
  const booted = boot({ ...steps, iommu: { ...steps.iommu, usePermitted: () => false } });
  const d1 = createGuest(booted.xen, []);
  t.equal(assignment(booted, 37, d1, '0000:00:01.0'), EXDEV);
});

t.test('XEN_DOMCTL_test_assign_device', async (t) => {
  const booted = boot();
  const d1 = createGuest(booted.xen, ['0000:00:01.0']);
  t.equal(assignment(booted, 45, d1, '0000:00:02.0'), 0);
  t.equal(assignment(booted, 45, DOMID_INVALID, '0000:00:02.0'), 0);
  t.equal(assignment(booted, 45, DOMID_INVALID, '0000:00:01.0'), EINVAL, 'assigned');
  t.equal(assignment(booted, 45, d1, '0000:00:04.0'), EINVAL, 'missing');
  t.equal(assignment(booted, 45, d1, '0000:00:02.0', 1), EINVAL, 'flags');
  t.equal(assignment(booted, 45, 0, '0000:00:02.0'), EINVAL, 'self');
  t.equal(domctl(booted, 45, d1, [7, 0, 0]), ENODEV, 'no such type');
});

t.test('XEN_DOMCTL_deassign_device', async (t) => {
  const booted = boot();
  const { xen } = booted;
  const owner = (name: string) => xen.claims().find((claim) => claim.devices.includes(name))?.domid;
  const d1 = createGuest(xen, ['0000:00:01.0']);
  const d2 = createGuest(xen, []);
  t.equal(assignment(booted, 47, d2, '0000:00:01.0'), ENODEV, 'of another domain');
  t.equal(owner('0000:00:01.0'), d1, 'nothing has changed');
  t.equal(assignment(booted, 47, d1, '0000:00:01.0', 1), EINVAL, 'flags');
  t.equal(assignment(booted, 47, 0, '0000:00:02.0'), EINVAL, 'self');
  t.equal(domctl(booted, 47, d1, [7, 0, 0]), ENODEV, 'no such type');
  t.equal(assignment(booted, 47, d1, '0000:00:01.0'), 0);
  t.equal(owner('0000:00:01.0'), DOMID_IO, 'quarantine');
  t.equal(assignment(booted, 47, d1, '0000:00:01.0'), ENODEV);
  t.equal(assignment(booted, 47, DOMID_IO, '0000:00:01.0'), 0);
  t.equal(owner('0000:00:01.0'), 0, 'from quarantine to the hardware domain');
  t.ok(dma(booted.machine, '0000:00:01.0', hardwareScratch(xen) + 0x3000, Uint8Array.of(1)).ok);
});

t.test('a device goes back to the hardware domain without quarantine, unless it was quarantined before', async (t) => {
  const booted = boot(xenSteps(), boardWith('iommu=no-quarantine'));
  const { xen } = booted;
  const owner = (name: string) => xen.claims().find((claim) => claim.devices.includes(name))?.domid;
  const d1 = createGuest(xen, ['0000:00:01.0']);
  t.equal(assignment(booted, 47, d1, '0000:00:01.0'), 0);
  t.equal(owner('0000:00:01.0'), 0);
  t.equal(assignment(booted, 37, DOMID_IO, '0000:00:01.0'), 0);
  t.equal(assignment(booted, 37, d1, '0000:00:01.0'), 0);
  t.equal(assignment(booted, 47, d1, '0000:00:01.0'), 0);
  t.equal(owner('0000:00:01.0'), DOMID_IO);
});

t.test('XEN_DOMCTL_get_device_group lists devices of the same stream', async (t) => {
  // Without bits 7:3 of the requester id, segment 0 has one stream for all devices of a function number.
  const steps = xenSteps();
  const mapId: typeof steps.iommu.mapId = (xen, bridge, requester) => steps.iommu.mapId(xen, bridge, requester & ~0xf8);
  const booted = boot({ ...steps, iommu: { ...steps.iommu, mapId } });
  const { machine, xen } = booted;
  const array = hardwareScratch(xen) + 0x200;
  const group = (device: string, max: number, to = array) =>
    domctl(booted, 50, 0, [machineSbdf(device), max, 0, 0, to >>> 0, Math.floor(to / 2 ** 32)]);
  const words = (address: number, count: number) =>
    Array.from({ length: count }, (_, i) => machine.memory.load(pa(machineAddress(xen, 0, address + i * 4)), 4));
  t.equal(group('0000:00:01.0', 16), 0);
  t.equal(words(hardwareScratch(xen) + 16 + 8, 1)[0], 6, 'num_sdevs: 02.0 03.0 05.0 1c.0 1d.0, and 03.5 with 03.0');
  t.same(words(array, 2), [0x1000, 0x1800], 'bus << 16 | devfn << 8');
  t.equal(group('0000:00:01.0', 1), 0);
  t.equal(words(hardwareScratch(xen) + 16 + 8, 1)[0], 1);
  t.equal(group('0000:00:01.0', 16, 0x10), EFAULT);
  t.equal(group('0000:05:00.0', 16), 0);
  t.equal(words(hardwareScratch(xen) + 16 + 8, 1)[0], 0, 'bus 5 is apart');
  const d1 = createGuest(xen, []);
  t.equal(assignment(booted, 37, d1, '0000:00:01.0'), EBUSY, "its stream is the hardware domain's too");
  t.ok(xen.claims()[0]?.devices.includes('0000:00:01.0'), 'it went back');
});

t.test('XEN_DOMCTL_memory_mapping and iomem_permission', async (t) => {
  const booted = boot();
  const { machine, xen } = booted;
  const d1 = createGuest(xen, []);
  const cpu = xen.schedule({ domid: d1, vcpu: 0 }) ?? -1;
  const load = (address: number) => machine.cpus.guest(cpu, { kind: 'load', hi: 0, lo: address, width: 4 }).ok;
  t.equal(memoryMapping(booted, d1, 0x23000, 0x0a000, 3, 1), EPERM, 'not permitted');
  t.equal(iomemPermission(booted, d1, 0x0a000, 3, 1), 0);
  t.equal(memoryMapping(booted, d1, 0x23000, 0x0a000, 4, 1), EPERM, 'frame 4 is not');
  t.equal(memoryMapping(booted, d1, 0x23000, 0x0a000, 0, 1), EINVAL);
  t.equal(memoryMapping(booted, d1, 0x23000, 2 ** 36, 1, 1), EINVAL, 'beyond the machine');
  t.equal(memoryMapping(booted, d1, 0x23000, 0x0a000, 65, 1), E2BIG);
  t.equal(memoryMapping(booted, d1, 0x40000, 0x0a000, 1, 1), EBUSY, 'RAM is there');
  t.equal(memoryMapping(booted, d1, 0x40000, 0x0a000, 1, 0), EILSEQ, 'RAM is no mapping of registers');
  t.notOk(load(0x2300_0000));
  t.equal(memoryMapping(booted, d1, 0x23000, 0x0a000, 3, 1), 0);
  t.ok(load(0x2300_0000));
  t.ok(load(0x2300_2ffc));
  t.notOk(load(0x2300_3000), 'nothing behind');
  t.notOk(load(0x22ff_fffc), 'nothing before');
  t.equal(machine.cpus.attributes(cpu, { kind: 'load', hi: 0, lo: 0x2300_0000, width: 4 })?.type, 'Device-nGnRE');
  t.equal(memoryMapping(booted, d1, 0x23000, 0x0a000, 3, 0), 0);
  t.notOk(load(0x2300_0000), 'the CPU has forgotten it');
  t.equal(iomemPermission(booted, d1, 0x0a000, 3, 0), 0);
  t.equal(memoryMapping(booted, d1, 0x23000, 0x0a000, 3, 1), EPERM);
  t.equal(iomemPermission(booted, d1, 0x09050, 1, 1), EPERM, "the SMMU is Xen's");
  t.equal(iomemPermission(booted, d1, 0x40000, 1, 1), EPERM, 'RAM is no device');
  t.equal(iomemPermission(booted, d1, 0x0a000, 0, 1), EINVAL);
  t.same(booted.problems, []);
});

t.test('XEN_DOMCTL_destroydomain', async (t) => {
  const booted = boot();
  t.equal(domctl(booted, 2, 0, []), EINVAL, 'the caller itself');
  t.equal(domctl(booted, 2, DOMID_IO, []), ESRCH);
  t.equal(domctl(booted, 2, 5, []), ESRCH);
});

t.test('configurations that are none, and domains that cannot be', async (t) => {
  const booted = boot();
  const { xen } = booted;
  const before = JSON.stringify(xen.claims());
  const create = (properties: Parameters<typeof domainBlob>[0]) => xen.createDomain(domainBlob(properties));
  t.same(xen.createDomain(Uint8Array.of(1, 2, 3)), { error: EINVAL });
  t.same(create({}), { error: EINVAL }, 'no memory');
  t.same(create({ memory: [0, 4096], compatible: 'xen,other' }), { error: EINVAL });
  t.same(create({ memory: [0, 4095] }), { error: EINVAL }, 'no whole pages');
  t.same(create({ memory: [0, 4096], cpus: [0] }), { error: EINVAL });
  t.same(create({ memory: [0, 4096], cpus: [129] }), { error: EINVAL });
  t.same(create({ memory: [0, 4096], passthrough: 'maybe' }), { error: EINVAL });
  t.same(create({ memory: [0, 8 * 1024 * 1024] }), { error: ENOMEM }, '8 GiB of 6');
  t.same(create({ memory: [0, 4096], 'xen,pci-devices': ['0000:00:04.0'] }), { error: ENODEV });
  t.same(create({ memory: [0, 4096], 'xen,pci-devices': ['0000:00:01.0'], passthrough: 'disabled' }), {
    error: EOPNOTSUPP,
  });
  t.same(create({ memory: [0, 4096], 'xen,pci-devices': ['0000:00:01.0', '0000:00:01.0'] }), { error: EBUSY }, 'twice');
  const cells = { memory: [0, 4096], '#address-cells': [2], '#size-cells': [2] };
  t.same(create({ ...cells, 'xen,reg': [0, 0x0a00_0800, 0, 0x1000, 0, 0x2300_0000] }), { error: EINVAL }, 'unaligned');
  t.same(create({ ...cells, '#size-cells': [3], 'xen,reg': [0, 0, 0, 0, 0, 0, 0] }), { error: EINVAL });
  t.same(create({ ...cells, 'xen,reg': [0, 0x0a00_0000, 0, 0x1000, 0, 0x4000_0000] }), { error: -14 }, 'over RAM');
  t.same(create({ ...cells, 'xen,reg': [0, 0x0905_0000, 0, 0x1000, 0, 0x2300_0000] }), { error: EPERM }, 'the SMMU');
  t.same(create({ ...cells, 'xen,memory-read-only': [0, 0x5000_0000, 0, 0x1000] }), { error: EINVAL }, 'no RAM there');
  t.equal(JSON.stringify(xen.claims()), before, 'nothing is left of any of them');
  t.same(booted.problems, []);
});

t.test('VMIDs of an SMMU run out with -ENOSPC, and come back', async (t) => {
  const steps = xenSteps();
  const readIds: typeof steps.smmuv3.readIds = (xen, smmu) => ({ ...steps.smmuv3.readIds(xen, smmu), vmidBits: 1 });
  const booted = boot({ ...steps, smmuv3: { ...steps.smmuv3, readIds } }, boardWith('pci-scan=off'));
  const { xen } = booted;
  t.equal(physdev(booted, 25, '0000:00:01.0'), 0, "VMID 1 is the hardware domain's");
  t.equal(physdev(booted, 25, '0000:00:02.0'), 0);
  t.same(xen.createDomain(domainBlob({ memory: [0, 64], 'xen,pci-devices': ['0000:00:01.0'] })), { error: ENOSPC });
  t.equal(physdev(booted, 26, '0000:00:02.0'), 0);
  t.equal(dtAssignment(booted, 47, 0, '/soc@a000000/ethernet@50000'), 0);
  const d1 = createGuest(xen, ['0000:00:01.0']);
  t.ok(dma(booted.machine, '0000:00:01.0', 0x4000_0000).ok, 'the last device of the hardware domain gave it up');
  t.equal(domctl(booted, 2, d1, []), 0);
});
