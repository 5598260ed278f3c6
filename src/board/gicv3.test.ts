import { readFileSync } from 'node:fs';
import t from 'tap';
import { pa } from '../hw/address.js';
import type { Endpoint } from '../hw/machine.js';
import { loadBoard } from './board.js';
import type { BoardMachine } from './machine.js';

const read = (name: string) => readFileSync(new URL(`../../../fixtures/boards/${name}.dts`, import.meta.url), 'utf8');
const text = read('arm64-smmuv3');
const board = loadBoard(text, 'arm64-smmuv3.dts');
const dual = loadBoard(read('arm64-smmuv3-dual'), 'arm64-smmuv3-dual.dts');

// Both boards have them here.
const [GICD, ITS, GICR] = [0x0800_0000, 0x0808_0000, 0x080a_0000];
/** GITS_TRANSLATER: 0x40 in the translation frame, which is 64 KiB behind the control frame (Arm IHI 0069 12.18). */
const TRANSLATER = 0x0809_0040;

const fn = (segment: number, bus: number, device: number, number = 0): Endpoint => ({
  segment,
  bus,
  device,
  function: number,
});
const soc = (name: string) => `/soc@a000000/${name}`;

/** GICD_ISPENDR<n>: 0x200 + 4n (12.9.21). */
const isPending = (machine: BoardMachine, spi: number) => {
  const intid = 32 + spi;
  return ((machine.mmio.read(pa(GICD + 0x200 + (intid >>> 5) * 4), 4) >>> (intid & 31)) & 1) === 1;
};

/** What the ITS tells of messages that it cannot translate: here it has no table, and that is all of them. */
function itsFaults(machine: BoardMachine): string[] {
  const faults: string[] = [];
  machine.observer.onEvent((event) => {
    if (event.kind === 'fault' && event.device === 'its@8080000') faults.push(event.text);
  });
  return faults;
}

t.test('the distributor, a redistributor for each CPU and the ITS are where reg says', async (t) => {
  const { mmio } = board.power();
  t.equal(mmio.read(pa(GICD + 0xffe8), 4) & 0xf0, 0x30, 'GICD_PIDR2.ArchRev: GICv3');
  t.equal(mmio.read(pa(GICD + 0x4), 4) & 0x1f, 4, 'GICD_TYPER.ITLinesNumber: 32 × (4 + 1) INTIDs, 128 of them SPIs');
  for (const cpu of [0, 1, 2, 3]) {
    const typer = mmio.read64(pa(GICR + cpu * 0x2_0000 + 0x8));
    t.equal(typer.hi & 0xff, cpu, 'GICR_TYPER.Affinity_Value');
    t.equal((typer.lo >>> 4) & 1, cpu === 3 ? 1 : 0, 'GICR_TYPER.Last');
    t.equal(typer.lo & 1, 1, 'GICR_TYPER.PLPIS');
  }
  t.equal((mmio.read(pa(ITS + 0x8), 4) >>> 13) & 0x1f, 16, 'GITS_TYPER.Devbits: 17 bits');
});

t.test('an interrupt of a platform device is taken by the CPU that it is routed to', async (t) => {
  const machine = board.power({ latency: 0 });
  const { mmio, cpus } = machine;
  // SPI 41 of the GPIO is INTID 73: bit 9 of the third register of each kind.
  mmio.write(pa(GICD), 4, 2); // GICD_CTLR.EnableGrp1
  mmio.write(pa(GICD + 0x80 + 8), 4, 1 << 9); // GICD_IGROUPR2
  mmio.write(pa(GICD + 0x100 + 8), 4, 1 << 9); // GICD_ISENABLER2
  mmio.write64(pa(GICD + 0x6000 + 73 * 8), 0, 2); // GICD_IROUTER73: affinity 0.0.0.2
  mmio.write(pa(GICR + 2 * 0x2_0000 + 0x14), 4, 0); // GICR_WAKER of CPU 2
  cpus.writeSystem(2, 'ICC_SRE_EL2', 0, 0xf);
  cpus.writeSystem(2, 'ICC_PMR_EL1', 0, 0xff);
  cpus.writeSystem(2, 'ICC_IGRPEN1_EL1', 0, 1);
  const taken: string[] = [];
  cpus.setInterruptVector((cpu) => {
    const intid = cpus.readSystem(cpu, 'ICC_IAR1_EL1').lo;
    taken.push(`cpu ${cpu} takes ${intid}`);
    machine.endpoints.setLine(soc('gpio@91000'), 0, false);
    cpus.writeSystem(cpu, 'ICC_EOIR1_EL1', 0, intid);
  });
  machine.endpoints.setLine(soc('gpio@91000'), 0, true);
  for (const cpu of [0, 1, 2, 3]) cpus.takeInterrupts(cpu);
  t.same(taken, ['cpu 2 takes 73']);
  t.equal(isPending(machine, 41), false);
});

