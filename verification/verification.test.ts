/** The bundled checks as a whole: what they verify, and that it depends on nothing but what they check. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import '../src/check/plain-children.test-support.js';
import { type CheckRun, runChecks } from '../src/check/run.js';
import { diskSource } from '../src/cli/disk-source.js';
import { analyse } from '../src/engine/analyse.js';
import { bindChecks } from '../src/matrix/bind.js';
import { foldMatrix } from '../src/matrix/matrix.js';
import { matrixJson } from '../src/report/matrix-json.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const { tree, types, checks: configuration } = JSON.parse(readFileSync(`${root}tracewright.config.json`, 'utf8'));

const analysis = await analyse(diskSource(root), { paths: tree, types });
const ids = analysis.trace.items.map(({ item }) => item.id);

function matrixOf(run: CheckRun) {
  return foldMatrix({
    trace: analysis.trace,
    bindings: bindChecks(analysis.trace, run.checks).bindings,
    records: run.records,
    columns: run.columns,
    applicability: run.applicability,
    mutants: run.mutants,
    types,
    diagnostics: [...analysis.diagnostics, ...run.diagnostics],
  });
}

const VERIFIED = [
  'passthrough_configure_iommu_at_boot',
  'passthrough_deassign_pci_dev_from_dom',
  'passthrough_discover_pci_devs_from_xen',
  'passthrough_enable_iommu_to_perform_dma_remapping_for_dev',
  'passthrough_map_dev_mem_region',
  'passthrough_provide_if_for_add_rm_pci_devs',
  'passthrough_use_iommu_to_deny_dma_ops_from_dev',
  'passthrough_use_iommu_to_enforce_dma_ops_from_dev',
];

t.test('the tree has no defect and no diagnostic that asks for anything', async (t) => {
  t.same(analysis.trace.summary, { items: 27, defects: 0 });
  t.same(
    analysis.diagnostics.filter(({ severity }) => severity !== 'note'),
    [],
  );
});

t.test('eight requirements are verified on arm64-smmuv3, each with at least four mutants, all killed', async (t) => {
  const forward = await runChecks({ root, configuration, requirements: ids, loadAll: true, lanes: 2 });
  const matrix = matrixOf(forward);
  t.same(
    matrix.diagnostics.filter(({ severity }) => severity === 'error'),
    [],
  );
  const verified = matrix.rows.filter((row) => row.requirement && row.verdicts['arm64-smmuv3']?.verdict === 'verified');
  t.same(verified.map(({ id }) => id.split('~')[1]).sort(), VERIFIED);
  for (const { id, verdicts } of verified) {
    const cell = verdicts['arm64-smmuv3'];
    t.ok(cell !== undefined && cell.mutants >= 4 && cell.killed === cell.mutants && cell.notExercised === 0, id);
  }
  const others = matrix.rows.filter((row) => row.requirement && !verified.includes(row));
  for (const { id, verdicts } of others) t.match(verdicts['arm64-smmuv3']?.verdict, /^(not run|n\/a)$/, id);

  // The other way round, in one lane: the same bytes.
  const backward = await runChecks({ root, configuration, requirements: [...ids].reverse(), loadAll: true, lanes: 1 });
  t.equal(matrixJson(matrixOf(backward)), matrixJson(matrix), 'neither order nor lanes show in the report');
});
