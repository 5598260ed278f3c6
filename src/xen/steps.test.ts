import t from 'tap';
import { pa } from '../hw/address.js';
import { encode } from '../hw/bits.js';
import { CMD, REGISTER } from '../hw/iommu/smmuv3/layout.js';
import { type XenSteps, xenSteps } from './steps.js';
import {
  assignment,
  type Booted,
  boardWith,
  boot,
  createGuest,
  dma,
  domainBlob,
  domctl,
  iomemPermission,
  machineAddress,
  machineSbdf,
  memoryMapping,
  physdev,
} from './xen.test-support.js';

/** XENMEM_decrease_reservation by a domain of one of its own frames: extent_start 0, nr_extents 8, domid 24. */
function balloon({ machine, xen }: Booted, domid: number, frame: number): number {
  const bytes = new Uint8Array(40);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x4000_0020, true);
  view.setUint32(8, 1, true);
  view.setUint16(24, domid, true);
  view.setUint32(32, frame, true);
  machine.memory.poke(pa(machineAddress(xen, domid, 0x4000_0000)), bytes);
  return xen.hypercall({ domid, vcpu: 0 }, 12, [1, 0x4000_0000]);
}

type Step = (...args: unknown[]) => unknown;

/** The composition with every step wrapped, and the names of those that were reached through it. */
function watched(steps: XenSteps): { steps: XenSteps; reached: Set<string>; names: string[] } {
  const reached = new Set<string>();
  const names: string[] = [];
  const tables: Record<string, Record<string, Step>> = {};
  for (const [table, entries] of Object.entries(steps)) {
    const wrapped: Record<string, Step> = {};
    for (const [name, step] of Object.entries(entries as Record<string, Step>)) {
      names.push(`${table}.${name}`);
      wrapped[name] = (...args) => {
        reached.add(`${table}.${name}`);
        return step(...args);
      };
    }
    tables[table] = wrapped;
  }
  return { steps: tables as unknown as XenSteps, reached, names };
}

t.test('every step is reached through the tables: none is dead, none is called past them', async (t) => {
  const { steps, reached, names } = watched(xenSteps());
  const booted = boot(steps, boardWith('xen-pciback.hide=(0000:00:05.0) dom0_mem=64M'));
  const { machine, xen } = booted;
  const d1 = createGuest(xen, ['0000:00:01.0', '0000:00:05.0'], {
    '#address-cells': [2],
    '#size-cells': [1],
    'xen,reg': [0, 0x0a00_0000, 0x3000, 0, 0x2300_0000],
    'xen,memory-read-only': [0, 0x4000_1000, 0x1000],
  });
  t.not(xen.createDomain(domainBlob({ memory: [0, 4096], 'xen,pci-devices': ['0000:00:01.0'] })), undefined);

  // A BAR in the middle of RAM: creation fails half-way, the device goes back.
  const overlapping = {
    'xen,pci-devices': ['0000:00:02.0'],
    'xen,pci-bars': [machineSbdf('0000:00:02.0'), 0, 0, 0x4000_0000],
  };
  t.match(xen.createDomain(domainBlob({ memory: [0, 4096], ...overlapping })), { error: -16 });

  dma(machine, '0000:00:01.0', 0x7000_0000, Uint8Array.of(1)); // an event to drain
  machine.settle();
  t.equal(domctl(booted, 50, d1, [machineSbdf('0000:00:01.0'), 4, 0, 0, 0x4000_0000, 0]), 0);
  t.equal(assignment(booted, 45, d1, '0000:00:02.0'), 0);
  t.equal(assignment(booted, 37, d1, '0000:00:02.0'), 0);
  t.equal(assignment(booted, 47, d1, '0000:00:02.0'), 0);
  t.equal(iomemPermission(booted, d1, 0x0a004, 1, 1), 0);
  t.equal(memoryMapping(booted, d1, 0x24000, 0x0a004, 1, 1), 0);
  t.equal(memoryMapping(booted, d1, 0x24000, 0x0a004, 1, 0), 0);
  t.equal(iomemPermission(booted, d1, 0x0a004, 1, 0), 0);
  t.equal(balloon(booted, d1, 0x40100), 1);
  t.equal(physdev(booted, 26, '0000:00:03.0'), 0);
  t.equal(physdev(booted, 25, '0000:00:03.0'), 0);
  t.not(physdev(booted, 25, '0007:00:03.0'), 0, 'there is no such segment');

  const cpu = xen.schedule({ domid: d1, vcpu: 0 }) ?? t.fail('no CPU');
  machine.cpus.registers(cpu as number)[32] = 99;
  machine.cpus.hvc(cpu as number, 0xea1);
  t.notOk(machine.cpus.guest(cpu as number, { kind: 'load', hi: 0, lo: 0x10, width: 4 }).ok);
  t.equal(domctl(booted, 2, d1, []), 0);
  xen.claims();

  // Other tables have tests of their own beside them, and all of them `verification/steps.test.ts`.
  const here = ['boot', 'heap', 'p2m', 'iommu', 'domain', 'hypercall', 'memory', 'physdev'];
  t.same(
    names.filter((name) => here.includes(name.split('.')[0] as string) && !reached.has(name)),
    ['domain.createFromNode'],
    'that one is for domains of the boot loader',
  );
  t.same(booted.problems, []);
});

t.test('a command that the SMMU cannot execute is skipped, and the SYNC behind it says so', async (t) => {
  const { steps, reached } = watched(xenSteps());
  let break_ = false;
  const invalidateVmid: XenSteps['smmuv3']['invalidateVmid'] = (xen, smmu, vmid) => {
    // 0xff is no opcode (Arm IHI 0070 4.1.1).
    if (break_) xen.steps.smmuv3.issueCommand(xen, smmu, encode(CMD, 128, { OPCODE: 0xff }));
    return steps.smmuv3.invalidateVmid(xen, smmu, vmid);
  };
  const booted = boot({ ...steps, smmuv3: { ...steps.smmuv3, invalidateVmid } });
  const d1 = createGuest(booted.xen, ['0000:00:01.0']);
  break_ = true;
  t.equal(assignment(booted, 47, d1, '0000:00:01.0'), -5, 'EIO');
  t.ok(reached.has('smmuv3.skipBadCommand'));
  break_ = false;
  t.equal(assignment(booted, 37, d1, '0000:00:02.0'), 0, 'the queue works again');
  t.equal(
    booted.machine.mmio.read(pa(0x0905_0000 + REGISTER.GERROR), 4),
    booted.machine.mmio.read(pa(0x0905_0000 + REGISTER.GERRORN), 4),
  );
});

t.test('a step that is replaced is replaced everywhere: another root in every stream table entry', async (t) => {
  const steps = xenSteps();
  const { machine, xen } = boot({ ...steps, smmuv3: { ...steps.smmuv3, s2Ttb: () => 0x4200_0000 } });
  createGuest(xen, ['0000:00:01.0']);
  t.notOk(dma(machine, '0000:00:01.0', 0x4000_0000, Uint8Array.of(1)).ok, 'the root is another one');
  t.type(machineAddress(xen, 1, 0x4000_0000), 'number');
});
