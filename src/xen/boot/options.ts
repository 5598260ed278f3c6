/**
 * Xen's command line, from `/chosen` of the device tree: `xen,xen-bootargs`, or `bootargs` if there is none. What the
 * hardware domain's kernel is told stands in `xen,dom0-bootargs`.
 *
 * | option | default | meaning |
 * |---|---|---|
 * | `iommu=<bool>` | yes | use IOMMUs |
 * | `iommu=[no-]quarantine` | quarantine | a device that its domain loses goes to `dom_io`, not to the hardware domain |
 * | `pci-passthrough=<bool>` | yes | PCI devices can be added, removed and assigned |
 * | `pci-scan=<bool>` | yes | Xen finds PCI devices itself; otherwise it waits to be told of them |
 * | `dom0_mem=<size>[K\|M\|G]` | 64M | RAM of the hardware domain |
 * | `xen-pciback.hide=(<sbdf>)(<sbdf>)…` | none | devices for passthrough: quarantined from the start. Also read from the hardware domain's command line, where administrators write it; the segment may be left out |
 * | `pci-phantom=<sbdf>,<stride>` | none | the device has phantom functions; may be repeated |
 *
 * Later options override earlier ones. Unknown options are ignored, as Xen does.
 */
import type { Sbdf } from '../../hw/machine.js';

/** The options that the model knows. */
export interface BootOptions {
  readonly iommu: boolean;
  readonly quarantine: boolean;
  readonly pciPassthrough: boolean;
  readonly pciScan: boolean;
  /** Bytes. */
  readonly dom0Memory: number;
  readonly hidden: readonly Sbdf[];
  readonly phantoms: readonly { readonly sbdf: Sbdf; readonly stride: number }[];
}

const UNITS: Readonly<Record<string, number>> = { '': 1024, B: 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** Xen's reading of a boolean (xen/common/kernel.c, parse_bool); undefined if it is none. An empty value is true. */
function boolean(value: string): boolean | undefined {
  if (['', 'yes', 'on', 'true', 'enable', '1'].includes(value)) return true;
  if (['no', 'off', 'false', 'disable', '0'].includes(value)) return false;
  return undefined;
}

/** Reads `[ssss:]bb:dd.f`, all digits hexadecimal. Undefined if it is none. */
export function parseSbdf(text: string): Sbdf | undefined {
  const match = /^(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])$/i.exec(text.trim());
  if (match === null) return undefined;
  const [, segment = '0', bus = '0', device = '0', fn = '0'] = match;
  const sbdf = {
    segment: parseInt(segment, 16),
    bus: parseInt(bus, 16),
    device: parseInt(device, 16),
    function: Number(fn),
  };
  return sbdf.device < 32 ? sbdf : undefined;
}

/** Reads command lines, the later ones taking precedence. */
export function parseBootOptions(...lines: readonly string[]): BootOptions {
  let options: BootOptions = {
    iommu: true,
    quarantine: true,
    pciPassthrough: true,
    pciScan: true,
    dom0Memory: 64 * 1024 ** 2,
    hidden: [],
    phantoms: [],
  };
  for (const word of lines.join(' ').split(/\s+/)) {
    const at = word.indexOf('=');
    const name = at < 0 ? word : word.slice(0, at);
    const value = at < 0 ? '' : word.slice(at + 1);
    switch (name) {
      case 'iommu':
        for (const part of value.split(',')) {
          if (part === 'quarantine' || part === 'no-quarantine')
            options = { ...options, quarantine: part === 'quarantine' };
          else options = { ...options, iommu: boolean(part) ?? options.iommu };
        }
        break;
      case 'pci-passthrough':
        options = { ...options, pciPassthrough: boolean(value) ?? options.pciPassthrough };
        break;
      case 'pci-scan':
        options = { ...options, pciScan: boolean(value) ?? options.pciScan };
        break;
      case 'dom0_mem': {
        const match = /^(?:max:)?(\d+)([BKMG]?)$/i.exec(value);
        const unit = UNITS[(match?.[2] ?? '').toUpperCase()];
        if (match !== null && unit !== undefined) options = { ...options, dom0Memory: Number(match[1]) * unit };
        break;
      }
      case 'xen-pciback.hide': {
        const named = [...value.matchAll(/\(([^)]*)\)/g)].map((match) => parseSbdf(match[1] as string));
        options = { ...options, hidden: [...options.hidden, ...named.filter((sbdf) => sbdf !== undefined)] };
        break;
      }
      case 'pci-phantom': {
        const [device = '', stride = ''] = value.split(',');
        const sbdf = parseSbdf(device);
        if (sbdf !== undefined && ['1', '2', '4'].includes(stride)) {
          options = { ...options, phantoms: [...options.phantoms, { sbdf, stride: Number(stride) }] };
        }
        break;
      }
    }
  }
  return options;
}
