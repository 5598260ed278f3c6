import t from 'tap';
import { check, fold, record, sampleMatrix } from '../matrix/matrix.test-support.js';
import { type Colour, NO_COLOUR } from './colour.js';
import { columnsOf } from './columns.js';
import { matrixTerminal } from './matrix-terminal.js';

const SAMPLE = sampleMatrix();

function at(width: number): string {
  return matrixTerminal(SAMPLE, { colour: NO_COLOUR, width });
}

t.test('a wide terminal shows the table with whole ids', async (t) => {
  t.equal(
    at(140),
    `4 requirements · 3 checked · object under check: reference model 3f2a91c

                                                                          coverage  arm64-smmuv3  arm64-ipmmu   amd64-vtd
XenMkt~domain_device_assignment~1                                         ✔ deep    not run       refuted       weak
  XenProd~device_passthrough~1                                            ✔ deep    not run       refuted       weak
    XenSwdgn~passthrough_discover_pci_devs_from_xen~1                     ✔         not run       not run       not run
    XenSwdgn~passthrough_enable_iommu_to_perform_dma_remapping_for_dev~1  ✔         verified 3/3  refuted       not run
    XenSwdgn~passthrough_enable_iommu_to_perform_irq_remapping_for_dev~1  ✔         n/a           n/a           weak 1/2
    XenSwdgn~passthrough_map_dev_mem_region~1                             ✔         verified 2/2  verified 2/2  verified 2/2

4 verified · 4 not run · 1 weak · 0 vacuous · 0 error · 1 refuted · 2 n/a
1 refuted: tracewright why passthrough_enable_iommu_to_perform_dma_remapping_for_dev
1 weak: tracewright why passthrough_enable_iommu_to_perform_irq_remapping_for_dev
4 not run: tracewright why passthrough_discover_pci_devs_from_xen
`,
  );
});

t.test('a narrower one shortens ids, and keeps them apart', async (t) => {
  const text = at(100);
  t.match(text, '    XenSwdgn~…_perform_dma_remapping_for_dev~1    ✔         verified 3/3  refuted       not run\n');
  t.match(text, '    XenSwdgn~…_perform_irq_remapping_for_dev~1    ✔         n/a           n/a           weak 1/2\n');
});

t.test('where the table does not fit, each item is a block', async (t) => {
  t.match(
    at(60),
    `    XenSwdgn~…_iommu_to_perform_irq_remapping_for_dev~1  ✔
      n/a             arm64-smmuv3 arm64-ipmmu
      weak 1/2        amd64-vtd
`,
  );
});

t.test('a difference stands in the cell where there is room, else as a mark that is explained', async (t) => {
  const matrix = fold({
    lines: ['req~a~1 needs dsn', 'dsn~b~1 covers req~a~1'],
    declared: [check('dsn~b~1', 'b')],
    records: [record('dsn~b~1', 'b', 'pass'), record('dsn~b~1', 'b', 'fail', { mutant: 'm' })],
    divergences: [{ requirement: 'dsn~b~1', from: 'Xen at c447b73', text: 'frees the tag first' }],
  });
  const text = (width: number) => matrixTerminal(matrix, { colour: NO_COLOUR, width });
  t.match(text(100), /dsn~b~1 +✔ +verified 1\/1, differs from Xen at c447b73\n/);
  t.match(text(45), /dsn~b~1 +✔ +verified 1\/1 ≠\n\n≠ differs from Xen at c447b73\n/);
  t.match(text(24), /verified 1\/1, differs from Xen at c447b73/);
});

t.test('no line is wider than the terminal, but a command to copy', async (t) => {
  for (let width = 60; width <= 300; width++) {
    const wide = at(width)
      .split('\n')
      .filter((line) => columnsOf(line) > width && !line.includes('tracewright why'));
    t.same(wide, [], `at ${width} columns`);
  }
});

t.test('colours change nothing but colour', async (t) => {
  const wrap = (code: number) => (text: string) => `\u001b[${code}m${text}\u001b[39m`;
  const colour: Colour = { good: wrap(32), bad: wrap(31), warning: wrap(33), faint: wrap(90), strong: wrap(36) };
  for (const width of [60, 100, 140]) {
    const coloured = matrixTerminal(SAMPLE, { colour, width });
    t.equal(coloured.replace(/\u001b\[\d+m/g, ''), at(width));
    t.match(coloured, '\u001b[31mrefuted');
  }
});

t.test('defects are counted, and the commands that tell more are named', async (t) => {
  const matrix = fold({ lines: ['req~a~1 needs dsn', 'dsn~a~1'] });
  const text = matrixTerminal(matrix, { colour: NO_COLOUR, width: 80 });
  t.match(text, '\n1 defect: tracewright trace\n');
  t.match(text, '\n2 not run: tracewright why dsn~a~1\n', 'two items have the name, so the id is whole');
  t.match(text, /req~a~1 +✘ uncovered +not run\n/);
});

t.test('an empty matrix is printed', async (t) => {
  const text = matrixTerminal(fold({ lines: [], columns: [] }), { colour: NO_COLOUR, width: 80 });
  t.match(text, '0 requirements · 0 checked');
  t.match(text, '\nno platform: nothing was run\n');
});
