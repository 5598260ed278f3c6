import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { DtsError, readDts } from '../firmware/dts.js';
import { decodeFdt } from '../firmware/fdt.js';
import { DeviceNode, stringBytes } from '../firmware/tree.js';
import { sameTree } from '../firmware/tree.test-support.js';
import { pa } from '../hw/address.js';
import { type EndpointPort, formatSbdf } from '../hw/machine.js';
import type { Problem } from '../hw/observer.js';
import { loadBoard } from './board.js';
import { BoardError } from './board-error.js';

const text = readFileSync(new URL('../../../fixtures/boards/arm64-smmuv3.dts', import.meta.url), 'utf8');
const board = loadBoard(text, 'arm64-smmuv3.dts');

/** Segment 0: ECAM at 0x40_1000_0000; segment 1: at 0x40_2000_0000. */
const ECAM_0 = 0x40_1000_0000;
const ECAM_1 = 0x40_2000_0000;
/** Path of a platform device. */
const soc = (name: string) => `/soc@a000000/${name}`;
const at = (bus: number, device: number, fn: number) => bus * 0x10_0000 + device * 0x8000 + fn * 0x1000;

t.test('the endpoints are where the board file puts them', async (t) => {
  const machine = board.power();
  t.same(
    machine.endpoints.list.map((e) => e.name),
    [
      ...['0000:00:01.0', '0000:00:02.0', '0000:00:03.0', '0000:00:03.5', '0000:00:05.0', '0000:05:00.0'],
      ...['0001:00:01.0', '0001:00:02.0', '0001:00:1f.0'],
      ...['audio@70000', 'crypto@80000', 'display@81000', 'dma-controller@60000', 'dma-controller@61000'].map(soc),
      ...['ethernet@50000', 'gpio@91000', 'gpu@10000', 'keypad@71000', 'mmc@40000', 'timer@90000'].map(soc),
    ],
  );
});

t.test('a scan of configuration space finds exactly the functions, by hand-computed offsets', async (t) => {
  const machine = board.power();
  const vendor = (base: number, bus: number, device: number, fn: number) =>
    machine.mmio.read(pa(base + at(bus, device, fn)), 2);
  t.equal(vendor(ECAM_0, 0, 1, 0), 0x5457);
  t.equal(vendor(ECAM_0, 0, 1, 1), 0xffff, 'a single-function device that decodes function numbers');
  t.equal(vendor(ECAM_0, 0, 3, 0), 0x5457);
  t.equal(machine.mmio.read(pa(ECAM_0 + at(0, 3, 0) + 0x0e), 1), 0x80, 'type 0, multi-function');
  t.equal(vendor(ECAM_0, 0, 3, 1), 0xffff);
  t.equal(vendor(ECAM_0, 0, 3, 5), 0x5457);
  t.equal(vendor(ECAM_0, 0, 4, 0), 0xffff, 'the hole');
  t.equal(vendor(ECAM_0, 0, 5, 0), 0x5457);
  t.equal(machine.mmio.read(pa(ECAM_0 + at(0, 5, 0) + 0x0e), 1), 0x00, 'type 0, single function');
  t.equal(vendor(ECAM_0, 0, 5, 7), 0x5457, 'a single-function device that answers to every number');
  t.equal(machine.mmio.read(pa(ECAM_0 + at(0, 0x1c, 0) + 0x0e), 1), 0x01, 'type 1');
  t.equal(machine.mmio.read(pa(ECAM_0 + at(0, 0x1c, 0) + 0x18), 4) & 0xff_ffff, 0x05_05_00, 'buses 0, 5, 5');
  t.equal(vendor(ECAM_0, 5, 0, 0), 0x5457);
  t.equal(vendor(ECAM_0, 5, 1, 0), 0xffff);
  t.equal(machine.mmio.read(pa(ECAM_0 + at(0, 0x1d, 0) + 0x18), 4) & 0xff_ffff, 0, 'not configured');
  t.equal(vendor(ECAM_1, 0, 1, 0), 0x5457);
  t.equal(vendor(ECAM_1, 0, 3, 0), 0xffff);
});

t.test('segments do not alias', async (t) => {
  const machine = board.power();
  machine.mmio.write(pa(ECAM_1 + at(0, 1, 0) + 0x04), 2, 0);
  t.equal(machine.mmio.read(pa(ECAM_0 + at(0, 1, 0) + 0x04), 2), 6, 'memory space and bus master are on in segment 0');
  t.equal(machine.mmio.read(pa(ECAM_1 + at(0, 1, 0) + 0x04), 2), 0);
});

