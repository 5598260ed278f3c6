/** `tracewright matrix`: the coverage matrix. */

import type { Matrix } from '../../core/matrix.js';
import { nearestIds } from '../../core/nearest.js';
import { VERDICTS, type Verdict } from '../../core/verdict.js';
import { judgeMatrix } from '../../matrix/judge.js';
import { MATRIX_REPORTERS, type Reporter } from '../../report/index.js';
import { evaluate } from '../evaluate.js';
import { CommandError } from '../exit.js';
import type { CommonOptions } from '../options.js';
import { reporterOf, reportOptions, statusOf, tell } from '../reporting.js';
import { deliver, openSession } from '../session.js';

interface MatrixOptions extends CommonOptions {
  readonly format?: string;
  readonly output?: string;
  readonly platform?: readonly string[];
  /** False for `--no-strength`. */
  readonly strength?: boolean;
  readonly failOn?: readonly string[];
}

/** Runs the command. */
export async function run(paths: readonly string[], options: MatrixOptions): Promise<number> {
  const loadReporter = reporterOf(MATRIX_REPORTERS, options.format);
  const failOn = (options.failOn ?? []).map(verdictNamed);
  const session = openSession(options, paths, options.output !== undefined);
  const { matrix } = await evaluate(session, {
    // What stands outside of a part of the tree is no concern of a matrix of that part.
    ...(session.partial ? { select: (items) => items.map(({ item }) => item.id) } : {}),
    platforms: options.platform,
    mutants: options.strength === false ? 'none' : 'all',
  });
  const reporter: Reporter<Matrix> = await loadReporter();
  await deliver(reporter(matrix, await reportOptions(session)), options.output);
  await tell(matrix.diagnostics, session);
  return statusOf(matrix.diagnostics, judgeMatrix(matrix, failOn).met);
}

function verdictNamed(word: string): Verdict {
  const verdict = VERDICTS.find((one) => one === word || one.replace(' ', '-') === word);
  if (verdict !== undefined) return verdict;
  const near = nearestIds(word, VERDICTS)[0];
  throw new CommandError(
    'unknown-verdict',
    `There is no verdict '${word}'`,
    `${near === undefined ? '' : `Did you mean '${near}'? `}Verdicts: ${VERDICTS.join(', ')}.`,
  );
}
