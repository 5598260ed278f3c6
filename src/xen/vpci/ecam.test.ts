import t from 'tap';
import { xenSteps } from '../steps.js';
import { assignment, createGuest, dma } from '../xen.test-support.js';
import {
  bootVpci,
  Guest,
  lowWindowBoard,
  MSI_32_VECTORS,
  MSI_PLAIN,
  MSIX_2048,
  physical,
  RAM,
} from './vpci.test-support.js';

/** xen/include/public/xen.h. */
const DOMID_IO = 0x7ff1;
const DATA = Uint8Array.of(1, 2, 3, 4);

t.test('a guest finds its devices at slots from 0 on, and all ones elsewhere', async (t) => {
  const booted = bootVpci();
  const guest = new Guest(booted, createGuest(booted.xen, ['0000:00:02.0', '0001:00:01.0', '0000:05:00.0']));
  const identity = physical(booted, '0000:00:02.0', 0);
  t.equal(guest.read(0, 0), identity, 'vendor and device');
  t.equal(guest.read(1, 0), identity);
  t.equal(guest.read(2, 0), identity);
  t.equal(guest.read(3, 0), 0xffff_ffff);
  t.equal(guest.read(31, 0), 0xffff_ffff);
  t.equal(guest.load(guest.address(0, 0x1000)), 0xffff_ffff, 'function 1');
  t.equal(guest.load(0x1010_0000), 0xffff_ffff, 'bus 1');
  t.equal(guest.load(0x1fff_fffc), 0xffff_ffff, 'the end of bus 255');
  t.ok(guest.store(guest.address(9, 4), 0xffff_ffff), 'dropped');
  t.same(guest.load64(guest.address(0, 0)), [(guest.read(0, 4) ?? 0) >>> 0, identity], 'eight bytes');
  t.equal(guest.read(0, 2, 2), identity >>> 16);
  t.equal(guest.read(0, 1, 1), (identity >>> 8) & 0xff);
  t.same(booted.problems, []);
});

t.test('the first slot that is free is given, and none beyond 32', async (t) => {
  const booted = bootVpci();
  const d1 = createGuest(booted.xen, ['0000:00:01.0', '0000:00:02.0', MSI_PLAIN]);
  const guest = new Guest(booted, d1);
  t.equal(assignment(booted, 47, d1, '0000:00:02.0'), 0);
  t.equal(guest.read(1, 0), 0xffff_ffff);
  t.not(guest.read(2, 0), 0xffff_ffff, 'the others stay where they are');
  t.equal(assignment(booted, 37, d1, MSIX_2048), 0);
  t.not(guest.read(1, 0), 0xffff_ffff);

  const { assignVirtualSbdf } = xenSteps().vpci;
  const full = bootVpci({
    assignVirtualSbdf: (xen, domain, device) =>
      domain.domid === 0 ? assignVirtualSbdf(xen, domain, device) : undefined,
  });
  const empty = createGuest(full.xen, []);
  t.equal(assignment(full, 37, empty, '0000:00:01.0'), -28, 'ENOSPC');
  t.notOk(dma(full.machine, '0000:00:01.0', RAM, DATA).ok);
  t.same(full.xen.claims().find(({ domid }) => domid === empty)?.devices, [], 'it is not the domain’s');
  t.ok(full.xen.claims()[0]?.devices.includes('0000:00:01.0'), 'its owner has it');
});

t.test('of a device nothing is shown but what it is, its memory and its messages', async (t) => {
  const booted = bootVpci();
  const guest = new Guest(booted, createGuest(booted.xen, [MSIX_2048, '0000:05:00.0']));
  t.equal(guest.read(0, 8), physical(booted, MSIX_2048, 8), 'class and revision');
  t.equal(guest.read(0, 0x2c), physical(booted, MSIX_2048, 0x2c), 'subsystem');
  t.equal(guest.read(0, 0x0c), 0, 'one function, header type 0');
  t.equal(guest.read(0, 0x30), 0, 'no ROM');
  t.equal(guest.read(0, 0x3c), 0, 'no INTx');
  guest.write(0, 0x3c, 0x1_0123);
  t.equal(guest.read(0, 0x3c), 0x23, 'a place for notes');
  t.same(
    guest.capabilities(0).map(([id]) => id),
    [0x11],
  );
  t.same(
    guest.capabilities(1).map(([id]) => id),
    [5, 0x11],
  );
  for (let offset = 0x40; offset < 0x1000; offset += 4) {
    const inside = guest
      .capabilities(1)
      .some(([id, from]) => offset >= from && offset < from + (id === 5 ? 0x18 : 0xc));
    const word = inside ? 0 : guest.read(1, offset);
    if (word !== 0) t.fail(`0x${offset.toString(16)} reads 0x${word?.toString(16)}`);
    if (!inside) guest.write(1, offset, 0xffff_ffff);
  }
  t.equal(guest.read(1, 0x100), 0, 'no extended capabilities');
});