t.test('firmware placed every base address register inside the windows, naturally aligned', async (t) => {
  const machine = board.power();
  const bar = (base: number, bus: number, device: number, fn: number, index: number) =>
    machine.mmio.read(pa(base + at(bus, device, fn) + 0x10 + index * 4), 4);
  t.equal(bar(ECAM_0, 0, 1, 0, 0) & 0xf, 0x4, '64-bit');
  t.equal(bar(ECAM_0, 0, 1, 0, 1), 0x80, 'in the window at 0x80_0000_0000');
  t.equal(bar(ECAM_0, 0, 3, 5, 0) & 0xf, 0xc, '64-bit, prefetchable');
  t.equal(bar(ECAM_0, 0, 2, 0, 0) & 0x3fff, 0);
  const low = bar(ECAM_0, 0, 2, 0, 0);
  t.ok(low >= 0x1000_0000 && low < 0x3000_0000);
  t.equal(machine.mmio.read(pa(low), 4), 0x3144_5754, 'its identification register');
  const shifted = bar(ECAM_1, 0, 1, 0, 0);
  t.ok(shifted >= 0x4000_0000 && shifted < 0x4800_0000, 'a PCI address of segment 1');
  t.equal(machine.mmio.read(pa(shifted - 0x1000_0000), 4), 0x3144_5754, 'which appears 256 MiB lower');
  const behind = bar(ECAM_0, 5, 0, 0, 4);
  t.equal(machine.mmio.read(pa(behind), 4), 0, 'plain storage behind the bridge');
  machine.mmio.write(pa(behind), 4, 0x1234);
  t.equal(machine.mmio.read(pa(behind), 4), 0x1234);
});

t.test('the blob is in memory, without the parameters of the model', async (t) => {
  const machine = board.power();
  const { address, size } = machine.firmware.fdt ?? { address: pa(0), size: 0 };
  t.equal(address, 0x4800_0000);
  const tree = decodeFdt(machine.memory.read(address, size));
  t.equal(tree.byPath('/tracewright'), undefined);
  t.ok(tree.byPath('/smmu@9050000') ?? tree.byPath('/iommu@9050000'));
  t.same(machine.memory.changed(), [], 'and nothing counts as changed yet');
});

t.test('DMA passes the SMMU as it comes out of reset', async (t) => {
  const machine = board.power();
  const interruptsOnly = ['gpio@91000', 'keypad@71000', 'timer@90000'].map(soc);
  for (const [index, { endpoint, name }] of machine.endpoints.list.entries()) {
    const bytes = Uint8Array.of(1, 2, 3, index);
    const write = { write: true, hi: 8, lo: 0x8000_0ffe, data: bytes };
    if (interruptsOnly.includes(name)) {
      t.throws(() => machine.endpoints.dma(endpoint, write), /makes no requests/, name);
      continue;
    }
    t.same(machine.endpoints.dma(endpoint, write), { ok: true, data: undefined }, name);
    t.same(machine.memory.peek(pa(0x8_8000_0ffe), 4), bytes, name);
    t.same(machine.endpoints.dma(endpoint, { write: false, hi: 8, lo: 0x8000_0ffe, length: 4 }).data, bytes, name);
  }
});

/** The stream ids of requests that an SMMU has no entry for, in order: those of its event records. */
function streamsOf(requests: (endpoints: EndpointPort) => void): number[] {
  // The SMMU is enabled without a usable stream table: each request is recorded by its stream id.
  const machine = board.power({ latency: 0 });
  const smmu = 0x0905_0000;
  machine.mmio.write64(pa(smmu + 0x80), 0, 0x4100_0000); // STRTAB_BASE
  machine.mmio.write(pa(smmu + 0x88), 4, 0x0000_0010); // STRTAB_BASE_CFG: linear, 2^16 entries
  machine.mmio.write64(pa(smmu + 0xa0), 0, 0x4200_0000 | 4); // EVENTQ_BASE: 2^4 entries
  machine.mmio.write(pa(smmu + 0x2c), 4, 0x2); // CR2.RECINVSID
  machine.mmio.write(pa(smmu + 0x20), 4, 0x5); // CR0: SMMUEN, EVENTQEN
  requests(machine.endpoints);
  const count = machine.mmio.read(pa(smmu + 0x1_00a8), 4); // EVENTQ_PROD
  // Event records of 32 bytes: the stream id is the upper half of the first doubleword (7.3).
  return Array.from({ length: count }, (_, index) => machine.memory.load(pa(0x4200_0004 + index * 32), 4));
}

