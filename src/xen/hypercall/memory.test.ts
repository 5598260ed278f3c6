import t from 'tap';
import { pa } from '../../hw/address.js';
import { type Booted, boot, createGuest, dma, machineAddress } from '../xen.test-support.js';

const RAM = 0x4000_0000;
const DOMID_SELF = 0x7ff0;

/** XENMEM_decrease_reservation (1): extent_start 0, nr_extents 8, extent_order 16, mem_flags 20, domid 24. */
function decrease(
  { machine, xen }: Booted,
  caller: number,
  frames: readonly number[],
  domid = DOMID_SELF,
  order = 0,
): number {
  const bytes = new Uint8Array(32 + frames.length * 8);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(RAM + 32), true);
  view.setBigUint64(8, BigInt(frames.length), true);
  view.setUint32(16, order, true);
  view.setUint16(24, domid, true);
  frames.forEach((frame, i) => {
    view.setBigUint64(32 + i * 8, BigInt(frame), true);
  });
  machine.memory.poke(pa(machineAddress(xen, caller, RAM)), bytes);
  return xen.hypercall({ domid: caller, vcpu: 0 }, 12, [1, RAM]);
}

t.test('a page out of a 2 MiB block is gone at once for devices and CPUs; the rest stays', async (t) => {
  const booted = boot();
  const { machine, xen } = booted;
  const d1 = createGuest(xen, ['0000:00:01.0']);
  const cpu = xen.schedule({ domid: d1, vcpu: 0 }) ?? -1;
  const reaches = (address: number) => [
    dma(machine, '0000:00:01.0', address, Uint8Array.of(0x55)).ok,
    machine.cpus.guest(cpu, { kind: 'load', hi: 0, lo: address, width: 4 }).ok,
  ];
  for (const page of [6, 7, 8]) t.same(reaches(RAM + page * 4096), [true, true], 'warm');
  const where = machineAddress(xen, d1, RAM + 7 * 4096);
  const ram = () =>
    xen
      .claims()
      .find((claim) => claim.domid === d1)
      ?.ram.reduce((sum, run) => sum + run.count, 0);
  t.equal(ram(), 1028);
  t.equal(decrease(booted, d1, [0x40007]), 1);
  t.same(reaches(RAM + 6 * 4096), [true, true]);
  t.same(reaches(RAM + 7 * 4096), [false, false]);
  t.same(reaches(RAM + 8 * 4096), [true, true]);
  t.equal(ram(), 1027);
  t.same(machine.memory.peek(pa(where), 4), new Uint8Array(4), 'clean');
  t.equal(decrease(booted, d1, [0x40007]), 0, 'no RAM any more');
  t.equal(decrease(booted, d1, [0x40010, 0x40011, 0x99999, 0x40012]), 2, 'up to the first that is none');
  t.equal(decrease(booted, d1, [0x40200], DOMID_SELF, 9), 1, 'a whole block');
  t.same(reaches(RAM + 0x20_0000), [false, false]);
  t.same(booted.problems, []);
});

t.test('a guest takes no RAM from others, the hardware domain may', async (t) => {
  const booted = boot();
  const { xen } = booted;
  const d1 = createGuest(xen, []);
  const d2 = createGuest(xen, []);
  t.equal(decrease(booted, d1, [0x40007], d2), 0);
  t.equal(decrease(booted, d1, [0x40007], d1), 1, 'its own id is itself');
  t.equal(decrease(booted, d1, [0x40008], 99), 0);
  t.equal(decrease(booted, d1, [0x40008], DOMID_SELF, 10), 0, 'too large an order');
  t.equal(xen.hypercall({ domid: d1, vcpu: 0 }, 12, [1, 0x10]), 0, 'no structure there');
  t.equal(xen.hypercall({ domid: d1, vcpu: 0 }, 12, [6, RAM]), -38, 'ENOSYS');
});
