/** Steps of hypercalls and traps. */
import { dispatch, isPrivileged } from './dispatch.js';
import {
  assignDevice,
  deassignDevice,
  destroyDomain,
  operation as domctl,
  getDeviceGroup,
  iomemPermission,
  iommuEnabled,
  memoryMapping,
  target,
  testAssignDevice,
} from './domctl.js';
import { assignDtDevice, deassignDtDevice, namedDevice, testAssignDtDevice } from './domctl-dt.js';
import { bindPtIrq, irqPermission, unbindPtIrq } from './domctl-irq.js';
import { copyFromGuest, copyToGuest, translate } from './guest-access.js';
import { decreaseReservation, operation as memory } from './memory.js';
import { isEnabled, pciDeviceAdd, pciDeviceRemove, operation as physdev } from './physdev.js';
import { abort, emulate, handle, hvc, systemRegister } from './trap.js';

export const hypercallSteps = { dispatch, isPrivileged, translate, copyFromGuest, copyToGuest } as const;

export const physdevSteps = { operation: physdev, isEnabled, pciDeviceAdd, pciDeviceRemove } as const;

export const memorySteps = { operation: memory, decreaseReservation } as const;

export const domctlSteps = {
  operation: domctl,
  target,
  iommuEnabled,
  testAssignDevice,
  assignDevice,
  deassignDevice,
  namedDevice,
  testAssignDtDevice,
  assignDtDevice,
  deassignDtDevice,
  getDeviceGroup,
  iomemPermission,
  memoryMapping,
  irqPermission,
  bindPtIrq,
  unbindPtIrq,
  destroyDomain,
} as const;

export const trapSteps = { handle, hvc, systemRegister, emulate, abort } as const;
