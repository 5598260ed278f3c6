/** `tracewright show`: one item with its links, checks and evidence. */
import { itemText } from '../../report/item.js';
import { evaluate } from '../evaluate.js';
import type { CommonOptions } from '../options.js';
import { reportOptions, statusOf, tell } from '../reporting.js';
import { selectOne, withAllBelow } from '../select.js';
import { deliver, openSession } from '../session.js';

interface ShowOptions extends CommonOptions {
  readonly strength?: boolean;
  readonly tree?: readonly string[];
}

/** Runs the command. */
export async function run([word = '']: readonly string[], options: ShowOptions): Promise<number> {
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
  const linked = analysis.trace.items.find(({ item }) => item.id === id);
  if (linked === undefined) throw new Error(`the trace has lost ${id}`);
  await deliver(itemText({ linked, bindings: matrix.bindings, matrix }, await reportOptions(session)), undefined);
  await tell(
    matrix.diagnostics.filter(({ severity }) => severity === 'error'),
    session,
  );
  return statusOf(matrix.diagnostics, true);
}
