/** Assign devices sharing resources to same domain: platform devices on one stream, on one interrupt, in one page. */
import { created, learnt } from '../arranging.js';
import { check } from '../bench.js';
import { GUEST_RAM } from '../devices.js';
import {
  hasAllRegisters,
  lacksAllRegisters,
  reachesOnAllStreams,
  takesInterrupts,
  takesNoInterrupts,
  unreachableOnAllStreams,
  wanted,
} from '../platform/driving.js';
import { sharingOf } from './sharing-roles.js';
import { leavesNothing, SMALL } from './standing.js';

const ID = 'XenSwdgn~passthrough_assign_devs_sharing_res_to_same_dom~1';
const PAGE = 0x1000;
const EBUSY = -16;

for (const [aspect, key, what] of [
  ['stream', 'stream', 'a stream'],
  ['interrupt line', 'line', 'an interrupt'],
  ['registers', 'registers', 'a page of registers'],
] as const) {
  check(
    ID,
    `of two devices that share ${what}, one domain has one and no other domain is created with the other`,
    { aspect },
    ({ bench, expect }) => {
      const { severalStreams } = bench.devices.platform;
      const pair = sharingOf(bench)[key];
      const free = { ...SMALL, platform: [wanted(bench, severalStreams)] };
      for (const [mine, theirs] of [pair, [pair[1], pair[0]]] as const) {
        const d1 = created(expect, bench.create({ ...SMALL, platform: [wanted(bench, mine)] }));
        hasAllRegisters(expect, bench, d1, mine);
        reachesOnAllStreams(expect, bench, mine, d1, GUEST_RAM);
        takesInterrupts(expect, bench, d1, mine);
        for (const devices of [[theirs], [severalStreams, theirs]]) {
          leavesNothing(expect, bench, free, () => {
            const asked = bench.create({ ...SMALL, platform: devices.map((device) => wanted(bench, device)) });
            expect.deepEqual(asked, { error: EBUSY }, `${theirs.path} shares ${what} with a device of d${d1}: -EBUSY`);
          });
        }
        // What shares nothing with it goes to another domain.
        const d2 = created(expect, bench.create(free));
        hasAllRegisters(expect, bench, d2, severalStreams);
        reachesOnAllStreams(expect, bench, severalStreams, d2, GUEST_RAM);
        takesInterrupts(expect, bench, d2, severalStreams);
        hasAllRegisters(expect, bench, d1, mine);
        reachesOnAllStreams(expect, bench, mine, d1, GUEST_RAM);
        takesInterrupts(expect, bench, d1, mine);
        for (const domid of [d1, d2]) {
          expect.equal(bench.destroy(domid), 0, `d${domid} is destroyed`);
          bench.ledger.forget(domid);
        }
        // Its mate is nobody's any more.
        const d3 = created(expect, bench.create({ ...SMALL, platform: [wanted(bench, theirs)] }));
        reachesOnAllStreams(expect, bench, theirs, d3, GUEST_RAM);
        expect.equal(bench.destroy(d3), 0, `d${d3} is destroyed`);
        bench.ledger.forget(d3);
      }
    },
  );

  check(ID, `two devices that share ${what} work in one domain`, { aspect }, ({ bench, expect }) => {
    const pair = sharingOf(bench)[key];
    const platform = pair.map((device, index) => ({ ...wanted(bench, device), name: `of-pair-${index}` }));
    const d1 = created(expect, bench.create({ ...SMALL, platform }));
    const d2 = created(expect, bench.create({ ...SMALL }));
    learnt(expect, bench, d2, GUEST_RAM + PAGE);
    for (const device of pair) {
      hasAllRegisters(expect, bench, d1, device);
      reachesOnAllStreams(expect, bench, device, d1, GUEST_RAM + PAGE);
      takesInterrupts(expect, bench, d1, device);
      for (const other of [0, d2]) lacksAllRegisters(expect, bench, other, device);
      takesNoInterrupts(expect, bench, d2, device);
    }
    for (const device of pair) {
      const asked = bench.create({ ...SMALL, platform: [wanted(bench, device)] });
      expect.deepEqual(asked, { error: EBUSY }, `${device.path} is d${d1}'s: -EBUSY`);
    }
    expect.equal(bench.destroy(d1), 0, `d${d1} is destroyed`);
    bench.ledger.forget(d1);
    for (const device of pair) unreachableOnAllStreams(expect, bench, device, GUEST_RAM, 'nobody has the device');
    const d3 = created(expect, bench.create({ ...SMALL, platform }));
    // When one of them is taken away, the other goes on.
    const [first, second] = pair;
    if (first.streams.length === 0) return;
    expect.equal(bench.deassign(d3, first), 0, `${first.path} is taken from d${d3}`);
    reachesOnAllStreams(expect, bench, second, d3, GUEST_RAM + PAGE);
    hasAllRegisters(expect, bench, d3, second);
    takesInterrupts(expect, bench, d3, second);
    expect.equal(bench.destroy(d3), 0, `d${d3} is destroyed`);
    bench.ledger.forget(d3);
    unreachableOnAllStreams(expect, bench, second, GUEST_RAM + PAGE, 'nobody has the device');
  });
}

