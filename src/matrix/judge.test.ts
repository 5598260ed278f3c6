import t from 'tap';
import { diagnostic } from '../core/diagnostic.js';
import { items } from '../trace/items.test-support.js';
import { linkItems } from '../trace/linker.js';
import { judgeMatrix, judgeTrace, judgeVerify } from './judge.js';
import { check, fold, record, sampleMatrix } from './matrix.test-support.js';

t.test('a trace is not met with a defect or an error', async (t) => {
  const clean = linkItems(items('req~a~1'));
  t.same(judgeTrace(clean), { met: true, reasons: [] });
  t.same(judgeTrace(linkItems(items('req~a~1 needs dsn'))), { met: false, reasons: ['1 defect'] });
  t.same(judgeTrace(clean, [diagnostic('no-items', 'nothing')]), { met: false, reasons: ['1 error diagnostic'] });
  t.ok(judgeTrace(clean, [diagnostic('cover-orphaned', 'a warning')]).met);
});

t.test('a matrix is met with weak and not run, unless they are named', async (t) => {
  const matrix = fold({
    lines: ['dsn~a~1', 'dsn~b~1'],
    declared: [check('dsn~a~1', 'x')],
    records: [record('dsn~a~1', 'x', 'pass')],
  });
  t.same(judgeMatrix(matrix), { met: true, reasons: [] });
  t.same(judgeMatrix(matrix, ['weak']), { met: false, reasons: ['1 weak'] });
  t.same(judgeMatrix(matrix, ['not run', 'weak']), { met: false, reasons: ['1 weak', '1 not run'] });
});

t.test('a matrix is never met with refuted, error or vacuous, or an error diagnostic', async (t) => {
  t.same(judgeMatrix(sampleMatrix()).reasons, ['1 refuted']);
  const orphan = fold({ lines: ['dsn~a~1'], declared: [check('dsn~b~1', 'x')] });
  t.same(judgeMatrix(orphan), { met: false, reasons: ['1 error diagnostic'] });
});

t.test('selected cells are met if all are verified, waived or n/a', async (t) => {
  const matrix = sampleMatrix();
  const map = 'XenSwdgn~passthrough_map_dev_mem_region~1';
  const dma = 'XenSwdgn~passthrough_enable_iommu_to_perform_dma_remapping_for_dev~1';
  const irq = 'XenSwdgn~passthrough_enable_iommu_to_perform_irq_remapping_for_dev~1';
  t.same(judgeVerify(matrix, [map]), { met: true, reasons: [] });
  t.same(judgeVerify(matrix, [dma]), { met: false, reasons: ['1 refuted', '1 not run'] });
  t.same(judgeVerify(matrix, [dma], ['arm64-smmuv3']), { met: true, reasons: [] });
  t.ok(judgeVerify(matrix, [irq], ['arm64-smmuv3'])?.met, 'n/a');
});

t.test('nothing selected is no judgement', async (t) => {
  t.equal(judgeVerify(sampleMatrix(), []), undefined);
  t.equal(judgeVerify(sampleMatrix(), ['dsn~none~1']), undefined);
  t.equal(judgeVerify(sampleMatrix(), ['XenSwdgn~passthrough_map_dev_mem_region~1'], ['riscv']), undefined);
});
