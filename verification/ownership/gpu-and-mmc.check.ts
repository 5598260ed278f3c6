/** Assign a single device to a single domain: a graphics processor for one, a card reader for another. */
import { created, learnt, MIB } from '../arranging.js';
import { check } from '../bench.js';
import { GUEST_RAM } from '../devices.js';
import {
  hasAllRegisters,
  interruptsOf,
  lacksAllRegisters,
  reachesOnAllStreams,
  takesInterrupts,
  takesNoInterrupts,
  unreachableOnAllStreams,
} from '../platform/driving.js';
import { SMALL } from './standing.js';

const ID = 'XenSwdgn~passthrough_assign_single_dev_to_single_dom~1';
const PLATFORM = { aspect: 'platform' };
const PAGE = 0x1000;
const EBUSY = -16;

check(
  ID,
  'the graphics processor of one domain and the card reader of another are exclusive, both at once',
  PLATFORM,
  ({ bench, expect }) => {
    const { severalStreams: gpu, withInterrupt: mmc } = bench.devices.platform;
    const a = created(expect, bench.create({ ...SMALL, devices: [gpu] }));
    const b = created(expect, bench.create({ ...SMALL, devices: [mmc] }));
    const controllers = new Map([a, b].map((domid) => [domid, bench.interruptController(domid)]));
    const pages = new Map([a, b].map((domid) => [domid, learnt(expect, bench, domid, GUEST_RAM + PAGE).mfn * PAGE]));
    for (const [owner, device, other] of [
      [a, gpu, b],
      [b, mmc, a],
      [a, gpu, b],
    ] as const) {
      hasAllRegisters(expect, bench, owner, device);
      for (const stranger of [other, 0]) lacksAllRegisters(expect, bench, stranger, device);
      reachesOnAllStreams(expect, bench, device, owner, GUEST_RAM + PAGE + 8);
      reachesOnAllStreams(expect, bench, device, owner, GUEST_RAM + MIB - 4);
      for (const machine of pages.values())
        unreachableOnAllStreams(expect, bench, device, machine, 'a machine address');
      takesInterrupts(expect, bench, owner, device, controllers.get(owner));
      takesNoInterrupts(expect, bench, other, device, controllers.get(other));
    }
    // Both at once: each has an interrupt pending and a request under way while the other's is handled.
    const words = new Map([a, b].map((domid) => [domid, bench.ledger.pattern()]));
    for (const [domid, word] of words)
      expect.ok(bench.store(domid, GUEST_RAM + PAGE, word).ok, `d${domid} stores a word`);
    const both = [
      [a, gpu],
      [b, mmc],
    ] as const;
    for (const [domid, device] of both) {
      for (const { index, intid } of interruptsOf(bench, device).slice(0, 1)) {
        controllers.get(domid)?.enable(intid);
        bench.setLine(device, index, true);
      }
    }
    for (const [domid, device] of both) {
      expect.equal(
        bench.dmaRead(device, GUEST_RAM + PAGE).word,
        words.get(domid),
        `${device.path} reads the word of d${domid}`,
      );
      const [line] = interruptsOf(bench, device);
      const taken = controllers.get(domid)?.take(0, () => bench.setLine(device, 0, false));
      expect.deepEqual(
        taken,
        line === undefined ? [] : [line.intid],
        `d${domid} takes the interrupt of ${device.path} alone`,
      );
    }
    for (const [domid, device] of both) {
      expect.deepEqual(
        bench.create({ ...SMALL, devices: [device] }),
        { error: EBUSY },
        `${device.path} is d${domid}'s`,
      );
    }
  },
);