t.test('INTx goes where interrupt-map says: by device and pin, and swizzled by bridges', async (t) => {
  const machine = board.power();
  const pending = () => [3, 4, 5, 6, 7, 8, 9, 10].filter((spi) => isPending(machine, spi));
  const spiOf = (endpoint: Endpoint) => {
    machine.endpoints.setLine(endpoint, 0, true);
    const result = pending();
    machine.endpoints.setLine(endpoint, 0, false);
    return result;
  };
  t.same(spiOf(fn(0, 0, 1)), [4], 'INTA of device 1');
  t.same(spiOf(fn(0, 0, 2)), [5], 'INTA of device 2');
  t.same(spiOf(fn(0, 0, 3, 5)), [3], 'INTB of device 3');
  t.same(spiOf(fn(0, 5, 0)), [3], 'INTA behind port 1c: that of device 0x1c modulo 4');
  t.same(spiOf(fn(1, 0, 1)), [7], 'segment 1 has one for each pin');
  t.same(pending(), []);
  machine.endpoints.setLine(fn(0, 0, 1), 0, true);
  machine.endpoints.setLine(fn(0, 0, 5), 0, true);
  machine.endpoints.setLine(fn(0, 0, 1), 0, false);
  t.same(pending(), [4], 'devices 1 and 5 share an interrupt');
  const copy = board.power();
  copy.load(machine.save());
  t.ok(isPending(copy, 4));
  copy.endpoints.setLine(fn(0, 0, 5), 0, false);
  t.notOk(isPending(copy, 4), 'a loaded machine knows who drives it');
  t.throws(() => machine.endpoints.setLine(fn(0, 0, 1), 1, true), /one wired interrupt/);
  t.throws(() => machine.endpoints.setLine(fn(1, 0, 0x1f), 0, true), /0001:00:1f\.0 has no interrupt pin/);
});

t.test('a message has the DeviceID that msi-map gives its requester, whatever it writes', async (t) => {
  const machine = board.power();
  machine.mmio.write(pa(ITS), 4, 1); // GITS_CTLR.Enabled
  const faults = itsFaults(machine);
  const message = { write: true, hi: 0, lo: TRANSLATER, data: Uint8Array.of(5, 0, 0, 0) };
  const senders = [fn(0, 0, 1), fn(0, 0, 3, 5), fn(0, 5, 0), fn(1, 0, 0x1f), soc('gpu@10000')];
  for (const sender of senders) t.ok(machine.endpoints.dma(sender, message).ok);
  t.same(faults, [
    'DeviceID 0x8 EventID 5',
    'DeviceID 0x1d EventID 5',
    'DeviceID 0x500 EventID 5',
    'DeviceID 0x100f8 EventID 5',
    'EventID 5 from an unknown requester',
  ]);
});

