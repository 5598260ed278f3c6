import t from 'tap';
import { pa } from '../hw/address.js';
import { xenSteps } from './steps.js';
import {
  assignment,
  at,
  boardOfFile,
  boardWith,
  boot,
  createGuest,
  dma,
  domctl,
  machineAddress,
} from './xen.test-support.js';

const RAM = 0x4000_0000; // GUEST_RAM0_BASE (xen/include/public/arch-arm.h)
const DATA = Uint8Array.of(0xde, 0xad, 0xbe, 0xef);

t.test('a boot is cheap and does nothing that a manual forbids', async (t) => {
  const started = process.hrtime.bigint();
  const { problems, operations } = boot(xenSteps(), boardOfFile);
  const milliseconds = Number(process.hrtime.bigint() - started) / 1e6;
  t.same(problems, []);
  t.ok(operations() < 20_000, `${operations()} machine operations`);
  t.comment(`${operations()} machine operations, ${milliseconds.toFixed(1)} ms`);
});

t.test('Xen finds the functions that firmware enumerated, through configured bridges only', async (t) => {
  const { xen } = boot();
  t.same(xen.pciDevices(), [
    '0000:00:01.0',
    '0000:00:02.0',
    '0000:00:03.0',
    '0000:00:03.5',
    '0000:00:05.0',
    '0000:00:1c.0',
    '0000:00:1d.0',
    '0000:05:00.0',
    '0001:00:01.0',
    '0001:00:02.0',
    '0001:00:1f.0',
  ]);
});

t.test('devices that the administrator keeps for passthrough are quarantined from the start', async (t) => {
  const { machine, xen } = boot(xenSteps(), boardWith('', 'console=hvc0 xen-pciback.hide=(00:01.0)(0001:00:02.0)'));
  const own = (xen.claims()[0]?.ram[0]?.mfn ?? 0) * 4096;
  t.same(xen.claims().find((claim) => claim.domid === 0x7ff1)?.devices, ['0000:00:01.0', '0001:00:02.0']);
  t.notOk(dma(machine, '0000:00:01.0', own, DATA).ok);
  t.notOk(dma(machine, '0001:00:02.0', own, DATA).ok);
  t.ok(dma(machine, '0001:00:01.0', own, DATA).ok, 'control: a device of the hardware domain');
  createGuest(xen, ['0000:00:01.0']);
  t.ok(dma(machine, '0000:00:01.0', RAM, DATA).ok, 'from quarantine to a guest');
});

t.test('DMA of an assigned device lands where the p2m maps its domain, and nowhere else', async (t) => {
  const { machine, xen, problems } = boot();
  const d1 = createGuest(xen, ['0000:00:01.0']);
  const d2 = createGuest(xen, ['0001:00:01.0', '0000:05:00.0']);
  for (const [domid, device] of [
    [d1, '0000:00:01.0'],
    [d2, '0001:00:01.0'],
    [d2, '0000:05:00.0'],
  ] as const) {
    for (const address of [RAM, RAM + 0x1ff_000, RAM + 0x200_000, RAM + 0x403_ffc]) {
      machine.memory.changed();
      t.ok(dma(machine, device, address, DATA).ok, `${device} writes 0x${address.toString(16)}`);
      const where = machineAddress(xen, domid, address);
      t.not(where, address, 'gfn and mfn differ');
      t.same(
        machine.memory.changed().filter((r) => r.length === 4),
        [{ address: where, length: 4 }],
      );
      machine.memory.poke(pa(where), new Uint8Array(4));
    }
    t.notOk(dma(machine, device, RAM - 4, DATA).ok, 'below RAM');
    t.notOk(dma(machine, device, RAM + 0x404_000, DATA).ok, 'behind RAM');
    t.notOk(dma(machine, device, machineAddress(xen, domid, RAM), DATA).ok, 'a machine address is none of the guest');
  }
  t.same(problems, []);
});

