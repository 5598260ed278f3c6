import t from 'tap';
import { failure } from '../errno.js';
import { type XenSteps, xenSteps } from '../steps.js';
import { assignment, at, boot, createGuest, dma, domctl, physdev } from '../xen.test-support.js';
import {
  BOTH,
  bootVpci,
  Guest,
  MSI_32_VECTORS,
  PHYSICAL_FUNCTION,
  physical,
  RAM,
  vpciBoard,
} from './vpci.test-support.js';

const DATA = Uint8Array.of(1, 2, 3, 4);
const TARGET = RAM + 0x1000;

type Step = (...args: unknown[]) => unknown;

t.test('a device leaves in order: its messages, the translation service, the IOMMU, its registers', async (t) => {
  const steps = xenSteps();
  const order: string[] = [];
  const told =
    <S extends Step>(name: string, step: S): Step =>
    (...args) => {
      order.push(name);
      return step(...args);
    };
  const booted = boot(
    {
      ...steps,
      vpci: { ...steps.vpci, quiesce: told('quiesce', steps.vpci.quiesce as Step) as never },
      vits: {
        ...steps.vits,
        assignDevice: told('its', () => 0) as never,
        removeDevice: told('its ends', () => 0) as never,
      },
      iommu: {
        ...steps.iommu,
        attach: told('iommu', steps.iommu.attach as Step) as never,
        detach: told('iommu ends', steps.iommu.detach as Step) as never,
      },
      pci: {
        ...steps.pci,
        mapBars: told('registers', steps.pci.mapBars as Step) as never,
        unmapBars: told('registers end', steps.pci.unmapBars as Step) as never,
      },
    },
    vpciBoard,
  );
  const d1 = createGuest(booted.xen, []);
  order.length = 0;
  t.equal(assignment(booted, 37, d1, BOTH), 0);
  const leaves = ['quiesce', 'its ends', 'iommu ends', 'registers end'];
  t.same(order, [...leaves, 'iommu', 'quiesce', 'its', 'registers']);
  order.length = 0;
  t.equal(assignment(booted, 47, d1, BOTH), 0);
  t.same(order, leaves);
});

t.test('if the translation service refuses a device, it stays with its owner', async (t) => {
  const steps = xenSteps();
  const vits: Partial<XenSteps['vits']> = {
    assignDevice: (_xen, domain) => (domain.domid === 0 ? 0 : failure('ENOSPC')),
  };
  const booted = boot({ ...steps, vits: { ...steps.vits, ...vits } }, vpciBoard);
  const { machine, xen } = booted;
  const own = new Guest(booted, 0, 0x40_1000_0000);
  const bar = own.read(0x13, 0x10) ?? 0;
  const d1 = createGuest(xen, []);
  t.equal(assignment(booted, 37, d1, BOTH), -28);
  t.equal(new Guest(booted, d1).read(0, 0), 0xffff_ffff);
  t.equal(new Guest(booted, d1).load(bar), undefined);
  t.notOk(dma(machine, BOTH, RAM, DATA).ok);
  t.equal(own.load(bar), 0x3144_5754, 'the hardware domain has its registers');
  t.equal(own.load(bar + 0x1000 + 12), 1, 'and its table');
  t.equal(physical(booted, BOTH, 4, 2), 6, 'its Command register is as it was');
  t.same(booted.problems, []);
});

t.test('if messages cannot be ended, the device stays with its guest, broken, until they can', async (t) => {
  const steps = xenSteps();
  let stuck = false;
  const vits: Partial<XenSteps['vits']> = {
    assignDevice: () => 0,
    removeDevice: () => (stuck ? failure('EIO') : 0),
  };
  const booted = boot({ ...steps, vits: { ...steps.vits, ...vits } }, vpciBoard);
  const d1 = createGuest(booted.xen, [MSI_32_VECTORS]);
  const d2 = createGuest(booted.xen, []);
  stuck = true;
  t.equal(assignment(booted, 47, d1, MSI_32_VECTORS), -5);
  t.equal(booted.machine.endpoints.signal(at(MSI_32_VECTORS), 0), 'disabled');
  t.equal(assignment(booted, 37, d2, MSI_32_VECTORS), -16, 'nobody else gets it');
  stuck = false;
  t.equal(assignment(booted, 47, d1, MSI_32_VECTORS), 0);
  t.notOk(dma(booted.machine, MSI_32_VECTORS, RAM, DATA).ok);
});

