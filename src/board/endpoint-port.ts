/** DMA on command of a check, by the address of the endpoint. */
import {
  type DmaCommand,
  type DmaResult,
  type Endpoint,
  type EndpointPort,
  formatSbdf,
  type Sbdf,
  type SignalResult,
} from '../hw/machine.js';
import type { DmaDevice } from '../hw/pci/dma-device.js';
import type { PciFunction } from '../hw/pci/pci-function.js';
import type { RootComplex } from '../hw/pci/root-complex.js';

/** {@link EndpointPort} over the endpoints of all segments. */
export class BoardEndpoints implements EndpointPort {
  readonly #rootComplexes: readonly RootComplex[];
  readonly #endpoints: ReadonlyMap<PciFunction, DmaDevice>;

  constructor(rootComplexes: readonly RootComplex[], endpoints: ReadonlyMap<PciFunction, DmaDevice>) {
    this.#rootComplexes = rootComplexes;
    this.#endpoints = endpoints;
  }

  get list(): readonly { readonly name: string; readonly endpoint: Endpoint }[] {
    return this.#rootComplexes
      .flatMap((rootComplex) => [...rootComplex.functions()])
      .filter(({ fn }) => this.#endpoints.has(fn))
      .map(({ sbdf }) => ({ name: formatSbdf(sbdf), endpoint: sbdf }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #find(sbdf: Endpoint): DmaDevice {
    if (typeof sbdf === 'string') throw new RangeError(`there is no platform device ${sbdf}`);
    const devfn = (sbdf.device << 3) | sbdf.function;
    const rootComplex = this.#rootComplexes.find((r) => r.options.segment === sbdf.segment);
    const fn = rootComplex?.bus.find(sbdf.bus, rootComplex.options.firstBus)?.function(devfn);
    const endpoint = fn && this.#endpoints.get(fn);
    if (endpoint !== undefined && fn?.devfn === devfn) return endpoint;
    const known = this.list.map((e) => e.name).join(', ');
    throw new RangeError(`no endpoint ${formatSbdf(sbdf)} takes commands; these do: ${known}`);
  }

  dma(sbdf: Endpoint, command: DmaCommand): DmaResult {
    return this.#find(sbdf).run(command);
  }

  start(sbdf: Endpoint, command: DmaCommand): () => DmaResult | undefined {
    return this.#find(sbdf).start(command);
  }

  signal(_endpoint: Endpoint, _vector: number): SignalResult {
    return 'disabled';
  }

  setLine(_endpoint: Endpoint, _index: number, _level: boolean): void {}

  unplug(_sbdf: Sbdf): void {}

  plug(_sbdf: Sbdf): void {}
}
