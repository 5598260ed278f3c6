/** Which register of an IPMMU is where. */
import type { Field } from '../../bits.js';
import {
  CONTEXT_REGISTER,
  CONTROL_REGISTER,
  contextRegister,
  GENERATION,
  type Generation,
  MICRO_TLB,
  microTlbRegister,
} from './layout.js';

/** The bits of fields of one word. */
export function bits(...fields: readonly Field[]): number {
  return fields.reduce((all, { mask, shift }) => all | (mask << shift), 0) >>> 0;
}

/** Registers that each context of a main instance has beside IMCTR. IMBUSCR is of Gen2. */
const CONTEXT_NAMES = ['IMTTBCR', 'IMTTLBR0', 'IMTTUBR0', 'IMSTR', 'IMMAIR0', 'IMELAR', 'IMEUAR'] as const;
/** One of them. */
export type ContextRegister = (typeof CONTEXT_NAMES)[number];

/** A register, and of which context or micro-TLB it is; 0 for those of the instance. */
export interface RegisterPlace {
  readonly name: ContextRegister | 'IMCTR' | 'IMUCTR' | 'IMUASID' | 'IMSCTLR' | 'IMSAUXCTLR';
  readonly index: number;
}

/** Every register of an instance by its offset. */
export type RegisterMap = ReadonlyMap<number, RegisterPlace>;

function mapOf(generation: Generation): RegisterMap {
  const features = GENERATION[generation];
  const places = new Map<number, RegisterPlace>();
  for (let index = 0; index < features.contexts; index++) {
    for (const name of ['IMCTR', ...CONTEXT_NAMES] as const) {
      places.set(contextRegister(features, index, CONTEXT_REGISTER[name]), { name, index });
    }
  }
  for (let index = 0; index < features.microTlbs; index++) {
    places.set(microTlbRegister(features, index, MICRO_TLB.IMUCTR), { name: 'IMUCTR', index });
    places.set(microTlbRegister(features, index, MICRO_TLB.IMUASID), { name: 'IMUASID', index });
  }
  for (const name of ['IMSCTLR', 'IMSAUXCTLR'] as const) {
    places.set(features.controlBase + CONTROL_REGISTER[name], { name, index: 0 });
  }
  return places;
}

/** The register maps of the generations. */
export const REGISTER_MAPS: Readonly<Record<Generation, RegisterMap>> = { gen3: mapOf('gen3'), gen4: mapOf('gen4') };
