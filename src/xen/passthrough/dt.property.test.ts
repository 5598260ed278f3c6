import fc from 'fast-check';
import t from 'tap';
import { pa } from '../../hw/address.js';
import { boardOfFile, createGuest, domctl, machineAddress } from '../xen.test-support.js';
import { bootInside, dmaOf, dtAssignment } from './dt.test-support.js';

const RAM = 0x4000_0000;
const SOC = '/soc@a000000';
/** Devices with the number of their streams; those of one group have one stream. */
const DEVICES = [
  { path: `${SOC}/gpu@10000`, streams: 2, group: 0 },
  { path: `${SOC}/mmc@40000`, streams: 1, group: 1 },
  { path: `${SOC}/dma-controller@60000`, streams: 1, group: 2 },
  { path: `${SOC}/dma-controller@61000`, streams: 1, group: 2 },
  { path: `${SOC}/display@81000`, streams: 1, group: 3 },
] as const;
const GUESTS = 3;

type Operation =
  | { readonly kind: 'assign' | 'deassign'; readonly device: number; readonly guest: number }
  | { readonly kind: 'rebuild'; readonly guest: number };

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('assign' as const, 'deassign' as const),
      device: fc.nat(DEVICES.length - 1),
      guest: fc.nat(GUESTS - 1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rebuild' as const), guest: fc.nat(GUESTS - 1) }) },
);

t.test('whatever is assigned, taken and destroyed, each stream reaches its owner or nobody', async (t) => {
  fc.assert(
    fc.property(fc.array(operation, { minLength: 4, maxLength: 14 }), (operations) => {
      const booted = bootInside(boardOfFile);
      const { machine, xen } = booted;
      const guests = Array.from({ length: GUESTS }, () => createGuest(xen, [], { memory: [0, 64] }));
      const owners: (number | undefined)[] = DEVICES.map(() => undefined);
      const expectCode = (code: number, expected: number, what: string) => {
        if (code !== expected) throw new Error(`${what}: ${code}, not ${expected}`);
      };
      for (const op of operations) {
        const domid = guests[op.guest] as number;
        if (op.kind === 'rebuild') {
          expectCode(domctl(booted, 2, domid, []), 0, 'destroy');
          owners.forEach((owner, index) => {
            if (owner === domid) owners[index] = undefined;
          });
          guests[op.guest] = createGuest(xen, [], { memory: [0, 64] });
        } else {
          const { path, group } = DEVICES[op.device] as (typeof DEVICES)[number];
          const owner = owners[op.device];
          if (op.kind === 'assign') {
            const foreign = DEVICES.some((other, index) => {
              return other.group === group && owners[index] !== undefined && owners[index] !== domid;
            });
            const free = owner === undefined && !foreign;
            expectCode(dtAssignment(booted, 37, domid, path), free ? 0 : -16, `assign ${path}`);
            if (free) owners[op.device] = domid;
          } else {
            expectCode(dtAssignment(booted, 47, domid, path), owner === domid ? 0 : -3, `deassign ${path}`);
            if (owner === domid) owners[op.device] = undefined;
          }
        }
        for (const [index, { path, streams, group }] of DEVICES.entries()) {
          // A mate on the same stream is as able as the one that is assigned.
          const owner =
            owners[index] ?? owners.find((_, other) => DEVICES[other]?.group === group && owners[other] !== undefined);
          for (let stream = 0; stream < streams; stream++) {
            machine.memory.changed();
            const result = dmaOf(machine, path, RAM + 0x1000, true, stream);
            const changed = machine.memory.changed().filter((range) => range.length === 4);
            if (result.ok !== (owner !== undefined)) throw new Error(`${path} stream ${stream}: ${result.ok}`);
            if (owner === undefined) {
              if (changed.length > 0) throw new Error(`${path} wrote somewhere`);
              continue;
            }
            const where = machineAddress(xen, owner, RAM + 0x1000);
            if (changed.length !== 1 || changed[0]?.address !== where) throw new Error(`${path} wrote elsewhere`);
            machine.memory.poke(pa(where), new Uint8Array(4));
          }
        }
      }
      if (booted.problems.length > 0) throw new Error(JSON.stringify(booted.problems[0]));
    }),
    { seed: 11, numRuns: 12 },
  );
  t.pass();
});
