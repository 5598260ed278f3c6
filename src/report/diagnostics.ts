/** Diagnostics as text: `path:line:column severity code message`, and the hint on a line of its own. */
import { type Diagnostic, formatPlace, type Severity } from '../core/diagnostic.js';
import { type ReportOptions, severityPaint } from './colour.js';
import { counted, inert } from './text.js';

const SEVERITIES: readonly Severity[] = ['error', 'warning', 'note'];

/** One diagnostic, one or two lines. */
function diagnosticText(diagnostic: Diagnostic, { colour }: Pick<ReportOptions, 'colour'>): string {
  const { code, severity, message, hint, place } = diagnostic;
  const where = place === undefined ? '' : `${colour.strong(inert(formatPlace(place)))} `;
  const head = `${where}${severityPaint(colour, severity)(severity)} ${colour.faint(code)} ${inert(message)}`;
  return hint === undefined ? head : `${head}\n  ${inert(hint)}`;
}

/** Diagnostics in the order given, then their counts. Empty if there are none. `least` leaves out what is milder. */
export function diagnosticsText(
  diagnostics: readonly Diagnostic[],
  options: Pick<ReportOptions, 'colour'>,
  least: Severity = 'note',
): string {
  const shown = diagnostics.filter((one) => SEVERITIES.indexOf(one.severity) <= SEVERITIES.indexOf(least));
  if (shown.length === 0) return '';
  const counts = SEVERITIES.map((severity) => ({
    severity,
    count: shown.filter((one) => one.severity === severity).length,
  })).filter(({ count }) => count > 0);
  const summary = counts.map(({ severity, count }) =>
    severityPaint(options.colour, severity)(counted(count, severity)),
  );
  return `${shown.map((one) => diagnosticText(one, options)).join('\n')}\n${summary.join(', ')}\n`;
}
