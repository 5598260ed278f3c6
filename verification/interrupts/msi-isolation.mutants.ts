/** Mistakes that let messages of one device be interrupts of another's domain, or outlive their assignment. */
import { TRANSLATION_FRAME } from '../../src/hw/gic/its/layout.js';
import { requesterId } from '../../src/hw/machine.js';
import { gfn, mfn } from '../../src/xen/frames.js';
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_deliver_msis_to_dom~1'] };
const PAGE = 0x1000;

mutant("the DeviceID that the guest knows is taken for the machine's", VIOLATES, (xen) => ({
  ...xen,
  its: {
    ...xen.its,
    deviceIdOf: (state, device) => {
      const found = xen.its.deviceIdOf(state, device);
      const virtual = device.vpci?.sbdf;
      const isGuests = virtual !== undefined && device.vpci?.isHardware === false;
      return typeof found === 'object' && isGuests ? { ...found, deviceId: requesterId(virtual) } : found;
    },
  },
}));

mutant('msi-map is passed over: the requester id of a device is its DeviceID, in every segment', VIOLATES, (xen) => ({
  ...xen,
  its: {
    ...xen.its,
    mapId: (state, bridge, requester) => {
      const found = xen.its.mapId(state, bridge, requester);
      return typeof found === 'object' ? { ...found, deviceId: requester } : found;
    },
  },
}));

mutant("a guest's service knows devices by the machine's DeviceIDs too", VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    assignDevice: (state, domain, device, guestDeviceId) => {
      const error = xen.vits.assignDevice(state, domain, device, guestDeviceId);
      for (const { devices } of domain.its.services) {
        const known = devices.get(guestDeviceId);
        if (known !== undefined) devices.set(known.host.deviceId, known);
      }
      return error;
    },
  },
}));

mutant('a DeviceID that is none of the guest finds the device that the machine has under it', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    mapd: (state, vits, words) => {
      const deviceId = words[1] as number;
      if (!vits.devices.has(deviceId)) {
        for (const { its } of state.domains.values()) {
          for (const { devices } of its.services) {
            const found = [...devices.values()].find(({ host }) => host.deviceId === deviceId);
            if (found !== undefined) vits.devices.set(deviceId, found);
          }
        }
      }
      return xen.vits.mapd(state, vits, words);
    },
  },
}));

mutant('an interrupt of a device is bound by its event alone, whichever device has it', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    hostLpiOf: (_state, { device, event }) => [...device.host.its.devices.values()].at(-1)?.lpis[event],
  },
}));

mutant('all frames of the service with the doorbell are mapped, not its page alone', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    mapDoorbell: (state, { domain, host, address }) => {
      const [at, from] = [address + TRANSLATION_FRAME, host.base + TRANSLATION_FRAME].map((one) => one / PAGE);
      if (domain.p2m === undefined) return -22;
      return state.steps.p2m.setEntries(state, domain.p2m, gfn(at ?? 0), 16, mfn(from ?? 0), 'mmio_direct_dev');
    },
  },
}));

mutant("the doorbell is mapped where the machine has it, beside the guest's own", VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    mapDoorbell: (state, vits) => {
      const error = xen.vits.mapDoorbell(state, vits);
      return error || xen.vits.mapDoorbell(state, { ...vits, address: vits.host.base });
    },
  },
}));

mutant('every message of a guest is an interrupt of the hardware domain too', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    deliver: (state, event) => {
      xen.vits.deliver(state, event);
      const hardware = state.domains.get(0);
      const vcpu = hardware?.vcpus[0];
      if (hardware === undefined || vcpu === undefined || event.device.vits.domain === hardware) return;
      xen.vits.setPending(state, vcpu, xen.vits.lpiOf(state, hardware, event.irq.virq, vcpu).irq);
    },
  },
}));

mutant('the hardware domain can take a DeviceID over that is mapped for a guest', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    mapd: (state, vits, words) => {
      const found = vits.host.devices.get(words[1] as number);
      if (vits.domain.domid === 0 && found?.domain !== undefined && !vits.devices.has(words[1] as number)) {
        vits.devices.set(words[1] as number, {
          vits,
          deviceId: found.deviceId,
          functions: found.users,
          host: { its: found.its, deviceId: found.deviceId },
          events: 0,
          mapped: new Map(),
        });
      }
      return xen.vits.mapd(state, vits, words);
    },
    hostMapd: () => 0,
    hostLpiOf: (_state, { device, event }) => device.host.its.devices.get(device.host.deviceId)?.lpis[event],
  },
}));

mutant('a device that is deassigned keeps its events at the machine', VIOLATES, (xen) => ({
  ...xen,
  its: { ...xen.its, discardEvents: () => 0, forgetDevice: () => 0 },
}));

mutant('what a device has pending at the machine is not discarded when it is deassigned', VIOLATES, (xen) => ({
  ...xen,
  its: { ...xen.its, discardEvents: () => 0 },
}));

mutant('interrupts of a deassigned device are given away before the machine has discarded them', VIOLATES, (xen) => ({
  ...xen,
  its: {
    ...xen.its,
    unmapDevice: (state, device) => {
      device.its.devices.delete(device.deviceId);
      state.steps.its.freeLpis(
        state,
        device.lpis.map(({ intid }) => intid),
      );
      for (const lpi of device.lpis) lpi.bindings.length = 0;
      return state.steps.its.forgetDevice(state, device);
    },
  },
}));

mutant('what a guest has pending of a device that it loses stays pending', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    discardAll: (state, device) => {
      if (device.functions.size > 0) xen.vits.discardAll(state, device);
    },
  },
}));

mutant('a guest keeps the events of a device that it loses', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    removeDevice: (state, domain, device) => {
      for (const { devices } of state.its.services) {
        for (const host of devices.values()) {
          if (host.domain === domain && host.users.has(device)) return state.steps.its.unmapDevice(state, host);
        }
      }
      return 0;
    },
  },
}));

mutant('messages of a device go on when it is deassigned', VIOLATES, (xen) => ({
  ...xen,
  vpci: { ...xen.vpci, quiesce: () => {} },
}));

mutant('SYNC behind commands of the machine is left out', VIOLATES, (xen) => ({
  ...xen,
  its: { ...xen.its, sync: (state, its) => state.steps.its.waitIdle(state, its) },
}));

mutant('commands of the machine are not waited for', VIOLATES, (xen) => ({
  ...xen,
  its: {
    ...xen.its,
    waitIdle: (state, its) => {
      state.steps.its.publish(state, its);
      return 0;
    },
  },
}));
