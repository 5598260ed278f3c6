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
    strength: false,
    types,
    diagnostics: [...analysis.diagnostics, ...run.diagnostics],
  });
}

/** The requirements about AMD64 PVH domains. */
const AMD64 = [
  'passthrough_assign_pci_dev_to_dom_x86',
  'passthrough_enable_iommu_to_perform_irq_remapping_for_dev',
  'passthrough_use_iommu_to_enforce_irq_gen_from_dev',
];
/** Those about PCI devices and their messages: nothing to verify on a board without a PCI host bridge. */
const PCI = [
  'passthrough_assign_pci_dev_to_dom_arm64',
  'passthrough_deassign_pci_dev_from_dom',
  'passthrough_deliver_msis_to_dom',
  'passthrough_discover_pci_devs_from_xen',
  'passthrough_provide_if_for_add_rm_pci_devs',
  'passthrough_support_assign_pci_devs',
  'passthrough_support_deassign_pci_devs',
];

t.test('the tree has no defect and no diagnostic that asks for anything', async (t) => {
  t.same(analysis.trace.summary, { items: 27, defects: 0 });
  t.same(
    analysis.diagnostics.filter(({ severity }) => severity !== 'note'),
    [],
  );
});

t.test('the checks of every common and Arm64 requirement pass on every board that has its devices', async (t) => {
  // How strong they are is measured by the matrix, which takes longer than all tests together.
  const forward = await runChecks({ root, configuration, requirements: ids, loadAll: true, mutants: 'none' });
  const matrix = matrixOf(forward);
  t.same(
    matrix.diagnostics.filter(({ severity }) => severity === 'error'),
    [],
  );
  for (const { id, requirement, verdicts } of matrix.rows) {
    if (!requirement) continue;
    const name = id.split('~')[1] as string;
    for (const { key } of matrix.columns) {
      const cell = verdicts[key];
      const none = AMD64.includes(name) || (key === 'arm64-ipmmu' && PCI.includes(name));
      t.match(cell, { verdict: none ? 'n/a' : 'passes' }, `${name} on ${key}: ${cell?.reason ?? ''}`);
      if (none) continue;
      const mutants = forward.mutants.filter(
        ({ violates, platforms }) => violates.includes(id) && (platforms === undefined || platforms.includes(key)),
      );
      t.ok(mutants.length >= 4, `${name} on ${key} is tried with ${mutants.length} mutants`);
    }
  }

  // The other way round, in one lane: the same results, down to every access that the machine saw.
  const platform = 'arm64-ipmmu';
  const backward = await runChecks({
    root,
    configuration,
    requirements: ids.toReversed(),
    platforms: [platform],
    mutants: 'none',
    lanes: 1,
  });
  t.ok(backward.records.length > 100);
  t.same(
    backward.records,
    forward.records.filter((record) => record.platform === platform),
    'neither order nor lanes show in the results',
  );
});
