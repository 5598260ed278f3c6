/** Steps of booting. */
import { installVector, start } from './boot.js';
import {
  countCpus,
  discoverPlatform,
  findHostBridges,
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
  setupHeap,
  installVector,
} as const;
