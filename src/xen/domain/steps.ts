/** Steps of domains. */
import { hardwareIomem } from '../boot/platform.js';
import { parseDomainConfig, readDomainConfig } from '../domain-config.js';
import { claimOf, claims } from './claims.js';
import {
  allocateDomid,
  assignDevices,
  buildDomain,
  checkDevices,
  construct,
  createDomain,
  createFromNode,
  createHardwareDomain,
  rollback,
} from './create.js';
import { destroyDomain, relinquish, relinquishMemory } from './destroy.js';
import { denyIomem, isAssignableIomem, isEmulated, mapRegion, mapRegions, permitIomem } from './iomem.js';
import {
  allocateHardwareRam,
  allocateMemory,
  allocateRamChunk,
  checkMemory,
  populateRam,
  protectRam,
} from './memory.js';
import { deschedule, hcr, pickCpu, restoreState, schedule, setupCpus } from './schedule.js';

export const domainSteps = {
  create: createDomain,
  createFromNode,
  parseConfig: parseDomainConfig,
  readConfig: readDomainConfig,
  construct,
  createHardwareDomain,
  allocateHardwareRam,
  hardwareIomem,
  allocateDomid,
  checkDevices,
  checkMemory,
  build: buildDomain,
  allocateMemory,
  populateRam,
  allocateRamChunk,
  protectRam,
  isAssignableIomem,
  isEmulated,
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
