/** Use IOMMU to enforce DMA operations: a guest that programs its device with every address it can think of. */
import type { Expect } from '../../src/check/index.js';
import { hex, TWO_32 } from '../../src/hw/address.js';
import type { Value64 } from '../../src/hw/machine.js';
import { created, hardwareDomainPage, learnt, MIB, machineAddress, nobodysPage } from '../arranging.js';
import { check } from '../bench.js';
import { registersOf } from '../device-registers.js';
import { GUEST_RAM, type Role } from '../devices.js';
import { patternBytes } from '../frame-ledger.js';
import { nameOf } from '../guest-bench.js';
import type { PassthroughBench } from '../passthrough-bench.js';
import { structures } from '../structures.js';

const ID = 'XenSwdgn~passthrough_use_iommu_to_enforce_dma_ops_from_dev~1';

/** Registers of the DMA engine: its own driver's view. */
const SOURCE = 0x10;
const DESTINATION = 0x18;
const LENGTH = 0x20;
const ATTRIBUTES = 0x28;
const COMMAND = 0x2c;
const STATUS = 0x30;
const STREAM = 0x3c;
const [LOAD, STORE] = [1, 2];
/** STATUS: DONE and ERROR, both cleared by writing 1. */
const DONE = 2;
const ERROR = 4;

/** The device's driver in the guest. */
class Driver {
  readonly #bench: PassthroughBench;
  readonly #domid: number;
  readonly #base: number;
  readonly #buffer: number;

  constructor(bench: PassthroughBench, domid: number, device: Role) {
    const { address, size } = registersOf(bench, device);
    this.#bench = bench;
    this.#domid = domid;
    this.#base = address;
    this.#buffer = address + size / 2;
  }

  write(offset: number, value: number): void {
    this.#bench.store(this.#domid, this.#base + offset, value >>> 0);
  }

  /** Does a command of 8 bytes; what STATUS says then. */
  command(command: number, { hi, lo }: Value64): number {
    const at = command === LOAD ? SOURCE : DESTINATION;
    this.write(at, lo);
    this.write(at + 4, hi);
    this.write(LENGTH, 8);
    this.write(COMMAND, command);
    this.#bench.machine.settle();
    const status = this.#bench.load(this.#domid, this.#base + STATUS) ?? 0;
    this.write(STATUS, DONE | ERROR);
    return status;
  }

  set buffer(value: number) {
    for (const offset of [0, 4]) this.#bench.store(this.#domid, this.#buffer + offset, value);
  }

  get buffer(): number | undefined {
    return this.#bench.load(this.#domid, this.#buffer);
  }
}

const halves = (address: number): Value64 => ({ hi: Math.floor(address / TWO_32), lo: address >>> 0 });

/** Where interrupt controllers and IOMMUs have their registers, by the host's tree. */
function controllers(bench: PassthroughBench): number[] {
  const found: number[] = [];
  for (const node of bench.hostTree.root.walk()) {
    if (!['interrupt-controller', 'msi-controller', '#iommu-cells'].some((property) => node.has(property))) continue;
    const [region] = node.reg();
    if (region !== undefined) found.push(node.translate(region.address) ?? region.address);
  }
  return found;
}

/** Every address that is worth a try: none is of the memory of a domain of 1 MiB, or of its device's registers. */
function everyAddress(bench: PassthroughBench, victims: readonly number[], device: Role): [Value64, string][] {
  const edges = bench.machine.memory.ranges.flatMap(({ address, length }) => {
    return [address - 8, address + 0x1000, address + length - 8, address + length];
  });
  const tables = device.streams.flatMap((stream) => structures(bench, stream)).map(([address]) => address);
  const registers = controllers(bench).flatMap((base) => [base, base + 0x20, base + 0x80, base + 0x1_0040]);
  const powers = [0, 32, 36, 39, 40, 44, 47, 48, 51, 52, 53].map((bit) => (bit === 0 ? 0 : 2 ** bit));
  const others = Object.values(bench.devices.hardwareDomains).map((other) => registersOf(bench, other).address);
  const own = registersOf(bench, device);
  const isIn = (start: number, size: number, address: number) => address >= start && address < start + size;
  const inside = (address: number) => isIn(GUEST_RAM, MIB, address) || isIn(own.address, own.size, address);
  const numbers = [...victims, ...edges, ...tables, ...registers, ...powers, ...others, nobodysPage(bench)];
  return [
    ...numbers.filter((address) => address >= 0 && !inside(address)).map((a): [Value64, string] => [halves(a), hex(a)]),
    [{ hi: 0x8000_0000, lo: 0 }, '2^63'],
    [{ hi: 0x8000_0000, lo: GUEST_RAM }, 'memory, with the highest bit set'],
    [{ hi: 0x100, lo: GUEST_RAM }, 'memory, above 2^40'],
    [{ hi: 0xffff_ffff, lo: 0xffff_fffc }, '2^64 - 4, which wraps around'],
    [{ hi: 0xffff_ffff, lo: 0xffff_f000 }, 'the last page of all'],
  ];
}

