import t from 'tap';
import { pa } from '../../../hw/address.js';
import type { Access } from '../../../hw/observer.js';
import { createXen } from '../../create.js';
import { xenSteps } from '../../steps.js';
import { assignment, type Booted, board, boot, createGuest, dma, machineAddress } from '../../xen.test-support.js';

const SMMU = 0x0905_0000;
// Arm IHI 0070 6.2.
const STRTAB_BASE = SMMU + 0x80;
const STRTAB_BASE_CFG = SMMU + 0x88;

const address = ({ hi, lo }: { hi: number; lo: number }, mask: number) =>
  (hi & 0xf_ffff) * 2 ** 32 + ((lo & mask) >>> 0);

/** Doublewords of a stream's entry in a two-level table with a split of 8 bits (5.1, 5.2); undefined if there is none. */
function entry({ machine }: Booted, streamId: number): { hi: number; lo: number }[] | undefined {
  const table = address(machine.mmio.read64(pa(STRTAB_BASE)), 0xffff_ffc0);
  const descriptor = machine.memory.load64(pa(table + (streamId >>> 8) * 8));
  if ((descriptor.lo & 0x1f) === 0) return undefined;
  const level2 = address(descriptor, 0xffff_ffc0) + (streamId & 0xff) * 64;
  return Array.from({ length: 8 }, (_, i) => machine.memory.load64(pa(level2 + i * 8)));
}

t.test('the stream table has two levels, and only the parts that devices need', async (t) => {
  const booted = boot();
  const { machine } = booted;
  // 6.3.25: LOG2SIZE 5:0 = 17, SPLIT 10:6 = 8, FMT 17:16 = 1.
  t.equal(machine.mmio.read(pa(STRTAB_BASE_CFG), 4), 17 | (8 << 6) | (1 << 16));
  const table = address(machine.mmio.read64(pa(STRTAB_BASE)), 0xffff_ffc0);
  t.equal(machine.memory.load64(pa(table)).lo & 0x1f, 9, 'L1STD.Span of streams 0 to 0xff: 2^8 entries');
  t.equal(machine.memory.load64(pa(table + 5 * 8)).lo & 0x1f, 9, 'bus 5 of segment 0');
  t.equal(machine.memory.load64(pa(table + 0x80 * 8)).lo & 0x1f, 9, 'segment 1 begins at stream 0x8000');
  t.equal(machine.memory.load64(pa(table + 8)).lo, 0, 'nobody has streams 0x100 to 0x1ff');
});

t.test('entries abort from the start: V = 1, Config = 0', async (t) => {
  const booted = boot();
  for (const streamId of [0, 0x7, 0xff, 0x501, 0x80ff])
    t.equal(entry(booted, streamId)?.[0]?.lo, 1, `stream ${streamId}`);
  t.equal(entry(booted, 0x8)?.[0]?.lo, 0xd, 'control: 00:01.0 of the hardware domain translates');
});

t.test('the entry of an assigned device: stage 2 by the p2m of its domain', async (t) => {
  const booted = boot();
  const { machine, xen } = booted;
  const d1 = createGuest(xen, ['0000:00:01.0']);
  const words = entry(booted, 0x8) ?? [];
  // 5.2: V 0 = 1, Config 3:1 = 6.
  t.same(words[0], { hi: 0, lo: 0xd });
  // SHCFG 45:44 = 1 (incoming).
  t.same(words[1], { hi: 1 << 12, lo: 0 });
  // S2VMID 15:0; S2T0SZ 37:32 = 20, S2SL0 39:38 = 2, S2IR0 41:40 = 1, S2OR0 43:42 = 1, S2SH0 45:44 = 3, S2TG 47:46 = 0,
  // S2PS 50:48 = 5 (48 bits), S2AA64 51, S2PTW 54, S2R 58.
  const hi = 20 | (2 << 6) | (1 << 8) | (1 << 10) | (3 << 12) | (5 << 16) | (1 << 19) | (1 << 22) | (1 << 26);
  t.equal(words[2]?.hi, hi);
  t.equal((words[2]?.lo ?? 0) >>> 16, 0);
  const cpu = xen.schedule({ domid: d1, vcpu: 0 }) ?? -1;
  const vttbr = machine.cpus.readSystem(cpu, 'VTTBR_EL2');
  t.same(words[3], { hi: vttbr.hi & 0xffff, lo: vttbr.lo }, 'S2TTB 51:4: the root that the CPU has');
  for (const rest of [4, 5, 6, 7]) t.same(words[rest], { hi: 0, lo: 0 });
  t.equal(assignment(booted, 47, d1, '0000:00:01.0'), 0);
  t.equal(entry(booted, 0x8)?.[0]?.lo, 1, 'aborts');
  t.same(entry(booted, 0x8)?.[2], { hi: 0, lo: 0 }, 'without the VMID');
});