const WRITE = { write: true, hi: 0, lo: 0x5000_0000, data: Uint8Array.of(1) };

t.test('two requesters of one address in two segments are two streams', async (t) => {
  const streams = streamsOf((endpoints) => {
    t.equal(endpoints.dma({ segment: 0, bus: 0, device: 1, function: 0 }, WRITE).ok, false);
    t.equal(endpoints.dma({ segment: 1, bus: 0, device: 1, function: 0 }, WRITE).ok, false);
  });
  t.same(streams, [0x0008, 0x8008]);
});

t.test(
  'a platform device has the streams that its node names, two devices may have one, and some have none',
  async (t) => {
    const streams = streamsOf((endpoints) => {
      endpoints.dma(soc('gpu@10000'), WRITE);
      endpoints.dma(soc('gpu@10000'), { ...WRITE, stream: 1 });
      endpoints.dma(soc('dma-controller@60000'), WRITE);
      endpoints.dma(soc('dma-controller@61000'), WRITE);
      t.equal(endpoints.dma(soc('crypto@80000'), WRITE).ok, true, 'no IOMMU translates it');
    });
    t.same(streams, [0x1_0010, 0x1_0011, 0x1_0040, 0x1_0040]);
  },
);

t.test('a CMD_SYNC completes only when the DMA that was under way has landed', async (t) => {
  const smmu = 0x0905_0000;
  let late = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const machine = board.power({ seed });
    machine.mmio.write64(pa(smmu + 0x90), 0, 0x4100_0000 | 4); // CMDQ_BASE: 2^4 commands
    machine.mmio.write(pa(smmu + 0x20), 4, 0x8); // CR0: CMDQEN
    while (machine.mmio.read(pa(smmu + 0x24), 4) !== 0x8); // CR0ACK
    machine.memory.store128(pa(0x4100_0000), [0x46, 0, 0, 0]); // CMD_SYNC
    const sbdf = { segment: 0, bus: 0, device: 1, function: 0 };
    machine.endpoints.start(sbdf, { write: true, hi: 0, lo: 0x5000_0000, data: Uint8Array.of(1) });
    if (machine.memory.peek(pa(0x5000_0000), 1)[0] === 0) late++;
    machine.mmio.write(pa(smmu + 0x98), 4, 1); // CMDQ_PROD
    while (machine.mmio.read(pa(smmu + 0x9c), 4) !== 1); // CMDQ_CONS
    t.same(machine.memory.peek(pa(0x5000_0000), 1), Uint8Array.of(1), `seed ${seed}`);
  }
  t.equal(late, 20, 'none had landed when it was started');
});

t.test('with bus master off nothing leaves, at the endpoint or at the bridge above it', async (t) => {
  const machine = board.power();
  const write = { write: true, hi: 0, lo: 0x5000_0000, data: Uint8Array.of(1) };
  const behind = { segment: 0, bus: 5, device: 0, function: 0 };
  t.equal(machine.endpoints.dma(behind, write).ok, true);
  machine.mmio.write(pa(ECAM_0 + at(0, 0x1c, 0) + 4), 2, 0x2);
  t.equal(machine.endpoints.dma(behind, write).ok, false, 'the bridge does not forward');
  machine.mmio.write(pa(ECAM_0 + at(0, 0x1c, 0) + 4), 2, 0x6);
  machine.mmio.write(pa(ECAM_0 + at(5, 0, 0) + 4), 2, 0x2);
  t.equal(machine.endpoints.dma(behind, write).ok, false, 'the endpoint does not issue');
  machine.mmio.write(pa(ECAM_0 + at(5, 0, 0) + 4), 2, 0x6);
  t.equal(machine.endpoints.dma(behind, write).ok, true);
});

