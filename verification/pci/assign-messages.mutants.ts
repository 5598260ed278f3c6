/** Mistakes in the assignment of PCI devices: messages. */
import { requesterId } from '../../src/hw/machine.js';
import { mutant } from '../bench.js';

const VIOLATES = { violates: ['XenSwdgn~passthrough_support_assign_pci_devs~1'] };

mutant('a device is assigned, and its messages go nowhere', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    assignDevice: (state, domain, device, deviceId) =>
      domain.domid === 0 ? xen.vits.assignDevice(state, domain, device, deviceId) : 0,
  },
}));

mutant(
  'messages of a device are looked for under its requester id, wherever its segment has them',
  VIOLATES,
  (xen) => ({
    ...xen,
    its: {
      ...xen.its,
      deviceIdOf: (state, device) => {
        const found = xen.its.deviceIdOf(state, device);
        return typeof found === 'object' ? { ...found, deviceId: requesterId(device.sbdf) } : found;
      },
    },
  }),
);

mutant('all devices of a domain are in slot 0', VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    assignVirtualSbdf: (state, domain, device) => {
      const found = xen.vpci.assignVirtualSbdf(state, domain, device);
      return domain.domid === 0 || found === undefined ? found : { ...found, device: 0 };
    },
  },
}));

mutant('a device comes with its messages as its old owner had them', VIOLATES, (xen) => ({
  ...xen,
  vpci: { ...xen.vpci, quiesce: () => {} },
}));

mutant('the old owner goes on seeing a device that is assigned', VIOLATES, (xen) => ({
  ...xen,
  vpci: {
    ...xen.vpci,
    findDevice: (state, domain, sbdf) => {
      const found = xen.vpci.findDevice(state, domain, sbdf);
      if (found !== undefined || domain.domid !== 0) return found;
      const device = state.steps.pci.findDevice(state, sbdf);
      return device?.vpci === undefined ? undefined : device;
    },
  },
}));

mutant('the DeviceID that a guest has for a device is taken for the one at the machine', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    hostLpiOf: (state, event) => {
      const { device } = event;
      const { its } = device.host;
      if (device.vits.domain.domid === 0) return xen.vits.hostLpiOf(state, event);
      return its.devices.get(device.deviceId)?.lpis[event.event];
    },
  },
}));

mutant('the old owner keeps the interrupts of a device that is assigned', VIOLATES, (xen) => ({
  ...xen,
  vits: {
    ...xen.vits,
    removeDevice: (state, domain, device) => (domain.domid === 0 ? 0 : xen.vits.removeDevice(state, domain, device)),
  },
}));
