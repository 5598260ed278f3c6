/** Steps of platform devices: finding, owning, assigning them. */
import {
  assignDevice,
  deassignDevice,
  releaseDevice,
  releaseDevices,
  releaseInterrupts,
  setOwner,
  unmapRegions,
} from './dt-assign.js';
import { readInterrupts, readRegions, readStreams } from './dt-properties.js';
import {
  describe,
  findDevice,
  findNode,
  findNodes,
  giveToHardwareDomain,
  isApart,
  refuseOverlaps,
  setup,
  setupHardwareDomain,
} from './dt-setup.js';
import { matesOfDt, sharesInterrupt, sharesPage, sharesResources } from './groups.js';

export const dtSteps = {
  setup,
  findNodes,
  isApart,
  describe,
  readRegions,
  readInterrupts,
  readStreams,
  refuseOverlaps,
  setupHardwareDomain,
  giveToHardwareDomain,
  findNode,
  findDevice,
  setOwner,
  assignDevice,
  deassignDevice,
  releaseDevice,
  releaseInterrupts,
  unmapRegions,
  releaseDevices,
  mates: matesOfDt,
  sharesInterrupt,
  sharesPage,
  sharesResources,
} as const;
