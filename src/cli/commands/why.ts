/** `tracewright why`: the shortest path from a red item to what causes it, and what would mend it. */
import { whyText } from '../../report/why.js';
import { why } from '../../trace/why.js';
import { evaluateItem, type ItemOptions } from '../evaluate.js';
import { reportOptions, statusOf } from '../reporting.js';
import { deliver } from '../session.js';

/** Runs the command. */
export async function run([word = '']: readonly string[], options: ItemOptions): Promise<number> {
  const { session, id, matrix, analysis } = await evaluateItem(word, options);
  const explained = why(analysis.trace, id, matrix);
  if (explained === undefined) throw new Error(`the trace has lost ${id}`);
  await deliver(whyText(explained, await reportOptions(session)), undefined);
  return statusOf(matrix.diagnostics, true);
}
