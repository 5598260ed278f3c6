/** Steps of domains as device trees describe them: passthrough devices, static memory, the trees that domains find. */
import { createDomains } from './domains.js';
import { guestTree } from './guest-tree.js';
import { hardwareTree } from './hardware-tree.js';
import { readModule } from './module.js';
import {
  assignPlatformDevice,
  assignUnprotected,
  checkPathless,
  isDmaCapable,
  isOthers,
  liesWithin,
  passThrough,
  passThroughAll,
  routeInterrupts,
  unwindDevices,
} from './passthrough.js';
import { placeTree, writeRam } from './place-tree.js';
import { acquireBanks, bankRuns, findStaticBanks, mapBanks, releaseChosenBanks, takeBanks } from './static-memory.js';

export const dom0lessSteps = {
  createDomains,
  readModule,
  findStaticBanks,
  releaseBanks: releaseChosenBanks,
  acquireBanks,
  bankRuns,
  takeBanks,
  mapBanks,
  passThroughAll,
  passThrough,
  checkPathless,
  isOthers,
  liesWithin,
  routeInterrupts,
  assignDevice: assignPlatformDevice,
  isDmaCapable,
  assignUnprotected,
  unwindDevices,
  guestTree,
  hardwareTree,
  placeTree,
  writeRam,
} as const;