t.test('an access to nothing reads as all ones and is misuse by who made it', async (t) => {
  const problems: Problem[] = [];
  const machine = board.power({ problem: (problem) => problems.push(problem) });
  machine.observer.actor = 'd1';
  t.equal(machine.mmio.read(pa(0x1000), 4), 0xffff_ffff);
  t.equal(machine.memory.load(pa(0x1000), 4), 0xffff_ffff);
  machine.memory.store(pa(0x4000_0002), 4, 1);
  machine.mmio.write(pa(0x4000_0000), 4, 1);
  machine.mmio.read(pa(0x0a00_3000), 4);
  t.same(
    problems.map((p) => `${p.channel} ${p.actor} ${p.text}`),
    [
      'misuse d1 device read of 4 bytes at 0x1000: device not found',
      'misuse d1 load of 4 bytes at 0x1000: no RAM there',
      'misuse d1 store of 4 bytes at 0x40000002 is not aligned',
      'misuse d1 device write of 4 bytes at 0x40000000 (RAM): RAM is no device',
      'misuse d1 device read of 4 bytes at 0xa003000: device not found',
    ],
  );
  problems.length = 0;
  t.equal(machine.mmio.read(pa(0x0900_0000), 4), 0);
  t.same(problems, [
    {
      channel: 'unmodelled',
      actor: 'serial@9000000',
      text: 'the serial port is not modelled: read of 4 bytes at +0x0',
    },
  ]);
});

t.test('a boot loader changes the tree that is handed over, of this machine alone', async (t) => {
  const machine = board.power({
    boot: (tree) => {
      const domain = new DeviceNode('domU1');
      domain.properties.set('compatible', stringBytes('xen,domain'));
      tree.byPath('/chosen')?.append(domain);
    },
  });
  const handed = (of: typeof machine) => {
    const { address, size } = of.firmware.fdt ?? { address: pa(0), size: 0 };
    return decodeFdt(of.memory.read(address, size));
  };
  t.ok(handed(machine).byPath('/chosen/domU1')?.isCompatible('xen,domain'));
  t.equal(handed(board.power()).byPath('/chosen/domU1'), undefined);
  t.equal(board.tree.byPath('/chosen/domU1'), undefined);
  t.same(machine.memory.changed(), []);
  // The bank ends at 0xc000_0000.
  const tight = loadBoard(text.replace('fdt-address = <0x0 0x48000000>', 'fdt-address = <0x0 0xbffe0000>'), 'x.dts');
  const much = () => tight.power({ boot: (tree) => tree.root.properties.set('much', new Uint8Array(0x2_0000)) });
  t.throws(much, /^no RAM for a device tree of \d+ bytes at 0xbffe0000/);
});

t.test('accesses are observed after they took effect, each of its kind', async (t) => {
  const machine = board.power();
  const seen: string[] = [];
  machine.observer.onAccess((a) =>
    seen.push(`${a.kind} 0x${a.address.toString(16)} ${a.width} ${a.hi}:${a.lo} ${a.name}`.trim()),
  );
  machine.memory.store64(pa(0x4100_0000), 1, 2);
  machine.memory.load64(pa(0x4100_0000));
  machine.memory.store128(pa(0x4100_0010), [1, 2, 3, 4]);
  machine.memory.load(pa(0x4100_0018), 1);
  machine.mmio.write(pa(0x0a00_0000), 4, 5);
  machine.mmio.read64(pa(0x0a00_0000));
  machine.mmio.read(pa(ECAM_0 + at(0, 4, 0)), 4);
  machine.mmio.write(pa(ECAM_0 + at(0, 1, 0) + 4), 2, 0);
  t.same(seen, [
    'store 0x41000000 8 1:2',
    'load 0x41000000 8 1:2',
    'store 0x41000010 16 2:1 upper 0x400000003',
    'load 0x41000018 1 0:3',
    'register write 0xa000000 4 0:5',
    'register read 0xa000000 8 0:5',
    'config read 0x4010020000 4 0:4294967295',
    'config write 0x4010008004 2 0:0',
  ]);
});

t.test('a snapshot brings a fresh machine to the same state', async (t) => {
  const first = board.power();
  first.memory.store(pa(0x4100_0000), 4, 0xabcd);
  first.mmio.write(pa(ECAM_0 + at(0, 2, 0) + 4), 2, 0x2);
  first.mmio.write(pa(0x0a00_1000), 4, 77);
  first.cpus.writeSystem(1, 'VTTBR_EL2', 1, 2);
  const finished = first.endpoints.start(
    { segment: 0, bus: 0, device: 1, function: 0 },
    { write: true, hi: 0, lo: 0x4100_0004, data: Uint8Array.of(9) },
  );
  const snapshot = first.save();
  t.same(finished(), { ok: true, data: undefined }, 'what was in flight has landed');
  const second = board.power();
  second.load(snapshot);
  t.same(second.memory.peek(pa(0x4100_0000), 5), Uint8Array.of(0xcd, 0xab, 0, 0, 9));
  t.equal(second.mmio.read(pa(ECAM_0 + at(0, 2, 0) + 4), 2), 0x2);
  t.equal(second.mmio.read(pa(0x0a00_1000), 4), 77);
  t.same(second.cpus.readSystem(1, 'VTTBR_EL2'), { hi: 1, lo: 2 });
  t.same(second.memory.changed(), []);
  t.throws(
    () => second.load({ ...snapshot, board: 'another' }),
    /this is arm64-smmuv3\.dts, the snapshot is of another/,
  );
  t.throws(() => second.load({ ...snapshot, blocks: {} }), /no state of/);
});

