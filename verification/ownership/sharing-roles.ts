/** Devices of the boards that have something in common, by hand from the board files. */
import type { PciRole, PlatformRole } from '../devices.js';
import type { PassthroughBench } from '../passthrough-bench.js';

/** Two platform devices. The first is behind an IOMMU where one of them is. */
export type Pair = readonly [PlatformRole, PlatformRole];

/** Who shares what. */
export interface Sharing {
  readonly stream: Pair;
  readonly line: Pair;
  /** Registers of both are in one page. */
  readonly registers: Pair;
  /** PCI functions that reach each other around the IOMMU, or that it cannot tell apart; the hardware domain's from boot. */
  readonly aliases: readonly (readonly [PciRole, PciRole])[];
  /** PCI functions that have base address registers 2 in one page, as far as the board has such; as above. */
  readonly page: readonly [PciRole, PciRole] | undefined;
  /** PCI functions of one device that access control services keep apart, as far as the board has such; as above. */
  readonly apart: readonly [PciRole, PciRole] | undefined;
}

const SMMU = 0x0905_0000;
const SECOND_SMMU = 0x0907_0000;
const DS0 = 0xe674_0000;

function pci(bus: number, device: number, fn: number, ...ids: readonly number[]): PciRole {
  const streams = ids.map((id) => ({ iommu: SMMU, id }));
  return { segment: 0, bus, device, function: fn, streamId: ids[0] ?? 0, streams };
}

function platform(path: string, iommu: number, ...ids: readonly number[]): PlatformRole {
  return { path, streams: ids.map((id) => ({ iommu, id })) };
}

const soc = (name: string, iommu = SMMU, ...ids: readonly number[]) => platform(`/soc@a000000/${name}`, iommu, ...ids);
/** Two functions of one device without access control services. */
const FUNCTIONS = [pci(0, 3, 0, 0x18), pci(0, 3, 5, 0x1d)] as const;
const PAGE_OF_TWO = [soc('switch@93000'), soc('switch@93800')] as const;

const SHARING: Readonly<Record<string, Sharing>> = {
  'arm64-smmuv3': {
    stream: [soc('dma-controller@60000', SMMU, 0x10040), soc('dma-controller@61000', SMMU, 0x10040)],
    line: [soc('audio@70000', SMMU, 0x10050), soc('keypad@71000')],
    registers: PAGE_OF_TWO,
    aliases: [FUNCTIONS],
    page: undefined,
    apart: undefined,
  },
  'arm64-smmuv3-dual': {
    stream: [soc('dma-controller@62000', SMMU, 0x10070), soc('dma-controller@63000', SMMU, 0x10070)],
    line: [soc('audio@70000', SECOND_SMMU, 0x10050), soc('keypad@71000')],
    registers: PAGE_OF_TWO,
    // Both of the second pair make requests as 08:00.0.
    aliases: [FUNCTIONS, [pci(8, 0, 0, 0x800), pci(8, 1, 0, 0x800)]],
    page: [pci(0, 0xb, 0, 0x58), pci(0, 0xc, 0, 0x60)],
    apart: [pci(0, 9, 0, 0x48), pci(0, 9, 1, 0x49)],
  },
  'arm64-ipmmu': {
    stream: [platform('/soc/dma-controller@e6700000', DS0, 0), platform('/soc/dma-controller@e6710000', DS0, 0)],
    line: [platform('/soc/audio@ec500000', DS0, 20), platform('/soc/keypad@e6070000', DS0)],
    registers: [platform('/soc/switch@e6190000', DS0), platform('/soc/switch@e6190800', DS0)],
    aliases: [],
    page: undefined,
    apart: undefined,
  },
};

/** Who shares what on the bench's board. */
export function sharingOf({ machine: { name } }: PassthroughBench): Sharing {
  const sharing = SHARING[name];
  if (sharing === undefined) throw new Error(`nothing is written down of what devices of ${name} share`);
  return sharing;
}
