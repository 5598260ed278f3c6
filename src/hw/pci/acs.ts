/**
 * Access Control Services: whether requests between functions pass the root complex, where an IOMMU sees them.
 *
 * PCI Express Base Specification 7.7.8 (registers), 6.12.1 (what the services do). What a request meets on its way is in
 * `routing.ts`.
 *
 * Not modelled: egress control (its capability bit is 0), the enhanced services of later revisions, and any effect of
 * completion redirect: completions here are the answer to a request, not routed on their own. The bit can be set.
 */
import { ACS, ACS_BITS, EXTENDED_CAPABILITY } from './capabilities-layout.js';
import { field, word } from './capability.js';
import type { ConfigSpace } from './config-space.js';

/** Services of a root port or of a downstream port of a switch (6.12.1.1). */
const PORT_SERVICES = word(ACS_BITS, {
  SOURCE_VALIDATION: 1,
  TRANSLATION_BLOCKING: 1,
  REQUEST_REDIRECT: 1,
  COMPLETION_REDIRECT: 1,
  UPSTREAM_FORWARDING: 1,
  DIRECT_TRANSLATED: 1,
});
/** Services of a function of a multi-function device, or of one with SR-IOV (6.12.1.2). */
const FUNCTION_SERVICES = word(ACS_BITS, { REQUEST_REDIRECT: 1, COMPLETION_REDIRECT: 1, DIRECT_TRANSLATED: 1 });

/** The ACS capability of a function. Its state is its configuration registers. */
export class AcsCapability {
  readonly #config: ConfigSpace;
  readonly #control: number;

  constructor(config: ConfigSpace, isPort: boolean) {
    const services = isPort ? PORT_SERVICES : FUNCTION_SERVICES;
    const at = config.addExtendedCapability(EXTENDED_CAPABILITY.ACS, 1, ACS.BYTES);
    config.define(at + ACS.CAPABILITY, 2, { reset: services });
    config.define(at + ACS.CONTROL, 2, { writable: services });
    this.#config = config;
    this.#control = at + ACS.CONTROL;
  }

  /** Whether a service is enabled. */
  has(service: keyof typeof ACS_BITS): boolean {
    return field(this.#config.read(this.#control, 2), ACS_BITS[service]) === 1;
  }
}
