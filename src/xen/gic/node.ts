/** What the nodes of interrupt controllers say (Linux bindings arm,gic and arm,gic-v3). */
import type { DeviceNode } from '../../firmware/tree.js';
import type { ByteSpan } from '../xen.js';
import { FIRST_PPI, FIRST_SPI } from './driver.js';

/** The maintenance interrupt where a node names none: the PPI that the Base System Architecture gives it. */
const MAINTENANCE = 25;
/** Kind of a PPI in the first cell of a specifier. */
const PPI = 1;

/** Registers of a controller, in the order of `reg`. */
export function regionsOf(node: DeviceNode): ByteSpan[] {
  return node.reg().flatMap(({ address, size }) => {
    const translated = node.translate(address);
    return translated === undefined ? [] : [{ address: translated, size }];
  });
}

/** The PPI that a controller's node names as its maintenance interrupt. */
export function maintenanceOf(node: DeviceNode): number {
  const [kind, number] = node.cells('interrupts') ?? [];
  return kind === PPI && number !== undefined && number < FIRST_SPI - FIRST_PPI ? FIRST_PPI + number : MAINTENANCE;
}
