/**
 * What an SMMUv3 reports: events of the event queue, and global errors (Arm IHI 0070, chapter 7). Xen looks when it is
 * interrupted, and whenever it is entered.
 */
import { hex } from '../../../hw/address.js';
import { get, getAddress, put } from '../../../hw/bits.js';
import { EVENT, EVENT_BYTES, EVENT_ID, GERROR, QUEUE_INDEX, REGISTER } from '../../../hw/iommu/smmuv3/layout.js';
import { wordsOf } from '../../abi.js';
import { print, type Smmu, type Xen } from '../../xen.js';
import { advance, entryAt } from './queues.js';

/** Name of an event. */
function eventName(id: number): string {
  for (const [name, number] of Object.entries(EVENT_ID)) if (number === id) return name;
  return `event ${hex(id)}`;
}

/** Prints what a record says. */
export function logEvent(xen: Xen, smmu: Smmu, record: Uint32Array): void {
  const name = eventName(get(record, EVENT.ID));
  const address = hex(get(record, EVENT.INPUT_ADDR_HI), get(record, EVENT.INPUT_ADDR_LO));
  const access = get(record, EVENT.RNW) === 1 ? 'read' : 'write';
  const stage2 = get(record, EVENT.S2) === 1 ? `, IPA ${hex(getAddress(record, EVENT.IPA))}` : '';
  print(xen, `SMMUv3 ${smmu.node.path}: ${name} stream ${hex(get(record, EVENT.SID))} ${access} ${address}${stage2}`);
}

/**
 * Takes the records of the event queue, at most as many as it holds, prints them, and acknowledges an overflow.
 * @returns how many there were
 */
export function drainEvents(xen: Xen, smmu: Smmu): number {
  const queue = smmu.eventQueue;
  const { readRegister, writeRegister, logEvent } = xen.steps.smmuv3;
  const prod = Uint32Array.of(readRegister(xen, smmu, REGISTER.EVENTQ_PROD));
  const overflow = get(prod, QUEUE_INDEX.OVERFLOW);
  const end = get(prod, QUEUE_INDEX.INDEX) % 2 ** (queue.log2Size + 1);
  const cons = Uint32Array.of(readRegister(xen, smmu, REGISTER.EVENTQ_CONS));
  const lost = overflow !== get(cons, QUEUE_INDEX.OVERFLOW);
  let count = 0;
  while (queue.cons !== end && count < 2 ** queue.log2Size) {
    logEvent(xen, smmu, wordsOf(xen.machine.memory.read(entryAt(queue, queue.cons, EVENT_BYTES), EVENT_BYTES)));
    queue.cons = advance(queue, queue.cons);
    count++;
  }
  if (lost) print(xen, `SMMUv3 ${smmu.node.path}: events were lost`);
  if (count > 0 || lost) {
    put(cons, QUEUE_INDEX.INDEX, queue.cons);
    put(cons, QUEUE_INDEX.OVERFLOW, overflow);
    writeRegister(xen, smmu, REGISTER.EVENTQ_CONS, cons[0] as number);
  }
  return count;
}

/** Prints and acknowledges global errors. Errors of commands are dealt with where the command is waited for. */
export function handleGlobalErrors(xen: Xen, smmu: Smmu): void {
  const { readRegister, writeRegister } = xen.steps.smmuv3;
  const gerror = Uint32Array.of(readRegister(xen, smmu, REGISTER.GERROR));
  const gerrorn = Uint32Array.of(readRegister(xen, smmu, REGISTER.GERRORN));
  const names: string[] = [];
  for (const [name, field] of Object.entries(GERROR)) {
    if (name === 'CMDQ_ERR' || get(gerror, field) === get(gerrorn, field)) continue;
    names.push(name);
    put(gerrorn, field, get(gerror, field));
  }
  if (names.length === 0) return;
  print(xen, `SMMUv3 ${smmu.node.path}: ${names.join(', ')}`);
  writeRegister(xen, smmu, REGISTER.GERRORN, gerrorn[0] as number);
}

/** Takes what an SMMU has to report. */
export function service(xen: Xen, smmu: Smmu): void {
  xen.steps.smmuv3.drainEvents(xen, smmu);
  xen.steps.smmuv3.handleGlobalErrors(xen, smmu);
}
