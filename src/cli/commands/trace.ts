/** `tracewright trace`: links and defects. Loads no checks. */
import { analyse } from '../../engine/analyse.js';
import { judgeTrace } from '../../matrix/judge.js';
import { type Reporter, TRACE_REPORTERS } from '../../report/index.js';
import type { TraceReport } from '../../report/trace-report.js';
import type { CommonOptions } from '../options.js';
import { reporterOf, reportOptions, statusOf, tell } from '../reporting.js';
import { deliver, openSession } from '../session.js';

interface TraceOptions extends CommonOptions {
  readonly format?: string;
  readonly output?: string;
}

/** Runs the command. */
export async function run(paths: readonly string[], options: TraceOptions): Promise<number> {
  const loadReporter = reporterOf(TRACE_REPORTERS, options.format);
  const session = openSession(options, paths, options.output !== undefined);
  const { trace, diagnostics } = await analyse(session.source, {
    paths: session.tree,
    types: session.configuration.types,
  });
  const reporter: Reporter<TraceReport> = await loadReporter();
  await deliver(reporter({ trace, diagnostics }, await reportOptions(session)), options.output);
  await tell(diagnostics, session);
  return statusOf(diagnostics, judgeTrace(trace, diagnostics).met);
}