for (const [aspect, key] of [
  ['stream', 'stream'],
  ['interrupt line', 'line'],
] as const) {
  check(
    ID,
    `no hypercall parts two devices that share ${key === 'line' ? 'an interrupt' : 'a stream'}`,
    { aspect },
    ({ bench, expect }) => {
      const [device, mate] = sharingOf(bench)[key];
      const { withoutInterrupt } = bench.devices.platform;
      const d1 = created(expect, bench.create({ ...SMALL, platform: [wanted(bench, mate)] }));
      const d2 = created(expect, bench.create({ ...SMALL, passthrough: 'enabled' }));
      learnt(expect, bench, d2, GUEST_RAM);
      for (const domid of [d2, 0]) {
        expect.equal(bench.assign(domid, device), EBUSY, `d${d1} has a device that shares something with it: -EBUSY`);
      }
      takesInterrupts(expect, bench, d1, mate);
      reachesOnAllStreams(expect, bench, mate, d1, GUEST_RAM);
      expect.equal(bench.assign(d2, withoutInterrupt), 0, 'what shares nothing with it is assigned');
      reachesOnAllStreams(expect, bench, withoutInterrupt, d2, GUEST_RAM);
      expect.equal(bench.destroy(d1), 0, `d${d1} is destroyed`);
      bench.ledger.forget(d1);
      expect.equal(bench.assign(d2, device), 0, "its mate is nobody's any more");
      reachesOnAllStreams(expect, bench, device, d2, GUEST_RAM);
    },
  );

  check(
    ID,
    `a mate of the hardware domain's keeps a device from a guest: of ${key === 'line' ? 'an interrupt' : 'a stream'}`,
    { aspect },
    ({ bench, expect }) => {
      const [holder, asked] = sharingOf(bench)[key];
      expect.equal(bench.assign(0, holder), 0, 'the hardware domain takes the device');
      leavesNothing(expect, bench, SMALL, () => {
        const result = bench.create({ ...SMALL, platform: [wanted(bench, asked)] });
        expect.deepEqual(result, { error: EBUSY }, `${asked.path} shares something with it: -EBUSY`);
      });
      expect.equal(bench.deassign(0, holder), 0, 'the hardware domain gives the device up');
      const d1 = created(expect, bench.create({ ...SMALL, platform: [wanted(bench, asked)] }));
      hasAllRegisters(expect, bench, d1, asked);
      takesInterrupts(expect, bench, d1, asked);
    },
  );
}

check(ID, 'streams of one number behind two IOMMUs are two streams', { aspect: 'stream' }, ({ bench, expect }) => {
  const { severalStreams, withInterrupt } = bench.devices.platform;
  const d1 = created(expect, bench.create({ ...SMALL, devices: [severalStreams] }));
  const d2 = created(expect, bench.create({ ...SMALL, devices: [withInterrupt] }));
  reachesOnAllStreams(expect, bench, severalStreams, d1, GUEST_RAM);
  reachesOnAllStreams(expect, bench, withInterrupt, d2, GUEST_RAM);
});