t.test('a device of nobody reaches nothing', async (t) => {
  const { machine, xen } = boot();
  const d1 = createGuest(xen, ['0000:00:01.0']);
  const booted = { machine, xen, problems: [], operations: () => 0 };
  t.ok(dma(machine, '0000:00:01.0', RAM, DATA).ok, 'control: it works while it is assigned');
  t.equal(assignment(booted, 47, d1, '0000:00:01.0'), 0);
  t.notOk(dma(machine, '0000:00:01.0', RAM, DATA).ok, 'warm address');
  t.notOk(dma(machine, '0000:00:01.0', machineAddress(xen, d1, RAM), DATA).ok);
  t.equal(assignment(booted, 37, d1, '0000:00:01.0'), 0, 'assigned again');
  t.ok(dma(machine, '0000:00:01.0', RAM, DATA).ok);
});

t.test('the hardware domain reaches its own RAM with its own devices', async (t) => {
  const { machine, xen } = boot();
  const run = xen.claims()[0]?.ram[0];
  const own = ((run?.mfn ?? 0) + (run?.count ?? 0) - 1) * 4096; // above where guests have RAM
  t.ok(dma(machine, '0000:00:02.0', own, DATA).ok);
  const d1 = createGuest(xen, ['0000:00:02.0']);
  t.notOk(dma(machine, '0000:00:02.0', own, DATA).ok, 'not when a guest has the device');
  t.ok(dma(machine, '0000:00:02.0', RAM, DATA).ok);
  t.notOk(dma(machine, '0000:00:03.0', machineAddress(xen, d1, RAM), DATA).ok, 'nor do its devices reach the guest');
});

t.test('destruction takes everything, and the VMID comes back without what was cached under it', async (t) => {
  const booted = boot();
  const { machine, xen } = booted;
  const free = xen.claims().length;
  const d1 = createGuest(xen, ['0000:00:01.0', '0000:00:02.0']);
  const old = machineAddress(xen, d1, RAM + 0x1000);
  t.ok(dma(machine, '0000:00:01.0', RAM + 0x1000, DATA).ok);
  t.ok(dma(machine, '0000:00:02.0', RAM + 0x1000, DATA).ok);
  t.equal(domctl(booted, 2, d1, []), 0);
  t.equal(xen.claims().length, free);
  t.same(machine.memory.peek(pa(old), 4), new Uint8Array(4), 'scrubbed');
  t.notOk(dma(machine, '0000:00:01.0', RAM + 0x1000, DATA).ok);
  t.notOk(dma(machine, '0000:00:02.0', RAM + 0x1000, DATA).ok);
  // Another guest takes the frames first, so that the next one with devices has the VMID but other frames.
  const d2 = createGuest(xen, []);
  t.equal(machineAddress(xen, d2, RAM + 0x1000), old, 'the freed frames are the first to be given out again');
  const d3 = createGuest(xen, ['0000:00:01.0']);
  t.ok(dma(machine, '0000:00:01.0', RAM + 0x1000, DATA).ok);
  t.same(machine.memory.peek(pa(old), 4), new Uint8Array(4), 'not into what the last owner of the VMID had there');
  t.same(machine.memory.peek(pa(machineAddress(xen, d3, RAM + 0x1000)), 4), DATA);
});

t.test('hardware may lag as it likes: what is denied is denied when the call returns', async (t) => {
  for (const latency of [0, 1, 13, 40]) {
    for (const seed of [1, 2, 3]) {
      const booted = boot(xenSteps(), boardOfFile, { latency, seed });
      const { machine, xen, problems } = booted;
      const d1 = createGuest(xen, ['0000:00:01.0', '0001:00:02.0']);
      for (const device of ['0000:00:01.0', '0001:00:02.0']) {
        if (!dma(machine, device, RAM + 0x3000, DATA).ok) t.fail(`${device} works, latency ${latency}, seed ${seed}`);
        const landing = machine.endpoints.start(at(device), { write: true, hi: 0, lo: RAM + 0x3000, data: DATA });
        if (assignment(booted, 47, d1, device) !== 0) t.fail('deassign');
        machine.memory.changed();
        machine.settle();
        if (landing() === undefined) t.fail('the DMA has ended');
        if (machine.memory.changed().some((range) => range.length === 4)) t.fail('it landed after the call returned');
        if (dma(machine, device, RAM + 0x3000, DATA).ok)
          t.fail(`${device} is denied, latency ${latency}, seed ${seed}`);
      }
      if (domctl(booted, 2, d1, []) !== 0) t.fail('destroy');
      t.same(problems, [], `latency ${latency}, seed ${seed}`);
    }
  }
});
