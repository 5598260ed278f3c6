/** Steps of physical interrupts: what Xen knows of each, who has it, what happens when one is taken. */
import { handleLpi } from '../its/lpis.js';
import { callOn, runCalls } from './calls.js';
import { descriptor, discoverTypes, setType } from './descriptor.js';
import { handle, handleForGuest, handleForXen, handleOne, handleSgi, handleUnexpected, maintenance } from './handle.js';
import {
  bindSpi,
  connect,
  disconnect,
  isPermitted,
  permit,
  releaseAll,
  releaseFromGuest,
  routeToGuest,
  unbindSpi,
} from './route.js';
import { requestForXen, setup } from './setup.js';

export const irqSteps = {
  setup,
  discoverTypes,
  descriptor,
  setType,
  requestForXen,
  handle,
  handleOne,
  handleSgi,
  handleLpi,
  handleForXen,
  handleForGuest,
  handleUnexpected,
  maintenance,
  callOn,
  runCalls,
  isPermitted,
  routeToGuest,
  connect,
  releaseFromGuest,
  disconnect,
  releaseAll,
  bindSpi,
  unbindSpi,
  permit,
} as const;
