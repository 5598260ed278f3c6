/** Steps of domains. */
import { hardwareIomem } from '../boot/platform.js';
import { parseDomainConfig } from '../domain-config.js';
import { claimOf, claims } from './claims.js';
import {
  allocateDomid,
  allocateHardwareRam,
  allocateRamChunk,
  assignDevices,
  buildDomain,
  checkDevices,
  checkMemory,
  createDomain,
  createHardwareDomain,
  denyIomem,
  isAssignableIomem,
  mapRegion,
  mapRegions,
  permitIomem,
  populateRam,
  protectRam,
  rollback,
} from './create.js';
import { destroyDomain, relinquish, relinquishMemory } from './destroy.js';
import { deschedule, hcr, pickCpu, restoreState, schedule, setupCpus } from './schedule.js';

export const domainSteps = {
  create: createDomain,
  parseConfig: parseDomainConfig,
  createHardwareDomain,
  allocateHardwareRam,
  hardwareIomem,
  allocateDomid,
  checkDevices,
  checkMemory,
  build: buildDomain,
  populateRam,
  allocateRamChunk,
  protectRam,
  isAssignableIomem,
  permitIomem,
  denyIomem,
  mapRegion,
  mapRegions,
  assignDevices,
  rollback,
  destroy: destroyDomain,
  relinquish,
  relinquishMemory,
  setupCpus,
  hcr,
  restoreState,
  pickCpu,
  schedule,
  deschedule,
  claims,
  claimOf,
} as const;
