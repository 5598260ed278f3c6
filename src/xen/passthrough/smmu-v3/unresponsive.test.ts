import t from 'tap';
import type { Machine, MmioPort } from '../../../hw/machine.js';
import { createXen } from '../../create.js';
import { xenSteps } from '../../steps.js';
import { assignment, board, boot, createGuest, dma, domctl, machineAddress, physdev } from '../../xen.test-support.js';

const SMMU = 0x0905_0000;
// Arm IHI 0070 6.2: CR0ACK 0x24, GBPA 0x44, CMDQ_CONS 0x9c.
const CR0ACK = SMMU + 0x24;
const GBPA = SMMU + 0x44;
const CMDQ_CONS = SMMU + 0x9c;
const RAM = 0x4000_0000;

/** A machine of which one register, from some moment on, always reads the same. */
function stuck(register: number): { machine: Machine; stick: (value: number | undefined) => void } {
  const inner = board.power();
  let value: number | undefined;
  const mmio: MmioPort = {
    read: (address, width) => (address === register && value !== undefined ? value : inner.mmio.read(address, width)),
    write: (address, width, written) => inner.mmio.write(address, width, written),
    read64: (address) => inner.mmio.read64(address),
    write64: (address, hi, lo) => inner.mmio.write64(address, hi, lo),
  };
  const machine: Machine = Object.create(inner, { mmio: { value: mmio }, endpoints: { value: inner.endpoints } });
  for (const port of ['memory', 'cpus', 'firmware', 'observer', 'name'] as const) {
    Object.defineProperty(machine, port, { value: inner[port] });
  }
  return {
    machine,
    stick: (to) => {
      value = to;
    },
  };
}

t.test('an SMMU that never acknowledges is given up, and its traffic aborts', async (t) => {
  const { machine, stick } = stuck(CR0ACK);
  stick(0x8000_0000);
  const xen = createXen(xenSteps());
  xen.boot(machine);
  t.match(xen.console.join('\n'), /register 0x24 does not answer/);
  t.match(xen.console.join('\n'), /all its traffic aborts/);
  t.equal(machine.mmio.read(GBPA as never, 4) & (1 << 20), 1 << 20, 'GBPA.ABORT');
  const owned = xen.claims().flatMap(({ devices }) => devices);
  t.notOk(
    owned.some((name) => xen.pciDevices().includes(name) || name.includes('ethernet')),
    'nobody gets a device whose IOMMU does not work',
  );
  t.ok(xen.pciDevices().length > 0);
  const own = (xen.claims()[0]?.ram[0]?.mfn ?? 0) * 4096;
  t.notOk(dma(machine, '0000:00:01.0', own, Uint8Array.of(1)).ok);
});

t.test('GBPA that never settles: the SMMU is given up', async (t) => {
  const { machine, stick } = stuck(GBPA);
  stick(0x8000_0000);
  const xen = createXen(xenSteps());
  xen.boot(machine);
  t.match(xen.console.join('\n'), /register 0x44 does not answer/);
});

t.test('while the SMMU does not complete commands, nothing is freed or given away', async (t) => {
  const { machine, stick } = stuck(CMDQ_CONS);
  const xen = createXen(xenSteps());
  xen.boot(machine);
  const booted = { machine, xen, problems: [], operations: () => 0 };
  const d1 = createGuest(xen, ['0000:00:01.0']);
  const claim = () => xen.claims().find(({ domid }) => domid === d1);
  const before = claim();
  stick(machine.mmio.read(CMDQ_CONS as never, 4));
  t.equal(assignment(booted, 47, d1, '0000:00:01.0'), -5, 'EIO');
  t.same(claim()?.devices, ['0000:00:01.0'], 'still its device');
  t.equal(domctl(booted, 2, d1, []), -5);
  t.same(claim()?.ram, before?.ram, 'its memory is not freed: the device may still reach it');
  t.match(xen.console.join('\n'), /SYNC timed out/);
  t.match(xen.console.join('\n'), /destruction failed/);
  t.equal(xen.schedule({ domid: d1, vcpu: 0 }), undefined, 'it does not run any more');
  t.equal(assignment(booted, 37, d1, '0000:00:02.0'), -22, 'a dying domain gets nothing');
  stick(undefined);
  t.equal(domctl(booted, 2, d1, []), 0, 'when the SMMU answers again, destruction goes on');
  t.equal(claim(), undefined);
  t.notOk(dma(machine, '0000:00:01.0', RAM, Uint8Array.of(1)).ok);
});

t.test('an attachment that the SMMU does not complete leaves nothing', async (t) => {
  const { machine, stick } = stuck(CMDQ_CONS);
  const xen = createXen(xenSteps());
  xen.boot(machine);
  const booted = { machine, xen, problems: [], operations: () => 0 };
  const d1 = createGuest(xen, []);
  stick(machine.mmio.read(CMDQ_CONS as never, 4));
  t.equal(assignment(booted, 37, d1, '0000:00:01.0'), -5);
  t.notOk(
    xen
      .claims()
      .find(({ domid }) => domid === d1)
      ?.devices.includes('0000:00:01.0'),
  );
  stick(undefined);
  t.notOk(dma(machine, '0000:00:01.0', RAM, Uint8Array.of(1)).ok);
  t.equal(assignment(booted, 37, d1, '0000:00:01.0'), -9, 'EBADF: nobody knows its state');
  t.equal(physdev(booted, 26, '0000:00:01.0'), 0);
  t.equal(physdev(booted, 25, '0000:00:01.0'), 0, 'until it is removed and added again');
  t.equal(assignment(booted, 37, d1, '0000:00:01.0'), 0);
  t.ok(dma(machine, '0000:00:01.0', RAM, Uint8Array.of(1)).ok);
});

t.test('a queue that is full is waited for, and wraps', async (t) => {
  const steps = xenSteps();
  // Eight commands: less than one boot needs.
  const readIds: typeof steps.smmuv3.readIds = (xen, smmu) => ({
    ...steps.smmuv3.readIds(xen, smmu),
    commandQueueLog2: 3,
    eventQueueLog2: 1,
  });
  const booted = boot({ ...steps, smmuv3: { ...steps.smmuv3, readIds } });
  const { machine, xen } = booted;
  const d1 = createGuest(xen, ['0000:00:01.0']);
  for (let i = 0; i < 20; i++) {
    t.equal(assignment(booted, 47, d1, '0000:00:01.0'), 0);
    t.equal(assignment(booted, 37, d1, '0000:00:01.0'), 0);
  }
  t.ok(dma(machine, '0000:00:01.0', RAM, Uint8Array.of(7)).ok);
  t.equal(machine.memory.peek(machineAddress(xen, d1, RAM) as never, 1)[0], 7);
  for (let i = 0; i < 5; i++) dma(machine, '0000:00:01.0', 0x7000_0000 + i * 4096, Uint8Array.of(1));
  machine.settle();
  t.equal(assignment(booted, 45, d1, '0000:00:02.0'), 0);
  const log = xen.console.join('\n');
  t.match(log, /F_TRANSLATION stream 0x8 write 0x70000000, IPA 0x70000000/);
  t.match(log, /events were lost/);
  dma(machine, '0000:00:01.0', 0x7100_0000);
  machine.settle();
  t.equal(assignment(booted, 45, d1, '0000:00:02.0'), 0);
  t.match(xen.console.join('\n'), /F_TRANSLATION stream 0x8 read 0x71000000/, 'after an overflow, events come again');
  t.same(booted.problems, []);
});
