/** DMA and interrupts on command of a check, by the address of a PCI function or the path of a platform device. */
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
import type { PlatformDevice } from '../hw/platform/platform-device.js';

/** The devices of a machine that take commands. */
export interface CommandedDevices {
  readonly rootComplexes: readonly RootComplex[];
  readonly endpoints: ReadonlyMap<PciFunction, DmaDevice>;
  readonly platformDevices: ReadonlyMap<string, PlatformDevice>;
}

/** {@link EndpointPort} over the endpoints of all segments, and the platform devices. */
export class BoardEndpoints implements EndpointPort {
  readonly #devices: CommandedDevices;

  constructor(devices: CommandedDevices) {
    this.#devices = devices;
  }

  get list(): readonly { readonly name: string; readonly endpoint: Endpoint }[] {
    const { rootComplexes, endpoints, platformDevices } = this.#devices;
    const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1);
    const functions = rootComplexes
      .flatMap((rootComplex) => [...rootComplex.functions()])
      .filter(({ fn }) => endpoints.has(fn))
      .map(({ sbdf }) => ({ name: formatSbdf(sbdf), endpoint: sbdf }))
      .sort(byName);
    const devices = [...platformDevices.values()]
      .filter((device) => device.hasDma || device.lineCount > 0)
      .map(({ name }) => ({ name, endpoint: name }))
      .sort(byName);
    return [...functions, ...devices];
  }

  #find(endpoint: Endpoint): DmaDevice | PlatformDevice {
    const found = typeof endpoint === 'string' ? this.#devices.platformDevices.get(endpoint) : this.#function(endpoint);
    if (found !== undefined) return found;
    const name = typeof endpoint === 'string' ? endpoint : formatSbdf(endpoint);
    const known = this.list.map((e) => e.name).join(', ');
    throw new RangeError(`no endpoint ${name} takes commands; these do: ${known}`);
  }

  #function(sbdf: Sbdf): DmaDevice | undefined {
    const devfn = (sbdf.device << 3) | sbdf.function;
    const rootComplex = this.#rootComplex(sbdf);
    const fn = rootComplex?.bus.find(sbdf.bus, rootComplex.options.firstBus)?.function(devfn);
    return fn?.devfn === devfn ? this.#devices.endpoints.get(fn) : undefined;
  }

  #rootComplex({ segment }: Sbdf): RootComplex | undefined {
    return this.#devices.rootComplexes.find((rootComplex) => rootComplex.options.segment === segment);
  }

  dma(endpoint: Endpoint, command: DmaCommand): DmaResult {
    return this.#find(endpoint).run(command);
  }

  start(endpoint: Endpoint, command: DmaCommand): () => DmaResult | undefined {
    return this.#find(endpoint).start(command);
  }

  signal(endpoint: Endpoint, vector: number): SignalResult {
    const device = this.#find(endpoint);
    return 'signal' in device ? device.signal(vector) : 'disabled';
  }

  setLine(endpoint: Endpoint, index: number, level: boolean): void {
    const device = this.#find(endpoint);
    if (!('setIntx' in device)) device.setLine(index, level);
    else if (index === 0) device.setIntx(level);
    else throw new RangeError(`a PCI function has one wired interrupt, and none of index ${index}`);
  }

  unplug(sbdf: Sbdf): void {
    const { rootComplex, fn } = this.#slot(sbdf);
    rootComplex.unplug(fn);
  }

  plug(sbdf: Sbdf): void {
    const { rootComplex, fn } = this.#slot(sbdf);
    rootComplex.plug(fn);
  }

  #slot(sbdf: Sbdf): { readonly rootComplex: RootComplex; readonly fn: PciFunction } {
    const rootComplex = this.#rootComplex(sbdf);
    const fn = rootComplex?.slot(sbdf);
    if (rootComplex === undefined || fn === undefined) {
      throw new RangeError(`no slot of a function has the address ${formatSbdf(sbdf)}`);
    }
    return { rootComplex, fn };
  }
}
