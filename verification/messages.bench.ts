/**
 * How many message interrupts a second go from a device to the end of the guest's handler: through the SMMU and the ITS to
 * a redistributor, Xen's acknowledgement, a list register, and the guest's acknowledgement and end.
 */
import { readFileSync } from 'node:fs';
import { loadBoard } from '../src/board/board.js';
import { createXen } from '../src/xen/create.js';
import { xenSteps } from '../src/xen/steps.js';
import { devicesOf } from './devices.js';
import { GuestPci } from './guest/pci.js';
import { GuestTranslationService } from './guest/translation-service.js';
import { PassthroughBench } from './passthrough-bench.js';

const BOARD = new URL('../../fixtures/boards/arm64-smmuv3.dts', import.meta.url);
const FACTS = { iommus: [], devices: devicesOf('arm64-smmuv3') };
const DEVICE = { segment: 0, bus: 0, device: 1, function: 0 };
const MIB = 2 ** 20;
const LPI = 8200;

/**
 * Measures, for about `milliseconds` after warming up for as long.
 * @returns interrupts a second
 * @throws Error if one does not arrive
 */
export function benchMessages(milliseconds: number): number {
  const machine = loadBoard(readFileSync(BOARD, 'utf8'), 'arm64-smmuv3').power({
    problem: ({ text }) => {
      throw new Error(text);
    },
  });
  const on = new PassthroughBench(machine, createXen(xenSteps()), undefined, FACTS, [], () => {
    throw new Error('one machine is enough');
  });
  on.boot();
  const result = on.create({ memory: 4 * MIB, devices: [DEVICE] });
  if (!('domid' in result)) throw new Error(`no domain: ${result.error}`);
  const { domid } = result;
  const guest = on.guest(domid);
  const tree = on.guestTree(domid);
  const controller = on.interruptController(domid);
  const pci = new GuestPci(tree, guest);
  const service = new GuestTranslationService(tree, guest, controller, on.ramOf(domid).address + 2 * MIB);
  const [function0] = pci.scan();
  const deviceId = function0 === undefined ? undefined : pci.deviceId(function0.requester);
  if (function0 === undefined || deviceId === undefined) throw new Error('the guest finds no device');
  pci.enable(function0.requester);
  service.mapDevice(deviceId, 5);
  service.mapEvent(deviceId, 0, LPI);
  service.configure(deviceId, 0, LPI, true);
  service.sync();
  pci.enableMsi(function0.requester, { address: service.doorbell, data: 0 });
  on.rest();
  if (controller.take().length > 0) throw new Error('there was an interrupt before any was sent');

  const { cpu } = guest;
  if (cpu === undefined) throw new Error('the guest does not run');
  const { cpus, endpoints } = on.machine;
  const once = () => {
    endpoints.signal(DEVICE, 0);
    cpus.takeInterrupts(cpu);
    const taken = cpus.guestRead(cpu, 'ICC_IAR1_EL1')?.lo;
    if (taken !== LPI) throw new Error(`the guest takes ${taken}, not ${LPI}`);
    cpus.guestWrite(cpu, 'ICC_EOIR1_EL1', 0, taken);
  };
  const during = (limit: number) => {
    const from = performance.now();
    let count = 0;
    for (; performance.now() - from < limit; count += 100) for (let i = 0; i < 100; i++) once();
    return (count * 1000) / (performance.now() - from);
  };
  during(milliseconds);
  return during(milliseconds);
}
