/** Steps of booting. */
import { installVector, start } from './boot.js';
import {
  countCpus,
  discoverPlatform,
  findHostBridges,
  findIomem,
  findMemory,
  findReserved,
  readDeviceTree,
  readOptions,
  setupHeap,
} from './platform.js';

export const bootSteps = {
  start,
  readDeviceTree,
  readOptions,
  discoverPlatform,
  findMemory,
  findReserved,
  countCpus,
  findHostBridges,
  findIomem,
  setupHeap,
  installVector,
} as const;
