/**
 * Interrupts of an SMMUv3 (Arm IHI 0070 3.18, 6.3.16): the event queue has become non-empty, a global error has become
 * active. Wires are named by `interrupt-names` (Linux arm,smmu-v3.yaml): `eventq`, `gerror`, `combined`. `cmdq-sync` is not
 * asked for, a SYNC is waited for by CONS; `priq` neither, there is no page request queue.
 */
import { DeviceTreeError } from '../../../firmware/tree.js';
import { encode, putAddress } from '../../../hw/bits.js';
import { IRQ_CFG0, IRQ_CFG2, IRQ_CTRL, REGISTER } from '../../../hw/iommu/smmuv3/layout.js';
import type { XenMessage } from '../../its/devices.js';
import { print, type Smmu, type Xen } from '../../xen.js';

/** Something that an SMMU interrupts for. */
export type SmmuInterrupt = 'eventq' | 'gerror';

/** What Xen does when an SMMU interrupts. */
export function handleInterrupt(xen: Xen, smmu: Smmu, source: SmmuInterrupt): void {
  if (source === 'eventq') xen.steps.smmuv3.drainEvents(xen, smmu);
  else xen.steps.smmuv3.handleGlobalErrors(xen, smmu);
}

/** The sources of each wire of an SMMU, by the position of the wire in its node. */
export function wiredSources(_xen: Xen, smmu: Smmu): readonly (readonly SmmuInterrupt[])[] {
  return (smmu.node.strings('interrupt-names') ?? []).map((name): SmmuInterrupt[] => {
    if (name === 'combined') return ['eventq', 'gerror'];
    return name === 'eventq' || name === 'gerror' ? [name] : [];
  });
}

/**
 * Asks for the wired interrupts of an SMMU.
 * @returns the sources that have a handler now. Whatever is missing is noticed when Xen is next entered
 */
export function requestWired(xen: Xen, smmu: Smmu): Set<SmmuInterrupt> {
  const served = new Set<SmmuInterrupt>();
  try {
    const wires = xen.steps.dt.readInterrupts(xen, smmu.node);
    xen.steps.smmuv3.wiredSources(xen, smmu).forEach((sources, index) => {
      const wire = wires[index];
      if (wire === undefined || sources.length === 0) return;
      const error = xen.steps.irq.requestForXen(xen, wire.irq, wire.type, (state) => {
        for (const source of sources) state.steps.smmuv3.handleInterrupt(state, smmu, source);
      });
      if (error === 0) for (const source of sources) served.add(source);
      else print(xen, `SMMUv3 ${smmu.node.path}: interrupt ${wire.irq} cannot be had (${error})`);
    });
  } catch (error) {
    if (!(error instanceof DeviceTreeError)) throw error;
    print(xen, `SMMUv3 ${error.message}`);
  }
  return served;
}

/** Lets an SMMU interrupt for these sources and no others (6.3.16, 6.3.17). Returns 0 or -EIO. */
export function enableInterrupts(xen: Xen, smmu: Smmu, sources: ReadonlySet<SmmuInterrupt>): number {
  const { writeRegister, poll } = xen.steps.smmuv3;
  const value = encode(IRQ_CTRL, 32, {
    EVENTQ: sources.has('eventq') ? 1 : 0,
    GERROR: sources.has('gerror') ? 1 : 0,
  })[0] as number;
  writeRegister(xen, smmu, REGISTER.IRQ_CTRL, value);
  return poll(xen, smmu, REGISTER.IRQ_CTRLACK, (ack) => ack === value);
}

/**
 * Makes sure that an SMMU sends no messages: where they go is unknown after reset (6.3.19), and whatever stands there would
 * be written to. An address of 0 means none.
 */
export function clearMessages(xen: Xen, smmu: Smmu): void {
  if (!smmu.features.msi) return;
  for (const register of [REGISTER.EVENTQ_IRQ_CFG0, REGISTER.GERROR_IRQ_CFG0]) {
    xen.steps.smmuv3.writeRegister64(xen, smmu, register, new Uint32Array(2));
  }
}

/** Where the messages of each source are set up (6.3.19, 6.3.29): address, data, attributes. */
const MESSAGE_REGISTERS = {
  eventq: { address: REGISTER.EVENTQ_IRQ_CFG0, data: REGISTER.EVENTQ_IRQ_CFG1, attributes: REGISTER.EVENTQ_IRQ_CFG2 },
  gerror: { address: REGISTER.GERROR_IRQ_CFG0, data: REGISTER.GERROR_IRQ_CFG1, attributes: REGISTER.GERROR_IRQ_CFG2 },
} as const;
/** Device-nGnRE, as IRQ_CFG2.MEMATTR encodes it. */
const DEVICE_NGNRE = 1;

/**
 * Asks for messages of an SMMU that can send them, to the translation service that its node names in `msi-parent`.
 * @returns the sources that have a handler now, of those asked for
 */
export function requestMessages(xen: Xen, smmu: Smmu, sources: readonly SmmuInterrupt[]): Set<SmmuInterrupt> {
  const served = new Set<SmmuInterrupt>();
  if (!smmu.features.msi || !smmu.node.has('msi-parent')) return served;
  for (const source of sources) {
    const message = xen.steps.its.allocateForXen(xen, smmu.node, (state) => {
      state.steps.smmuv3.handleInterrupt(state, smmu, source);
    });
    if (typeof message === 'number') {
      print(xen, `SMMUv3 ${smmu.node.path}: no message for ${source} (${message})`);
      continue;
    }
    xen.steps.smmuv3.writeMessage(xen, smmu, source, message);
    served.add(source);
  }
  return served;
}

/** Tells an SMMU what to write, and where, for a source. */
export function writeMessage(xen: Xen, smmu: Smmu, source: SmmuInterrupt, message: XenMessage): void {
  const { writeRegister, writeRegister64 } = xen.steps.smmuv3;
  const registers = MESSAGE_REGISTERS[source];
  const address = new Uint32Array(2);
  putAddress(address, IRQ_CFG0.ADDR, message.address);
  writeRegister64(xen, smmu, registers.address, address);
  writeRegister(xen, smmu, registers.data, message.data);
  writeRegister(xen, smmu, registers.attributes, encode(IRQ_CFG2, 32, { MEMATTR: DEVICE_NGNRE })[0] as number);
}

/**
 * Routes the interrupts of an SMMU to Xen, beginning with none: where they go is changed only while they are off (6.3.16).
 * What has no wire is sent as a message, if it can be.
 * @returns 0 or -EIO
 */
export function setupInterrupts(xen: Xen, smmu: Smmu): number {
  const { clearMessages, enableInterrupts, requestMessages, requestWired } = xen.steps.smmuv3;
  const error = enableInterrupts(xen, smmu, new Set());
  if (error !== 0) return error;
  clearMessages(xen, smmu);
  const wired = requestWired(xen, smmu);
  const others = (['eventq', 'gerror'] as const).filter((source) => !wired.has(source));
  const sent = requestMessages(xen, smmu, others);
  return enableInterrupts(xen, smmu, new Set([...wired, ...sent]));
}
