/** What must not happen to others while a domain is not created: to the domain that has the device, to ids that are free. */
import type { Expect } from '../../src/check/index.js';
import { learnt } from '../arranging.js';
import { IDENTIFICATION, registersOf } from '../device-registers.js';
import { GUEST_RAM, type Role } from '../devices.js';
import { nameOf } from '../guest-bench.js';
import type { PassthroughBench } from '../passthrough-bench.js';

const PAGE = 0x1000;
const ESRCH = -3;
const LAST = 0x7fef;

/** No domain but these must exist: none of the ids after the last one runs, or can be destroyed. */
export function noneAfter(expect: Expect, bench: PassthroughBench, domid: number): void {
  for (const next of [domid + 1, domid + 2, LAST]) {
    expect.ok(!bench.store(next, GUEST_RAM, 0).ok, `no vCPU of d${next} runs`);
    expect.equal(bench.destroy(next), ESRCH, `there is no d${next}`);
  }
}

/** Reads of a device must give its domain's word, and its domain's loads its registers, after every access of Xen's. */
export function undisturbed(
  expect: Expect,
  bench: PassthroughBench,
  device: Role,
  domid: number,
  action: () => void,
): void {
  const address = GUEST_RAM + 2 * PAGE;
  const word = bench.ledger.pattern();
  learnt(expect, bench, domid, address);
  expect.ok(bench.store(domid, address, word).ok, 'the domain leaves a word for the device');
  const registers = registersOf(bench, device).address;
  const cpu = bench.guest(domid).cpu ?? expect.fail(`d${domid} runs`);
  // Xen works on the CPU of the hardware domain, and leaves that of the device's domain alone.
  expect.equal(bench.destroy(LAST), ESRCH, 'a hypercall of the hardware domain');
  const access = { kind: 'load', hi: Math.floor(registers / 2 ** 32), lo: registers >>> 0, width: 4 } as const;
  const seen = { probes: 0, otherWord: 0, otherRegister: 0 };
  // A CPU that goes on with its guest takes interrupts first, and Xen makes accesses of its own for them.
  let probing = false;
  bench.between(() => {
    if (probing) return;
    probing = true;
    seen.probes++;
    if (bench.dmaRead(device, address).word !== word) seen.otherWord++;
    const loaded = bench.machine.cpus.guest(cpu, access);
    if (!loaded.ok || loaded.lo !== IDENTIFICATION) seen.otherRegister++;
    probing = false;
  }, action);
  expect.ok(seen.probes > 0, 'Xen does something about it');
  expect.equal(seen.otherWord, 0, `${nameOf(device)} reads its domain's memory all the while`);
  expect.equal(seen.otherRegister, 0, `d${domid} loads the registers of ${nameOf(device)} all the while`);
}