t.test('a device that is gone leaves the view of its guest', async (t) => {
  const booted = bootVpci();
  const d1 = createGuest(booted.xen, [BOTH, MSI_32_VECTORS]);
  const guest = new Guest(booted, d1);
  const table = (guest.read(0, 0x10) ?? 0) + 0x1000;
  guest.store(table, TARGET);
  guest.store(table + 12, 0);
  booted.machine.endpoints.unplug(at(BOTH));
  t.equal(guest.read(0, 8), 0xffff_ffff);
  t.equal(physdev(booted, 26, BOTH), 0);
  t.equal(guest.read(0, 0), 0xffff_ffff);
  t.equal(guest.load(table), undefined);
  t.not(guest.read(1, 0), 0xffff_ffff, 'the other stays where it is');
  t.same(booted.problems, []);
});

t.test('a virtual function shows its own memory and identity, and sends its own messages', async (t) => {
  const booted = bootVpci();
  const own = new Guest(booted, 0, 0x40_1000_0000);
  // The hardware domain enables them (9.3.3: control at 8, VF enable 0, memory space 3; NumVFs at 0x10).
  let sriov = 0x100;
  while (((own.read(0x15, sriov) ?? 0) & 0xffff) !== 0x10) sriov = (own.read(0x15, sriov) ?? 0) >>> 20;
  own.write(0x15, sriov + 0x10, 2, 2);
  own.write(0x15, sriov + 8, 9, 2);
  for (const name of ['0000:00:16.0', '0000:00:17.0']) {
    t.equal(physdev(booted, 25, name, 2, [0, 0x15 << 3]), 0, `${name} is announced`);
  }
  const guest = new Guest(booted, createGuest(booted.xen, ['0000:00:17.0']));
  t.equal(guest.read(0, 0), 0x77_0000 + (physical(booted, PHYSICAL_FUNCTION, 0) & 0xffff));
  const low = guest.read(0, 0x10) ?? 0;
  t.equal(low & 0xf, 4, 'of 64 bits');
  const bar = (guest.read(0, 0x14) ?? 0) * 2 ** 32 + ((low & ~0xf) >>> 0);
  t.equal(guest.load(bar), 0x3144_5754);
  guest.write(0, 4, 6, 2);
  guest.store(bar + 0x1000, TARGET);
  guest.store(bar + 0x1008, 0x55);
  guest.store(bar + 0x100c, 0);
  guest.write(0, guest.capability(0, 0x11) + 2, 0x8000, 2);
  t.equal(booted.machine.endpoints.signal(at('0000:00:17.0'), 0), 'sent');
  t.equal(guest.word(TARGET), 0x55);
  t.equal(booted.machine.endpoints.signal(at('0000:00:16.0'), 0), 'disabled');
  t.same(booted.problems, []);
});

t.test('every step of the host bridge is reached through its table', async (t) => {
  const reached = new Set<string>();
  const { vpci } = xenSteps();
  const watched: Record<string, Step> = {};
  for (const [name, step] of Object.entries(vpci as unknown as Record<string, Step>)) {
    watched[name] = (...args) => {
      reached.add(name);
      return step(...args);
    };
  }
  const booted = bootVpci(watched as never);
  const d1 = createGuest(booted.xen, [BOTH]);
  const guest = new Guest(booted, d1);
  const [msi, msix] = [guest.capability(0, 5), guest.capability(0, 0x11)];
  guest.write(0, msi + 4, TARGET);
  guest.write(0, msi + 2, 1, 2);
  guest.write(0, msix + 2, 0x8000, 2);
  const table = (guest.read(0, 0x10) ?? 0) + 0x1000;
  guest.store(table + 12, 0);
  guest.load(table);
  guest.read(0, 0);
  guest.read(0, 4);
  guest.write(0, 4, 0xffff_0000);
  guest.write(0, 0x10, 0x2400_0000);
  guest.write(0, 4, 6, 2);
  const d2 = createGuest(booted.xen, []);
  t.equal(assignment(booted, 47, d1, BOTH), 0);
  t.equal(assignment(booted, 37, d2, BOTH), 0);
  t.equal(domctl(booted, 2, d1, []), 0);
  t.same(
    Object.keys(vpci).filter((name) => !reached.has(name)),
    [],
  );
});
