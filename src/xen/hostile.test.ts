import fc from 'fast-check';
import t from 'tap';
import { pa } from '../hw/address.js';
import { xenSteps } from './steps.js';
import {
  boardWith,
  boot,
  createGuest,
  domainBlob,
  domctl,
  hardwareScratch,
  machineAddress,
  machineSbdf,
} from './xen.test-support.js';

const MAX = 0xffff_ffff;

t.test('a configuration with bytes changed makes a domain or an error, and never leaves anything', async (t) => {
  const booted = boot(xenSteps(), boardWith('dom0_mem=64M', 'xen-pciback.hide=(00:01.0)(0001:00:02.0)'));
  const { xen } = booted;
  const blob = domainBlob({
    memory: [0, 64],
    cpus: [2],
    passthrough: 'enabled',
    '#address-cells': [2],
    '#size-cells': [2],
    'xen,pci-devices': ['0000:00:01.0', '0001:00:02.0'],
    'xen,pci-bars': [machineSbdf('0000:00:01.0'), 0, 0, 0x2300_0000],
    'xen,reg': [0, 0x0a00_0000, 0, 0x3000, 0, 0x2400_0000],
    'xen,memory-read-only': [0, 0x4000_1000, 0, 0x1000],
  });
  const before = JSON.stringify(xen.claims());
  const change = fc.tuple(fc.nat(blob.length - 1), fc.nat(255));
  let created = 0;
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 1, maxLength: 2 }),
      fc.option(fc.nat(blob.length), { freq: 2 }),
      (changes, length) => {
        const bytes = blob.slice(0, length ?? blob.length);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        const result = xen.createDomain(bytes);
        if ('error' in result) return result.error < 0 && JSON.stringify(xen.claims()) === before;
        created++;
        return domctl(booted, 2, result.domid, []) === 0;
      },
    ),
    { seed: 11, numRuns: 300 },
  );
  t.ok(created > 5, `${created} of them were domains`);
  const owner = (name: string) => xen.claims().find((claim) => claim.devices.includes(name))?.domid;
  t.equal(owner('0000:00:01.0'), 0x7ff1);
  t.same(booted.problems, []);
});

t.test('whatever stands in the registers and structures of a hypercall, it returns', async (t) => {
  const booted = boot();
  const { machine, xen } = booted;
  const d1 = createGuest(xen, ['0000:00:01.0']);
  const word = fc.oneof(fc.nat(4), fc.nat(MAX), fc.constantFrom(MAX, 0x8, 0x1_0008, 0x0a000, 0x40000));
  const command = fc.constantFrom(0, 20, 37, 39, 45, 47, 50, 51, MAX);
  fc.assert(
    fc.property(
      command,
      fc.constantFrom(0, d1, 0x7ff1, 0x7ff4, 99),
      fc.array(word, { maxLength: 10 }),
      (cmd, domid, u) => {
        return Number.isInteger(domctl(booted, cmd, domid, u));
      },
    ),
    { seed: 12, numRuns: 400 },
  );
  const register = fc.oneof(
    fc.nat(64),
    fc.constantFrom(2 ** 52, 2 ** 53, 2 ** 64, 0x4000_0ff8, 0x4040_3ffc),
    fc.nat(MAX),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(12, 33, 36),
      fc.array(register, { maxLength: 5 }),
      fc.uint8Array({ maxLength: 64 }),
      (n, args, bytes) => {
        machine.memory.poke(pa(machineAddress(xen, 0, hardwareScratch(xen))), bytes);
        return (
          Number.isInteger(xen.hypercall({ domid: d1, vcpu: 0 }, n, args)) &&
          Number.isInteger(xen.hypercall({ domid: 0, vcpu: 0 }, n, [args[0] ?? 0, hardwareScratch(xen)]))
        );
      },
    ),
    { seed: 13, numRuns: 400 },
  );
  t.same(booted.problems, []);
});