t.test('a message becomes an LPI of the CPU that its collection names', async (t) => {
  const machine = board.power({ latency: 0 });
  const { mmio, memory, cpus } = machine;
  const [devices, collections, queue, itt] = [0x4100_0000, 0x4101_0000, 0x4102_0000, 0x4103_0000] as const;
  const [properties, pending] = [0x4104_0000, 0x4105_0000] as const;
  // CPU 3: LPI 8192 with priority 0xa0, enabled (Arm IHI 0069 5.1.1); PROPBASER.IDbits 13, and EnableLPIs (12.11).
  const redistributor = GICR + 3 * 0x2_0000;
  memory.store(pa(properties), 1, 0xa1);
  mmio.write64(pa(redistributor + 0x70), 0, properties | 13);
  mmio.write64(pa(redistributor + 0x78), 0, pending);
  mmio.write(pa(redistributor), 4, 1);
  mmio.write(pa(redistributor + 0x14), 4, 0); // GICR_WAKER
  mmio.write(pa(GICD), 4, 2); // GICD_CTLR.EnableGrp1
  cpus.writeSystem(3, 'ICC_SRE_EL2', 0, 0xf);
  cpus.writeSystem(3, 'ICC_PMR_EL1', 0, 0xff);
  cpus.writeSystem(3, 'ICC_IGRPEN1_EL1', 0, 1);
  // GITS_BASER0 and GITS_BASER1: Valid, flat, one page of 4 KiB; GITS_CBASER the same (12.19).
  mmio.write64(pa(ITS + 0x100), 0x8000_0000, devices);
  mmio.write64(pa(ITS + 0x108), 0x8000_0000, collections);
  mmio.write64(pa(ITS + 0x80), 0x8000_0000, queue);
  mmio.write(pa(ITS), 4, 1);
  // MAPD DeviceID 8 with 1 bit of EventID, MAPC collection 0 to processor 3, MAPTI event 1 to LPI 8192, SYNC (5.3).
  const commands: readonly (readonly number[])[] = [
    [0x08, 8, 0, 0, itt, 0x8000_0000, 0, 0],
    [0x09, 0, 0, 0, 3 << 16, 0x8000_0000, 0, 0],
    [0x0a, 8, 1, 8192, 0, 0, 0, 0],
    [0x05, 0, 0, 0, 3 << 16, 0, 0, 0],
  ];
  for (const [index, word] of commands.flat().entries()) memory.store(pa(queue + index * 4), 4, word);
  mmio.write64(pa(ITS + 0x88), 0, commands.length * 32); // GITS_CWRITER
  t.equal(mmio.read(pa(ITS + 0x90), 4), commands.length * 32, 'GITS_CREADR');
  const taken: number[] = [];
  cpus.setInterruptVector((cpu) => {
    const intid = cpus.readSystem(cpu, 'ICC_IAR1_EL1').lo;
    taken.push(cpu, intid);
    cpus.writeSystem(cpu, 'ICC_EOIR1_EL1', 0, intid);
  });
  machine.endpoints.dma(fn(0, 0, 1), { write: true, hi: 0, lo: TRANSLATER, data: Uint8Array.of(1, 0, 0, 0) });
  machine.endpoints.dma(fn(1, 0, 1), { write: true, hi: 0, lo: TRANSLATER, data: Uint8Array.of(1, 0, 0, 0) });
  for (const cpu of [0, 1, 2, 3]) cpus.takeInterrupts(cpu);
  t.same(taken, [3, 8192], 'and the same bytes from another device are nothing');
});

t.test('what a function sends as its MSI reaches the ITS in the same way', async (t) => {
  const machine = dual.power();
  machine.mmio.write(pa(ITS), 4, 1);
  const faults = itsFaults(machine);
  // Segment 1, device 1: ECAM at 0x40_2000_8000. Walk the capabilities from 0x34 to MSI, id 0x05 (PCI Express Base 7.7.1).
  const config = 0x40_2000_8000;
  let at = machine.mmio.read(pa(config + 0x34), 1);
  while (machine.mmio.read(pa(config + at), 1) !== 0x05) at = machine.mmio.read(pa(config + at + 1), 1);
  t.equal(machine.endpoints.signal(fn(1, 0, 1), 0), 'disabled');
  machine.mmio.write(pa(config + at + 4), 4, TRANSLATER);
  machine.mmio.write(pa(config + at + 8), 4, 0);
  machine.mmio.write(pa(config + at + 12), 2, 0x21);
  machine.mmio.write(pa(config + at + 2), 2, 1);
  t.equal(machine.endpoints.signal(fn(1, 0, 1), 0), 'sent');
  t.same(faults, ['DeviceID 0x10008 EventID 33']);
});