t.test('an entry comes alive last, and its invalidation is waited for before and after', async (t) => {
  const booted = boot();
  const { machine, xen } = booted;
  const d1 = createGuest(xen, []);
  const accesses: Access[] = [];
  machine.observer.onAccess((access) => accesses.push(access));
  t.equal(assignment(booted, 37, d1, '0000:00:01.0'), 0);
  const table = address(machine.mmio.read64(pa(STRTAB_BASE)), 0xffff_ffc0);
  const at = address(machine.memory.load64(pa(table)), 0xffff_ffc0) + 8 * 64;
  const story: string[] = [];
  for (const { kind, address: where, width, lo } of accesses) {
    if (kind === 'store' && where >= at && where < at + 64) story.push(`dw${(where - at) / 8}`);
    if (kind === 'store' && width === 16) story.push(`cmd ${(lo & 0xff).toString(16)}`);
  }
  t.same(story, [
    // Away from the hardware domain, whose other devices keep the context: abort, CFGI_STE (3), SYNC (46).
    ...['dw0', 'dw1', 'dw2', 'cmd 3', 'cmd 46'],
    // Its BAR away from the hardware domain: TLBI_S12_VMALL (28), once for each of the two.
    ...['cmd 28', 'cmd 46', 'cmd 28', 'cmd 46'],
    // Into the guest, which has no context yet, and PREFETCH_CONFIG (1).
    ...['dw1', 'dw2', 'dw3', 'cmd 3', 'cmd 46', 'dw0', 'cmd 3', 'cmd 46', 'cmd 1'],
  ]);
});

t.test('the last device of a context takes the VMID with it: invalidated before it can be used again', async (t) => {
  const booted = boot();
  const d1 = createGuest(booted.xen, ['0000:00:01.0']);
  const commands: number[] = [];
  booted.machine.observer.onAccess(({ kind, width, lo, hi }) => {
    if (kind === 'store' && width === 16) commands.push(lo & 0xff, ...((lo & 0xff) === 0x28 ? [hi & 0xffff] : []));
  });
  const vmid = (entry(booted, 0x8)?.[2]?.lo ?? 0) & 0xffff;
  t.equal(assignment(booted, 47, d1, '0000:00:01.0'), 0);
  t.same(commands, [0x03, 0x46, 0x28, vmid, 0x46]);
});

t.test('from the first moment, the SMMU aborts what nobody has: at no access of a boot does DMA pass', async (t) => {
  const machine = board.power();
  // RAM that nobody has; what a device writes there, nothing else does.
  const scratch = 0x8_8010_0000;
  let [begun, moments, passed] = [false, 0, 0];
  machine.observer.setProbe(({ kind, address }) => {
    // Identification is read when GBPA has been dealt with.
    begun ||= kind === 'register read' && address === SMMU;
    if (!begun) return;
    moments++;
    dma(machine, '0000:00:01.0', scratch, Uint8Array.of(1));
    if (machine.memory.peek(pa(scratch), 1)[0] !== 0) passed++;
  });
  const xen = createXen(xenSteps());
  xen.boot(machine);
  t.ok(moments > 500, `${moments} moments`);
  t.equal(passed, 0);
});

t.test('while a device moves from one guest to another, its DMA reaches one of them or nothing', async (t) => {
  const booted = boot();
  const { machine, xen } = booted;
  const d1 = createGuest(xen, ['0000:00:01.0']);
  const d2 = createGuest(xen, []);
  const allowed = new Set([machineAddress(xen, d1, 0x4000_0800), machineAddress(xen, d2, 0x4000_0800)]);
  const strange: number[] = [];
  const seen = new Set<number>();
  machine.memory.changed();
  machine.observer.setProbe(() => {
    const before = machine.memory.changed();
    dma(machine, '0000:00:01.0', 0x4000_0800, Uint8Array.of(seen.size + 1, before.length & 0xff));
    for (const { address } of machine.memory.changed()) {
      const where = address - (address % 0x800);
      if (allowed.has(where)) seen.add(where);
      else if (address >= 0x8_0000_0000) strange.push(address);
    }
  });
  t.equal(assignment(booted, 47, d1, '0000:00:01.0'), 0);
  t.equal(assignment(booted, 37, d2, '0000:00:01.0'), 0);
  machine.observer.setProbe(undefined);
  t.same(strange, []);
  t.equal(seen.size, 2, 'control: both were reached, one after the other');
  t.same(booted.problems, []);
});

t.test('a linear table, and streams beyond it', async (t) => {
  const steps = xenSteps();
  const readIds: typeof steps.smmuv3.readIds = (xen, smmu) => ({
    ...steps.smmuv3.readIds(xen, smmu),
    twoLevelTable: false,
    streamIdBits: 8,
  });
  const booted = boot({ ...steps, smmuv3: { ...steps.smmuv3, readIds } });
  const { machine, xen } = booted;
  // 6.3.25: LOG2SIZE 5:0 = 8, FMT 17:16 = 0.
  t.equal(machine.mmio.read(pa(STRTAB_BASE_CFG), 4), 8);
  createGuest(xen, ['0000:00:01.0']);
  t.ok(dma(machine, '0000:00:01.0', 0x4000_0000).ok);
  t.match(xen.console.join('\n'), /stream 0x500 is beyond the stream table/);
  t.match(xen.console.join('\n'), /0000:05:00.0: cannot be added \(-34\)/, 'ERANGE');
  t.notOk(dma(machine, '0000:05:00.0', 0x4000_0000).ok);
  t.notOk(
    xen.claims().some((claim) => claim.devices.includes('0000:05:00.0')),
    'nobody has it',
  );
  t.equal(assignment(booted, 37, 1, '0000:05:00.0'), -16, 'EBUSY: neither the hardware domain nor quarantine has it');
  t.same(booted.problems, []);
});
