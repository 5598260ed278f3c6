/** `tracewright show`: one item with its links, checks and evidence. */
import { itemText } from '../../report/item.js';
import { evaluateItem, type ItemOptions } from '../evaluate.js';
import { reportOptions, statusOf, tell } from '../reporting.js';
import { deliver } from '../session.js';

/** Runs the command. */
export async function run([word = '']: readonly string[], options: ItemOptions): Promise<number> {
  const { session, id, matrix, analysis } = await evaluateItem(word, options);
  const linked = analysis.trace.items.find(({ item }) => item.id === id);
  if (linked === undefined) throw new Error(`the trace has lost ${id}`);
  await deliver(itemText({ linked, bindings: matrix.bindings, matrix }, await reportOptions(session)), undefined);
  await tell(
    matrix.diagnostics.filter(({ severity }) => severity === 'error'),
    session,
  );
  return statusOf(matrix.diagnostics, true);
}