t.test('sizing shows the size of each base address register, and its kind', async (t) => {
  const booted = bootVpci();
  const guest = new Guest(booted, createGuest(booted.xen, [MSIX_2048, MSI_PLAIN]));
  const before = guest.read(0, 0x10);
  guest.write(0, 0x10, 0xffff_ffff);
  t.equal(guest.read(0, 0x10), before, 'not while memory decode is on');
  for (const slot of [0, 1]) guest.write(slot, 4, 0, 2);
  for (const slot of [0, 1]) for (let at = 0x10; at < 0x28; at += 4) guest.write(slot, at, 0xffff_ffff);
  const words = (slot: number) => [0x10, 0x14, 0x18, 0x1c, 0x20, 0x24].map((at) => guest.read(slot, at));
  // 16 KiB of 32 bits; 64 KiB of 64 bits (type 2 in 2:1), not prefetchable.
  t.same(words(0), [0xffff_c000, 0, 0xffff_0004, 0xffff_ffff, 0, 0]);
  // 16 KiB of 64 bits, prefetchable.
  t.same(words(1), [0xffff_c00c, 0xffff_ffff, 0, 0, 0, 0]);
  t.not(physical(booted, MSIX_2048, 0x10), 0xffff_c000, 'the device knows nothing of it');
});

t.test('memory decode maps the registers where the guest has placed them', async (t) => {
  const booted = bootVpci();
  const d1 = createGuest(booted.xen, [MSI_32_VECTORS]);
  const guest = new Guest(booted, d1);
  const first = guest.read(0, 0x10) ?? 0;
  const identification = guest.load(first);
  t.equal(identification, 0x3144_5754, 'mapped at the start');
  t.equal(guest.read(0, 4, 2), 6, 'memory and bus master');
  guest.write(0, 4, 4, 2);
  t.equal(guest.load(first), undefined, 'decode is off');
  t.equal(physical(booted, MSI_32_VECTORS, 4, 2) & 2, 0, 'at the device too');
  const own = physical(booted, MSI_32_VECTORS, 0x10);
  guest.write(0, 0x10, 0x2400_0000);
  guest.write(0, 4, 6, 2);
  t.equal(guest.load(0x2400_0000), identification);
  t.ok(guest.store(0x2400_2000, 0x55aa));
  t.equal(guest.load(first), undefined, 'not where it was');
  t.equal(physical(booted, MSI_32_VECTORS, 0x10), own, 'where it really is, it stays');
  t.equal(assignment(booted, 47, d1, MSI_32_VECTORS), 0);
  t.equal(guest.load(0x2400_0000), undefined);
  t.equal(guest.read(0, 0), 0xffff_ffff);
  t.equal(assignment(booted, 47, DOMID_IO, MSI_32_VECTORS), 0, 'from quarantine');
  t.equal(new Guest(booted, 0).load(first), identification, 'back at the hardware domain, decoding');
  t.same(booted.problems, []);
});

t.test('registers are not where they would hide configuration space', async (t) => {
  const booted = bootVpci({}, lowWindowBoard);
  const guest = new Guest(booted, createGuest(booted.xen, ['0000:00:02.0', MSI_32_VECTORS]));
  t.equal(guest.read(0, 0), physical(booted, '0000:00:02.0', 0));
  for (const [slot, device] of [
    [0, '0000:00:02.0'],
    [1, MSI_32_VECTORS],
  ] as const) {
    const bar = guest.read(slot, 0x10) ?? 0;
    // GUEST_VPCI_MEM_ADDR (xen/include/public/arch-arm.h).
    t.equal(bar - 0x2300_0000, physical(booted, device, 0x10) - 0x1000_0000);
    t.equal(guest.load(bar), 0x3144_5754);
  }
  t.same(booted.problems, []);
});