t.test('commands to endpoints that are not there, or that move nothing, are refused', async (t) => {
  const machine = board.power();
  const write = { write: true, hi: 0, lo: 0x5000_0000, data: Uint8Array.of(1) };
  t.throws(
    () => machine.endpoints.dma({ segment: 0, bus: 0, device: 4, function: 0 }, write),
    /no endpoint 0000:00:04\.0/,
  );
  t.throws(
    () => machine.endpoints.dma({ segment: 0, bus: 0, device: 5, function: 1 }, write),
    /no endpoint 0000:00:05\.1/,
  );
  t.throws(() => machine.endpoints.dma({ segment: 0, bus: 0, device: 0x1c, function: 0 }, write), /no endpoint/);
  t.throws(() => machine.endpoints.dma({ segment: 2, bus: 0, device: 1, function: 0 }, write), /no endpoint/);
  t.throws(
    () => machine.endpoints.dma({ segment: 0, bus: 0, device: 1, function: 0 }, { write: false, hi: 0, lo: 0 }),
    RangeError,
  );
});

t.test('powering a board on is quick', async (t) => {
  board.power();
  const start = process.hrtime.bigint();
  for (let i = 0; i < 20; i++) board.power();
  const each = Number(process.hrtime.bigint() - start) / 20e6;
  t.comment(`${each.toFixed(2)} ms a machine`);
  t.ok(each < 30, 'ten times what it takes on an idle machine at most');
});

t.test('board files with a mistake end in an error with file, line and column', async (t) => {
  const outcome = (changed: string): string => {
    t.not(changed, text, 'the change took place');
    try {
      loadBoard(changed, 'b.dts');
      return 'okay';
    } catch (error) {
      return error instanceof Error ? `${error.name} ${error.message}` : 'nothing';
    }
  };
  const lineOf = (needle: string) => text.slice(0, text.indexOf(needle)).split('\n').length;
  const missing = outcome(text.replace('iommu-map = <0x0 &smmu 0x0', 'iommu-map = <0x0 &smmy 0x0'));
  t.equal(missing, `DtsError b.dts:${lineOf('iommu-map = <0x0 &smmu 0x0')}:20: there is no node labelled smmy`);
  t.match(
    outcome(text.replace('iommu-map = <0x0 &smmu 0x0', 'iommu-map = <0x0 99 0x0')),
    /^BoardError b\.dts:\d+:3: .*phandle 99/,
  );
  t.match(outcome(text.replace('device = <&smmu>', 'device = <77>')), /^BoardError b\.dts:\d+:4: .*phandle 77/);
  t.match(outcome(text.replace('device = <&smmu>', 'device = <&uart>')), /name this device/);
  t.match(outcome(text.replace('idr1 = <0x014a0151>;', '')), /idr1 is missing/);
  t.match(outcome(text.replace('0x0d4c101b', '0x0d4c103b')), /^BoardError b\.dts:\d+:3: .*IDR0/, 'BTM is not modelled');
  t.match(
    outcome(text.replace('"arm,pl011", "arm,primecell"', '"acme,uart"')),
    /^BoardError b\.dts:\d+:3: .*no model.*acme,uart/,
  );
  t.match(outcome(text.replace('fdt-address = <0x0 0x48000000>;', '')), /fdt-address is missing/);
  t.match(outcome(text.replace('0x0 0x48000000>', '0x0 0x08000000>')), /fdt-address: not/);
  t.match(
    outcome(text.replace('reg = <0x8 0x80000000 0x1', 'reg = <0x0 0x80000000 0x1')),
    /overlaps RAM at 0x40000000/,
  );
  t.match(outcome(text.replace('reg = <0x0 0x09000000 0x0 0x1000>', 'reg = <0x0 0x09050000 0x0 0x1000>')), /overlaps/);
  t.match(
    outcome(text.replace('reg = <0x0 0x09000000 0x0 0x1000>', 'reg = <0x0 0x09000000 0x0>')),
    /3 cells are no multiple of 4/,
  );
  t.match(outcome(text.replace('dma@1f,0', 'dma@20,0')), /unit address of a function/);
  t.match(outcome(text.replace('dma@1f,0', 'dma@2,0')), /has this address already/);
  t.match(outcome(text.replace('dma@3,0', 'dma@6,0')), /has no function 0/);
  t.match(outcome(text.replace('dma@3,5', 'dma@5,5')), /answers to every function number/);
  t.match(outcome(text.replace('<0 0x4 0x4000>', '<0 0x4 0x5000>')), /cannot be of size 0x5000/);
  t.match(
    outcome(text.replace('secondary-bus = <5>', 'secondary-bus = <256>')),
    /^BoardError b\.dts:\d+:3: .*no bus number is left/,
  );
  t.match(outcome(text.replace('bars = <0 0x0 0x4000>', 'bars = <0 0x0 0x40000000>')), /no window has room/);
  t.match(outcome(text.replace('bus-range = <0x0 0xf>', 'bus-range = <0x0 0x10>')), /more buses than reg has room for/);
  const ram = 'reg = <0x8 0x80000000 0x1 0x00000000>';
  t.match(outcome(text.replace(ram, 'reg = <0x100000 0 0 0x1000>')), /^BoardError .*does not lie in the address space/);
  t.match(outcome(text.replace(ram, 'reg = <0xfffff 0xfffff000 0 0x2000>')), /does not lie in the address space/);
  t.match(
    outcome(text.replace('0x0 0x30000000 0x0 0x08000000>', '0x0 0x30000000 0x0 0>')),
    /does not lie in the address space/,
  );
  t.match(outcome(text.replace('pci-domain = <1>', 'pci-domain = <0>')), /pcie@10000000 is segment 0 already/);
  t.match(outcome(text.replace('pci-domain = <1>', 'pci-domain = <0x10000>')), /a segment has 16 bits/);
  t.match(outcome(text.replace('tracewright {', 'tracewrigth {')), /no node \/tracewright/);
  t.throws(() => loadBoard('/dts-v1/; / { tracewright { fdt-address = <0>; }; };', 'b.dts'), BoardError);
});

