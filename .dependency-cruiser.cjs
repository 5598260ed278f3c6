/**
 * The import floors. A file imports from lower floors or from its own folder; each rule says why.
 * Tests (`*.test.ts`, `*.test-support.ts`) and benchmarks (`*.bench.ts`) may look anywhere.
 */
const TEST = '\\.(test|test-support|bench)\\.ts$';

/** `from` may import only from `allowed` (regular expressions) within the project. */
function only(name, from, allowed, comment) {
  return {
    name,
    comment,
    severity: 'error',
    from: { path: from, pathNot: TEST },
    to: { path: '^(src|verification)/', pathNot: allowed },
  };
}

module.exports = {
  forbidden: [
    only('core-stands-alone', '^src/core/', ['^src/core/'], 'the words of the trace tower depend on nothing'),
    only('import-sees-core', '^src/import/', ['^src/(core|import)/'], 'a reader knows items, not what becomes of them'),
    only('trace-sees-core', '^src/trace/', ['^src/(core|trace)/'], 'linking needs items, not where they come from'),
    only(
      'check-sees-core',
      '^src/check/',
      ['^src/(core|check)/'],
      'the check engine is generic: it runs whatever a bench offers',
    ),
    only('matrix-sees-core', '^src/matrix/', ['^src/(core|matrix)/'], 'judging is a pure fold over data'),
    only('report-sees-core', '^src/report/', ['^src/(core|report)/'], 'a reporter is a pure function of plain data'),
    only(
      'engine-joins-import-and-trace',
      '^src/engine/',
      ['^src/(core|import|trace|engine)/'],
      'analyse() is import and trace in one, for every client',
    ),
    only(
      'cli-stays-in-the-trace-tower',
      '^src/cli/',
      ['^src/(core|import|trace|engine|check|matrix|report|cli)/'],
      'the command line reaches the model only through the configured bench',
    ),
    only(
      'bits-stand-alone',
      '^src/hw/(address|bits)\\.ts$',
      ['^src/hw/(address|bits)\\.ts$'],
      'addresses and fields are the ground of the machine tower',
    ),
    only(
      'hw-ground',
      '^src/hw/(transaction|memory|bus|observer|latency|machine|interrupt|index)\\.ts$',
      ['^src/hw/[^/]+\\.ts$'],
      'memory, bus and ports know no device',
    ),
    only(
      'paging-knows-no-device',
      '^src/hw/paging/',
      ['^src/hw/[^/]+\\.ts$', '^src/hw/paging/'],
      'the walker serves CPUs and IOMMUs alike',
    ),
    only(
      'pci-knows-no-iommu',
      '^src/hw/pci/',
      ['^src/hw/[^/]+\\.ts$', '^src/hw/pci/'],
      'a device sees a port, not what stands behind it',
    ),
    only(
      'cpu-sees-paging',
      '^src/hw/cpu/',
      ['^src/hw/[^/]+\\.ts$', '^src/hw/(cpu|paging)/'],
      'a CPU walks tables and knows no device',
    ),
    only(
      'gic-knows-no-device',
      '^src/hw/gic/',
      ['^src/hw/[^/]+\\.ts$', '^src/hw/gic/'],
      'an interrupt controller sees lines and messages, not who drives them',
    ),
    only(
      'platform-devices-know-no-bus-but-theirs',
      '^src/hw/platform/',
      ['^src/hw/[^/]+\\.ts$', '^src/hw/platform/'],
      'a device sees a port, not what stands behind it',
    ),
    only(
      'ipmmu-alone',
      '^src/hw/iommu/ipmmu/',
      ['^src/hw/[^/]+\\.ts$', '^src/hw/(iommu/ipmmu|paging)/'],
      'one IOMMU never looks into another',
    ),
    only(
      'smmuv3-alone',
      '^src/hw/iommu/smmuv3/',
      ['^src/hw/[^/]+\\.ts$', '^src/hw/(iommu/smmuv3|paging)/'],
      'one IOMMU never looks into another',
    ),
    only(
      'firmware-is-formats',
      '^src/firmware/',
      ['^src/firmware/'],
      'bytes and trees, used by board and xen alike, know no hardware',
    ),
    only(
      'board-builds-hardware',
      '^src/board/',
      ['^src/(hw|firmware|board)/'],
      'a board wires hardware; it knows no software',
    ),
    only(
      'xen-cannot-cheat',
      '^src/xen/',
      ['^src/(xen|firmware)/', '^src/hw/(address|bits|machine)\\.ts$', '^src/hw/.*layout\\.ts$'],
      'Xen states itself what it writes: it sees ports and where bits are, never what a device or the walker makes of them',
    ),
    only(
      'conformance-sees-hardware',
      '^src/conformance/',
      ['^src/(hw|conformance)/'],
      'vectors are replayed on the bare model',
    ),
    only(
      'index-is-the-engine',
      '^src/index\\.ts$',
      ['^src/(core|import|trace|engine|matrix|report|check)/', '^src/index\\.ts$'],
      'the library is the trace tower',
    ),
    {
      name: 'only-the-command-line-touches-the-process',
      comment:
        'a library that reads files, starts processes or exits cannot be reused; the named files are the exceptions, each the edge of its part',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: [TEST, '^src/cli/', '^src/check/', '^src/conformance/'],
      },
      to: { path: '^(node:)?(fs|fs/promises|child_process|process|os|worker_threads|net|http|https)$' },
    },
    {
      name: 'no-circular',
      comment: 'a cycle has no floor',
      severity: 'error',
      from: { pathNot: TEST },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-dep-on-test',
      comment: 'what ships does not need its tests',
      severity: 'error',
      from: { pathNot: TEST },
      to: { path: TEST },
    },
    {
      name: 'no-dev-dependency',
      comment: 'what ships runs without development packages',
      severity: 'error',
      from: { path: '^(src|verification)/', pathNot: TEST },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
