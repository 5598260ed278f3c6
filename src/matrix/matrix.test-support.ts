/** Short forms of the data that matrices are made from, for tests. */
import type { Diagnostic, Place } from '../core/diagnostic.js';
import type { CheckDeclaration, Matrix, MatrixColumn, MutantDeclaration } from '../core/matrix.js';
import type { ResultRecord } from '../core/record.js';
import { items } from '../trace/items.test-support.js';
import { linkItems } from '../trace/linker.js';
import { bindChecks } from './bind.js';
import { foldMatrix, type MatrixInput } from './matrix.js';

export const OBJECT = 'reference model 3f2a91c04d5e6f70';

/** A column of the bundled object. */
export function column(platform: string): MatrixColumn {
  return {
    key: platform,
    platform,
    object: OBJECT,
    hypervisor: 'xen model',
    machine: platform,
    digests: { model: '3f2a91c' },
  };
}

/** A place in a check file. */
export function at(line: number): Place {
  return { path: 'checks/lamp.check.ts', line, column: 1, offset: line * 40 };
}

/** A check of a requirement. */
export function check(requirement: string, title: string, more: Partial<CheckDeclaration> = {}): CheckDeclaration {
  return { requirement, check: title, place: at(10), ...more };
}

/** A mutant of a requirement. */
export function mutant(title: string, requirement: string, more: Partial<MutantDeclaration> = {}): MutantDeclaration {
  return { mutant: title, violates: [requirement], ...more };
}

/**
 * A record: `record('dsn~a~1', 'title', 'pass')` on the unchanged object. With a mutant the digest differs, unless
 * another is given.
 */
export function record(
  requirement: string,
  title: string,
  outcome: ResultRecord['outcome'],
  more: Partial<ResultRecord> = {},
): ResultRecord {
  return {
    object: OBJECT,
    platform: 'arm64-smmuv3',
    requirement,
    check: title,
    outcome,
    assertions: 3,
    ...(outcome === 'pass' ? {} : { message: outcome === 'fail' ? 'got 4, expected 5' : 'timed out' }),
    transcriptDigest: more.mutant === undefined ? 'plain' : `under ${more.mutant}`,
    inputDigests: {},
    ...more,
  };
}

interface Case extends Omit<Partial<MatrixInput>, 'trace' | 'bindings'> {
  readonly lines: readonly string[];
  readonly declared?: readonly CheckDeclaration[];
}

/** The input of a fold: items as lines, checks to bind, and the rest. One column, `arm64-smmuv3`, if none is given. */
export function matrixInput({ lines, declared = [], ...rest }: Case): MatrixInput {
  const trace = linkItems(items(...lines));
  const bound = bindChecks(trace, declared);
  const diagnostics: Diagnostic[] = [...(rest.diagnostics ?? []), ...bound.diagnostics];
  return {
    columns: [column('arm64-smmuv3')],
    records: [],
    ...rest,
    trace,
    bindings: bound.bindings,
    diagnostics,
  };
}

/** Folds a case. */
export function fold(one: Case): Matrix {
  return foldMatrix(matrixInput(one));
}

/** A matrix that has something of everything, for the tests of reports. */
export function sampleMatrix(): Matrix {
  const map = 'XenSwdgn~passthrough_map_dev_mem_region~1';
  const dma = 'XenSwdgn~passthrough_enable_iommu_to_perform_dma_remapping_for_dev~1';
  const irq = 'XenSwdgn~passthrough_enable_iommu_to_perform_irq_remapping_for_dev~1';
  const off = 'XenSwdgn~passthrough_discover_pci_devs_from_xen~1';
  const platforms = ['arm64-smmuv3', 'arm64-ipmmu', 'amd64-vtd'];
  const on = (platform: string, requirement: string, title: string, kills: readonly boolean[]) => [
    record(requirement, title, 'pass', { platform }),
    ...kills.map((killed, m) =>
      record(requirement, title, killed ? 'fail' : 'pass', { platform, mutant: `mutant ${m + 1}` }),
    ),
  ];
  return fold({
    lines: [
      'XenMkt~domain_device_assignment~1 needs XenProd title Device_assignment',
      'XenProd~device_passthrough~1 needs XenSwdgn covers XenMkt~domain_device_assignment~1',
      `${map} covers XenProd~device_passthrough~1 title Map_a_region`,
      `${dma} covers XenProd~device_passthrough~1`,
      `${irq} covers XenProd~device_passthrough~1`,
      `${off} covers XenProd~device_passthrough~1`,
    ],
    columns: platforms.map(column),
    declared: [
      check(map, 'a mapped region reaches the device'),
      check(dma, 'a transfer lands in the right frame'),
      check(irq, "a message with another requester's id raises nothing", { platforms: ['amd64-vtd'] }),
    ],
    applicability: {
      notApplicable: [
        { requirement: irq, platform: 'arm64-smmuv3', reason: 'the GIC remaps interrupts' },
        { requirement: irq, platform: 'arm64-ipmmu', reason: 'the GIC remaps interrupts' },
      ],
      aspects: [],
    },
    records: [
      ...platforms.flatMap((platform) => on(platform, map, 'a mapped region reaches the device', [true, true])),
      ...on('arm64-smmuv3', dma, 'a transfer lands in the right frame', [true, true, true]),
      record(dma, 'a transfer lands in the right frame', 'fail', { platform: 'arm64-ipmmu', place: at(31) }),
      ...on('amd64-vtd', irq, "a message with another requester's id raises nothing", [true, false]),
    ],
    types: ['XenMkt', 'XenProd', 'XenSwdgn'],
  });
}