/** Every board file of the project. */
const FOLDER = new URL('../../../fixtures/boards/', import.meta.url);
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.dts'));

t.test('no change of a board file makes anything but a board, a DtsError or a BoardError', async () => {
  const number = fc.constantFrom(
    ...['<0>', '<1>', '<0xffffffff>', '<0x100000 0x0>', '<>', '"x"', '<0x0 0x1 0x0 0x0>', '[00 01]', '<0 5 4>'],
  );
  for (const file of FILES) {
    const lines = readFileSync(new URL(file, FOLDER), 'utf8').split('\n');
    fc.assert(
      fc.property(fc.nat(lines.length - 1), fc.option(number), fc.boolean(), (at, value, twice) => {
        const line = lines[at] as string;
        const changed = value === null ? (twice ? `${line}\n${line}` : '') : line.replace(/=.*;/, `= ${value};`);
        try {
          loadBoard(lines.with(at, changed).join('\n'), 'x.dts').power();
        } catch (error) {
          return (error instanceof BoardError || error instanceof DtsError) && /^x\.dts:\d+:\d+: /.test(error.message);
        }
        return true;
      }),
      { numRuns: 80, seed: 8 },
    );
  }
});

t.test(
  'dtc has nothing to say against the blobs, and makes the same tree of the board files',
  { skip: spawnSync('dtc', ['--version']).status === 0 ? false : 'dtc is not installed' },
  async (t) => {
    for (const file of FILES) {
      const source = readFileSync(new URL(file, FOLDER), 'utf8');
      const loaded = loadBoard(source, file);
      const check = spawnSync('dtc', ['-I', 'dtb', '-O', 'dtb'], { input: loaded.fdt });
      t.equal(check.status, 0, file);
      t.equal(check.stderr.toString(), '', file);
      t.ok(sameTree(decodeFdt(check.stdout), loaded.tree), file);
      const blob = execFileSync('dtc', ['-q', '-I', 'dts', '-O', 'dtb'], {
        input: source,
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      t.ok(sameTree(decodeFdt(blob), readDts(source).tree), file);
    }
  },
);

t.test('the board file is itself a device tree that keeps its labels', async (t) => {
  t.equal(readDts(text).labels.get('smmu')?.path, board.labels.get('smmu')?.path);
  t.equal(formatSbdf({ segment: 0, bus: 5, device: 0, function: 0 }), '0000:05:00.0');
});