/** Whether a pattern is in what has changed of memory since it was last asked, anywhere. */
function appeared(bench: PassthroughBench, pattern: number): number | undefined {
  const wanted = Buffer.from(patternBytes(pattern));
  for (const { address, length } of bench.machine.memory.changed()) {
    const at = Buffer.from(bench.machine.memory.peek(address as never, length)).indexOf(wanted);
    if (at >= 0) return address + at;
  }
  return undefined;
}

function confined(expect: Expect, bench: PassthroughBench, device: Role, stream: number): void {
  // The one that is attacked comes first, and has the memory behind that of the other.
  const d2 = created(expect, bench.create({ memory: MIB }));
  const d1 = created(expect, bench.create({ memory: MIB, devices: [device] }));
  const victims = [
    learnt(expect, bench, d2, GUEST_RAM).mfn * 4096,
    learnt(expect, bench, 0, hardwareDomainPage(bench)).mfn * 4096,
  ];
  const secret = bench.ledger.pattern();
  for (const victim of victims) for (const offset of [0, 4]) bench.pokeWord(victim + offset, secret);
  const own = machineAddress(expect, bench, d1, GUEST_RAM + 0x2000);
  const driver = new Driver(bench, d1, device);
  driver.write(STREAM, stream);
  // The first register, or CR0 of an SMMU, whose first says what it can do.
  const registers = controllers(bench).map((base) => {
    return bench.iommus.some((iommu) => iommu.kind === 'smmuv3' && iommu.base === base) ? base + 0x20 : base;
  });
  const read = () => registers.map((address) => bench.machine.mmio.read(address as never, 4));
  const before = read();

  for (const [address, what] of everyAddress(bench, victims, device)) {
    // Translated requests and privileged ones are tried with the addresses of others' pages alone.
    const attributes = victims.some((victim) => hex(victim) === what) ? [0, 1, 8] : [0];
    for (const value of attributes) {
      driver.write(ATTRIBUTES, value);
      const poison = bench.ledger.pattern();
      driver.buffer = poison;
      bench.machine.memory.changed();
      expect.equal(driver.command(STORE, address), DONE | ERROR, `the device is denied a write at ${what}`);
      expect.equal(appeared(bench, poison), undefined, `nothing of a write at ${what} is in memory`);
      expect.equal(driver.command(LOAD, address), DONE | ERROR, `the device is denied a read at ${what}`);
      expect.notEqual(driver.buffer, secret, `what is at ${what} is not in its buffer`);
    }
  }
  driver.write(ATTRIBUTES, 0);

  for (const victim of victims) expect.equal(bench.peekWord(victim), secret, 'pages of others are as they were');
  expect.deepEqual(read(), before, 'so are registers of controllers');
  // The device is alive, and serves its domain; a request that begins there and leaves it does no more than begin.
  const value = bench.ledger.pattern();
  driver.buffer = value;
  expect.equal(
    driver.command(STORE, halves(GUEST_RAM + 0x2000)),
    DONE,
    `${nameOf(device)} writes memory of its domain`,
  );
  expect.equal(bench.peekWord(own), value, 'where the domain has it');
  const last = machineAddress(expect, bench, d1, GUEST_RAM + MIB - 0x1000) + 0x1000;
  const next = bench.peekWord(last);
  driver.command(STORE, halves(GUEST_RAM + MIB - 4));
  expect.equal(bench.peekWord(last), next, 'what is behind the last page in the machine is as it was');
}

check(ID, 'a guest that programs its device with any address reaches nothing outside', ({ bench, expect }) => {
  for (const device of [bench.devices.kept.first, bench.devices.kept.apart]) confined(expect, bench, device, 0);
});

check(
  ID,
  'a guest that programs a platform device with any address reaches nothing outside, on no stream',
  { aspect: 'platform' },
  ({ bench, expect }) => {
    const { severalStreams } = bench.devices.platform;
    confined(expect, bench, severalStreams, severalStreams.streams.length - 1);
  },
);