t.test('registers cannot be placed on what the guest has, nor a part of them', async (t) => {
  const booted = bootVpci();
  const d1 = createGuest(booted.xen, [MSI_32_VECTORS, MSIX_2048]);
  const guest = new Guest(booted, d1);
  const other = guest.read(1, 0x10) ?? 0;
  const before = guest.load(RAM);
  // RAM, the distributor, configuration space, another device's registers.
  for (const place of [RAM, 0x0300_0000, 0x1000_0000, other]) {
    guest.write(0, 4, 0, 2);
    guest.write(0, 0x10, place);
    guest.write(0, 4, 6, 2);
    t.equal(guest.read(0, 4, 2), 4, `0x${place.toString(16)}: memory decode stays off`);
  }
  t.equal(guest.load(RAM), before, 'RAM is RAM');
  t.equal(guest.load(other), 0x3144_5754);
  guest.write(0, 0x10, 0x2400_0000);
  guest.write(0, 4, 6, 2);
  t.equal(guest.read(0, 4, 2), 6);
  t.equal(guest.load(0x2400_0000), 0x3144_5754);
  // Its second register moves onto the first device: nothing of it is mapped.
  guest.write(1, 4, 0, 2);
  guest.write(1, 0x18, 0x2400_0000);
  guest.write(1, 0x1c, 0);
  guest.write(1, 4, 6, 2);
  t.equal(guest.read(1, 4, 2), 4);
  t.equal(guest.load(other), undefined);
});

t.test('bus master is in the hands of the guest; INTx is off, whatever it writes', async (t) => {
  const booted = bootVpci();
  const d1 = createGuest(booted.xen, [MSI_32_VECTORS]);
  const guest = new Guest(booted, d1);
  t.ok(dma(booted.machine, MSI_32_VECTORS, RAM, DATA).ok);
  guest.write(0, 4, 2, 2);
  t.notOk(dma(booted.machine, MSI_32_VECTORS, RAM, DATA).ok);
  guest.write(0, 4, 0xffff, 2);
  t.equal(guest.read(0, 4, 2), 0x406, 'memory, bus master, interrupt disable');
  t.ok(dma(booted.machine, MSI_32_VECTORS, RAM, DATA).ok);
  guest.write(0, 4, 6, 2);
  t.equal(physical(booted, MSI_32_VECTORS, 4, 2), 0x406);
  t.equal(assignment(booted, 47, d1, MSI_32_VECTORS), 0);
  t.equal(physical(booted, MSI_32_VECTORS, 4, 2), 6, 'as the hardware domain had it');
});

t.test('the hardware domain sees its devices where they are, and those of others not at all', async (t) => {
  const booted = bootVpci();
  const d1 = createGuest(booted.xen, [MSI_32_VECTORS]);
  const own = new Guest(booted, 0, 0x40_1000_0000);
  t.equal(own.read(0x12, 0), physical(booted, MSIX_2048, 0));
  t.equal(own.read(0x12, 0x34), physical(booted, MSIX_2048, 0x34));
  t.equal(own.read(0x1c, 0x18), physical(booted, '0000:00:1c.0', 0x18), 'a bridge with its bus numbers');
  t.equal(own.read(0x10, 0), 0xffff_ffff, 'a guest has it');
  own.write(0x10, 4, 0);
  t.not(physical(booted, MSI_32_VECTORS, 4, 2) & 4, 0, 'and keeps it');
  t.equal(assignment(booted, 47, d1, MSI_32_VECTORS), 0);
  t.equal(assignment(booted, 47, DOMID_IO, MSI_32_VECTORS), 0, 'from quarantine');
  t.equal(own.read(0x10, 0), physical(booted, MSI_32_VECTORS, 0));

  // It moves the device's own register: decode off, write, decode on.
  const bar = own.read(0x10, 0x10) ?? 0;
  t.equal(own.load(bar), 0x3144_5754);
  own.write(0x10, 4, 4, 2);
  t.equal(own.load(bar), undefined);
  own.write(0x10, 0x10, bar + 0x100_0000);
  own.write(0x10, 4, 6, 2);
  t.equal(physical(booted, MSI_32_VECTORS, 0x10), bar + 0x100_0000);
  t.equal(own.load(bar + 0x100_0000), 0x3144_5754);
  t.equal(own.load(bar), undefined);
  t.same(booted.problems, []);
});
