/**
 * Domains that come and go: 1,000 are created with devices at random, used, and destroyed, over the boards. Nothing of them
 * is left: what hardware goes by, free memory, what the next domain is given, and what Xen says of whom has what.
 */
import t from 'tap';
import type { Expect } from '../src/check/index.js';
import { GUEST_RAM, type Role } from './devices.js';
import { nameOf } from './guest-bench.js';
import { Messages, WITH_MESSAGES } from './ownership/messages.js';
import { changes, freePages, standing } from './ownership/standing.js';
import type { PassthroughBench } from './passthrough-bench.js';
import { interruptsOf, wanted } from './platform/driving.js';
import { BOARDS, benchOf, throwing } from './standalone.test-support.js';

/** Domains on each board: 1,000 in all. */
const LIFETIMES = { 'arm64-smmuv3': 333, 'arm64-smmuv3-dual': 333, 'arm64-ipmmu': 334 } as const;
const PAGE = 0x1000;

/** Numbers from a seed, below `limit` (Numerical Recipes, 7.1). */
function numbersFrom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** What is free from boot, each once. */
function freeDevices({ devices: { kept, platform } }: PassthroughBench): Role[] {
  const { severalStreams, withInterrupt, withoutInterrupt, withoutDma, apart, registersOnly } = platform;
  const all: Role[] = [...Object.values(kept), severalStreams, withInterrupt, withoutInterrupt, withoutDma, apart];
  if (registersOnly !== undefined) all.push(registersOnly);
  return [...new Map(all.map((device) => [nameOf(device), device])).values()];
}

/** What must not have changed when all domains are gone. */
function footprint(bench: PassthroughBench, expect: Expect) {
  const created = bench.create({ memory: PAGE * 4, passthrough: 'enabled' });
  if ('error' in created) throw new Error(`no domain is created: ${created.error}`);
  const page = bench.learn(created.domid, GUEST_RAM);
  if (typeof page === 'string') throw new Error(page);
  const cpu = bench.guest(created.domid).cpu ?? 0;
  const tag = bench.machine.cpus.readSystem(cpu, 'VTTBR_EL2').hi >>> 16;
  bench.destroy(created.domid);
  bench.ledger.forget(created.domid);
  return {
    standing: standing(bench),
    free: freePages(expect, bench),
    frame: page.mfn,
    tag,
    claims: bench.xen.claims(),
  };
}

for (const name of BOARDS) {
  t.test(`nothing is left of ${LIFETIMES[name]} domains with devices at random on ${name}`, async (t) => {
    const bench = benchOf(name);
    const expect = throwing();
    const next = numbersFrom(0x7ace);
    const free = freeDevices(bench);
    const before = footprint(bench, expect);
    let assigned = 0;
    let messages = 0;
    for (let life = 0; life < LIFETIMES[name]; life++) {
      const devices = free.filter(() => next(3) === 0);
      const pci = devices.filter((device) => !('path' in device));
      const platform = devices.flatMap((device) => ('path' in device ? [wanted(bench, device)] : []));
      const messenger =
        pci[0] !== undefined && life % 16 === 0 ? pci.find((device) => device === bench.devices.kept.first) : undefined;
      const memory = messenger === undefined ? (4 + next(60)) * PAGE : WITH_MESSAGES;
      const result = bench.create({ memory, passthrough: 'enabled', devices: pci, platform });
      if ('error' in result) throw new Error(`domain ${life} is not created: ${result.error}`);
      assigned += devices.length;
      // One device of each is used: it writes to the domain, and interrupts.
      const user = devices.find((device) => device.streams.length > 0);
      if (user !== undefined && life % 4 === 0) {
        const page = bench.learn(result.domid, GUEST_RAM + PAGE);
        if (typeof page === 'string') throw new Error(page);
        if (bench.dmaWrite(user, GUEST_RAM + PAGE).landed !== page.mfn * PAGE)
          throw new Error(`${nameOf(user)} writes elsewhere`);
        if ('path' in user && life % 8 === 0)
          for (const { index } of interruptsOf(bench, user)) bench.pulse(user, index);
      }
      if (messenger !== undefined) {
        new Messages(bench, result.domid, messenger).arrive(expect);
        messages++;
      }
      if (bench.destroy(result.domid) !== 0) throw new Error(`domain ${life} is not destroyed`);
      bench.ledger.forget(result.domid);
    }
    t.ok(assigned > LIFETIMES[name], 'more than one device each');
    t.equal(messages > 0, 'bus' in bench.devices.kept.first, 'messages, where there is PCI');
    const after = footprint(bench, expect);
    t.same(changes(before.standing, after.standing), [], 'streams, contexts and routes');
    t.same({ ...after, standing: undefined }, { ...before, standing: undefined }, 'free memory, tags, claims');
    for (const device of free) {
      if (device.streams.length > 0) t.notOk(bench.dmaWrite(device, GUEST_RAM).ok, `${nameOf(device)} is nobody's`);
    }
    const again = bench.create({
      memory: 16 * PAGE,
      devices: free.filter((device) => !('path' in device)),
      platform: free.flatMap((device) => ('path' in device ? [wanted(bench, device)] : [])),
    });
    t.ok('domid' in again, 'one domain can have all of them');
  });
}