t.test('functions come and go', async (t) => {
  const { endpoints, mmio } = board.power();
  const sbdf = { segment: 0, bus: 0, device: 2, function: 0 };
  const vendor = () => mmio.read(pa(0x40_1001_0000), 2);
  endpoints.unplug(sbdf);
  t.equal(vendor(), 0xffff);
  t.notOk(endpoints.list.some(({ name }) => name === '0000:00:02.0'));
  endpoints.plug(sbdf);
  t.equal(vendor(), 0x5457);
  t.throws(() => endpoints.plug({ ...sbdf, device: 4 }), /no slot of a function has the address 0000:00:04\.0/);
  t.throws(() => endpoints.unplug({ ...sbdf, segment: 4 }), /no slot/);
});

/** Enables an SMMU without a usable stream table, with an event queue of 2^4 entries and its interrupt. */
function enableEvents(machine: BoardMachine, smmu: number, queue: number): void {
  machine.mmio.write64(pa(smmu + 0x80), 0, 0x4100_0000); // STRTAB_BASE
  machine.mmio.write(pa(smmu + 0x88), 4, 0x0000_0010); // STRTAB_BASE_CFG: linear, 2^16 entries
  machine.mmio.write64(pa(smmu + 0xa0), 0, queue | 4); // EVENTQ_BASE
  machine.mmio.write(pa(smmu + 0x2c), 4, 0x2); // CR2.RECINVSID
  machine.mmio.write(pa(smmu + 0x50), 4, 0x4); // IRQ_CTRL.EVENTQ_IRQEN
  machine.mmio.write(pa(smmu + 0x20), 4, 0x5); // CR0: SMMUEN, EVENTQEN
}

const WRITE = { write: true, hi: 0, lo: 0x5000_0000, data: Uint8Array.of(1) };

t.test("an SMMU's events are the interrupt that interrupt-names calls eventq", async (t) => {
  const machine = board.power({ latency: 0 });
  machine.mmio.write(pa(GICD + 0xc18), 4, 1 << 21); // GICD_ICFGR6: SPI 74, INTID 106, is edge-triggered
  enableEvents(machine, 0x0905_0000, 0x4200_0000);
  t.notOk(isPending(machine, 74));
  t.notOk(machine.endpoints.dma(fn(0, 0, 1), WRITE).ok);
  t.ok(isPending(machine, 74));
  t.notOk(isPending(machine, 75));
});

t.test('two SMMUs tell equal stream ids apart, and send messages under DeviceIDs of their own', async (t) => {
  const machine = dual.power({ latency: 0 });
  machine.mmio.write(pa(ITS), 4, 1);
  const faults = itsFaults(machine);
  const [first, second] = [0x0905_0000, 0x0907_0000] as const;
  for (const [smmu, queue, data] of [
    [first, 0x4200_0000, 6],
    [second, 0x4300_0000, 7],
  ] as const) {
    machine.mmio.write64(pa(smmu + 0xb0), 0, TRANSLATER); // EVENTQ_IRQ_CFG0
    machine.mmio.write(pa(smmu + 0xb8), 4, data); // EVENTQ_IRQ_CFG1
    enableEvents(machine, smmu, queue);
  }
  const streams = (smmu: number, queue: number) =>
    Array.from({ length: machine.mmio.read(pa(smmu + 0x1_00a8), 4) }, (_, index) =>
      machine.memory.load(pa(queue + 4 + index * 32), 4),
    );
  for (const endpoint of [fn(0, 0, 1), fn(1, 0, 1), soc('gpu@10000'), soc('mmc@40000')]) {
    t.notOk(machine.endpoints.dma(endpoint, WRITE).ok);
  }
  machine.endpoints.dma(soc('dma-controller@60000'), WRITE);
  machine.endpoints.dma(soc('dma-controller@60000'), { ...WRITE, stream: 1 });
  t.same(streams(first, 0x4200_0000), [0x8, 0x1_0010, 0x1_0040]);
  t.same(streams(second, 0x4300_0000), [0x8, 0x1_0010, 0x1_0041]);
  t.same(faults, ['DeviceID 0x20000 EventID 6', 'DeviceID 0x20001 EventID 7']);
});

