/** Mistakes in ending the messages of a device: when it is taken from a domain, and when the domain is destroyed. */
import { mutant } from '../bench.js';

/** What is pending at a guest, or stands for its events, dies with it: only a domain that lives can be interrupted by it. */
const WHILE_IT_LIVES = { violates: ['XenSwdgn~passthrough_support_deassign_pci_devs~1'] };
const VIOLATES = {
  violates: ['XenSwdgn~passthrough_support_deassign_pci_devs~1', 'XenSwdgn~passthrough_deassign_pci_dev_from_dom~1'],
};

mutant('a device keeps its messages when it leaves a domain', VIOLATES, (xen) => ({
  ...xen,
  pci: { ...xen.pci, withdrawDevice: () => 0 },
}));

mutant('the translation service is not told that a device is gone', VIOLATES, (xen) => ({
  ...xen,
  its: { ...xen.its, discardEvents: () => 0, forgetDevice: () => 0 },
}));

mutant('events are not discarded before their interrupts go to others', VIOLATES, (xen) => ({
  ...xen,
  its: { ...xen.its, discardEvents: () => 0 },
}));

mutant('messages of a device stay on when it is taken', VIOLATES, (xen) => ({
  ...xen,
  vpci: { ...xen.vpci, quiesce: () => {} },
}));

mutant('what is pending of a device stays pending at the guest', WHILE_IT_LIVES, (xen) => ({
  ...xen,
  vgic: { ...xen.vgic, forget: () => {} },
}));

mutant('interrupts of a device are given back, and still stand for the events of a guest', WHILE_IT_LIVES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    discardAll: () => {},
  },
  its: {
    ...xen.its,
    unmapDevice: (state, device) => {
      const bindings = device.lpis.map((lpi) => [...lpi.bindings]);
      const error = xen.its.unmapDevice(state, device);
      for (const [event, lpi] of device.lpis.entries()) lpi.bindings.push(...(bindings[event] ?? []));
      return error;
    },
  },
}));

mutant('a device is unmapped by one name, and its interrupts stay taken', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    attachHost: (state, device, events) => {
      const known = device.host.its.devices.get(device.host.deviceId);
      return known === undefined ? xen.vits.attachHost(state, device, events) : -16;
    },
    removeDevice: (state, domain, device) => {
      const its = { ...state.steps.its, unmapDevice: () => 0 };
      return xen.vits.removeDevice({ ...state, steps: { ...state.steps, its } }, domain, device);
    },
  },
}));

mutant('nothing that the translation service is told is waited for', VIOLATES, (xen) => ({
  ...xen,
  its: { ...xen.its, sync: () => 0 },
}));

mutant('a CPU keeps how an interrupt was set up for the device that had it before', VIOLATES, (xen) => ({
  ...xen,
  its: {
    ...xen.its,
    moveLpis: (state, device, lpis, cpu) => {
      const { sendCommand } = state.steps.its;
      // INVALL (Arm IHI 0069 5.3).
      const its: typeof state.steps.its = {
        ...state.steps.its,
        sendCommand: (same, service, words) =>
          ((words[0] ?? 0) & 0xff) === 0x0d ? 0 : sendCommand(same, service, words),
      };
      return xen.its.moveLpis({ ...state, steps: { ...state.steps, its } }, device, lpis, cpu);
    },
  },
}));
