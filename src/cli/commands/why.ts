/** `tracewright why`: the shortest path from a red item to what causes it, and what would mend it. */

import { whyText } from '../../report/why.js';
import { why } from '../../trace/why.js';
import { evaluate } from '../evaluate.js';
import type { CommonOptions } from '../options.js';
import { reportOptions, statusOf } from '../reporting.js';
import { selectOne, withAllBelow } from '../select.js';
import { deliver, openSession } from '../session.js';

interface WhyOptions extends CommonOptions {
  readonly strength?: boolean;
  readonly tree?: readonly string[];
}

/** Runs the command. */
export async function run([word = '']: readonly string[], options: WhyOptions): Promise<number> {
  const session = openSession(options, options.tree ?? []);
  const { matrix, analysis } = await evaluate(session, {
    select: (items) =>
      withAllBelow(
        items,
        selectOne(
          items.map(({ item }) => item),
          word,
        ).id,
      ),
    mutants: options.strength === false ? 'none' : 'all',
  });
  const { id } = selectOne(analysis.items, word);
  const explained = why(analysis.trace, id, matrix);
  if (explained === undefined) throw new Error(`the trace has lost ${id}`);
  await deliver(whyText(explained, await reportOptions(session)), undefined);
  return statusOf(matrix.diagnostics, true);
}