t.test('the functions of the board with two SMMUs', async (t) => {
  const names = dual.power().endpoints.list.map(({ name }) => name);
  t.same(
    names.filter((name) => !name.startsWith('/')),
    [
      ...['0000:00:01.0', '0000:00:02.0', '0000:00:03.0', '0000:00:03.5', '0000:00:05.0', '0000:00:06.0'],
      ...['0000:00:07.0', '0000:00:08.0', '0000:00:09.0', '0000:00:09.1', '0000:00:0a.0'],
      ...['0000:00:0b.0', '0000:00:0c.0'],
      ...['0000:05:00.0', '0000:08:00.0', '0000:08:01.0', '0001:00:01.0', '0001:00:02.0', '0001:00:1f.0'],
    ],
  );
  const machine = dual.power();
  machine.mmio.write(pa(ITS), 4, 1);
  const faults = itsFaults(machine);
  machine.endpoints.dma(fn(0, 8, 1), { write: true, hi: 0, lo: TRANSLATER, data: Uint8Array.of(1, 0, 0, 0) });
  t.same(faults, ['DeviceID 0x800 EventID 1'], 'behind a bridge to PCI: the id of the bridge');
});

t.test('controllers and their clients that cannot be end in an error with file, line and column', async (t) => {
  const outcome = (from: string, to: string): string => {
    t.ok(text.includes(from), `the board has ${from}`);
    try {
      loadBoard(text.replace(from, to), 'b.dts');
      return 'okay';
    } catch (error) {
      return error instanceof Error ? `${error.name} ${error.message}` : 'nothing';
    }
  };
  t.match(
    outcome('0x080a0000 0x0 0x80000', '0x080a0000 0x0 0x60000'),
    /BoardError b\.dts:\d+:3: .*redistributors of 4/,
  );
  t.match(
    outcome('0x08000000 0x0 0x10000>,', '0x08000000 0x0 0x8000>,'),
    /reg: region 0 holds the distributor, 0x10000/,
  );
  t.match(outcome('spis = <128>', 'spis = <100>'), /BoardError b\.dts:\d+:3: .*100 SPIs/);
  t.match(outcome('spis = <128>;', ''), /the property spis is missing/);
  t.match(outcome('device-bits = <17>', 'device-bits = <33>'), /BoardError b\.dts:\d+:3: .*deviceBits/);
  t.match(outcome('0x08080000 0x0 0x20000', '0x08080000 0x0 0x10000'), /reg: region 0 holds the registers, 0x20000/);
  t.match(
    outcome('compatible = "arm,gic-v3";', 'compatible = "arm,gic-v3"; status = "disabled";'),
    /is no interrupt controller that/,
  );
  const names = '"eventq", "priq", "cmdq-sync", "gerror"';
  t.match(outcome(names, '"eventq", "priq", "cmdq-sync"'), /b\.dts:\d+:3: .*interrupt-names: 3 names for 4 interrupts/);
  t.match(outcome(names, '"eventq", "priq", "cmdq-sync", "prq"'), /an SMMU has no interrupt prq/);
  t.match(outcome('<0 74 1>', '<0 974 1>'), /b\.dts:\d+:3: .*<0 974 1> is no input of/);
  t.match(
    outcome('msi-map = <0x0 &its 0x0', 'msi-map = <0x0 99 0x0'),
    /b\.dts:\d+:3: .*msi-map: no node has the phandle 99/,
  );
  t.match(
    outcome('&gic 0x0 0x0 0 3 4>', '99 0x0 0x0 0 3 4>'),
    /b\.dts:\d+:3: .*interrupt-map: no node has the phandle 99/,
  );
  t.match(outcome('&gic 0x0 0x0 0 3 4>', '&gic 0x0 0x0 9 3 4>'), /interrupt-map: <9 3 4> is no input of/);
  t.match(outcome('&gic 0x0 0x0 0 3 4>', '&gic 0x0 0x0 0 38 1>'), /<0 38 4> is shared|<0 38 1> is shared/);
});

t.test('an SMMU may have one interrupt for everything', async (t) => {
  const combined = loadBoard(
    text
      .replace('<0 74 1>, <0 75 1>, <0 76 1>, <0 77 1>', '<0 74 1>')
      .replace('"eventq", "priq", "cmdq-sync", "gerror"', '"combined"'),
    'b.dts',
  ).power({ latency: 0 });
  combined.mmio.write(pa(GICD + 0xc18), 4, 1 << 21);
  enableEvents(combined, 0x0905_0000, 0x4200_0000);
  combined.endpoints.dma(fn(0, 0, 1), WRITE);
  t.ok(isPending(combined, 74));
});
