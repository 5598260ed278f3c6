/** The matrix as GitHub-flavoured Markdown: one table, the counts, what is wrong. */
import { type Diagnostic, formatPlace } from '../core/diagnostic.js';
import type { Cell, Matrix } from '../core/matrix.js';
import { VERDICTS, type Verdict } from '../core/verdict.js';
import { coverageText, fullCellText } from './cell-text.js';
import { counted, inert } from './text.js';

/**
 * Text from a file as Markdown text: nothing in it is taken for markup, the end of a table's cell, HTML or a link. Only
 * an address that stands in the text is a link in GitHub's flavour, to what it shows; no escape prevents that.
 */
export function markdownText(text: string): string {
  return inert(text)
    .replace(/[\\`*_{}[\]()#!|~]/g, '\\$&')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}

const MARKS: Partial<Record<Verdict, string>> = {
  refuted: '❌',
  error: '❌',
  vacuous: '❌',
  weak: '⚠️',
  verified: '✅',
};

/** Formats the matrix as Markdown. Reasons of cells that are not verified follow below the table. */
export function matrixMarkdown(matrix: Matrix): string {
  const { summary, columns } = matrix;
  const objects = [...new Set(columns.map((column) => markdownText(column.object)))].sort();
  const head = [counted(summary.requirements, 'requirement'), `${summary.checked} checked`];
  if (objects.length > 0) head.push(`object under check: ${objects.join(', ')}`);
  const blocks = [
    '# Coverage matrix',
    head.join(' · '),
    table(matrix),
    counts(matrix),
    ...section(
      'Not verified',
      reasons(matrix, (verdict) => verdict !== 'verified' && verdict !== 'n/a'),
    ),
    ...section(
      'Not applicable',
      reasons(matrix, (verdict) => verdict === 'n/a'),
    ),
    ...section('Differences', differences(matrix)),
    ...section('Diagnostics', matrix.diagnostics.map(diagnosticLine)),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function table({ rows, columns }: Matrix): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const heads = ['item', 'coverage', ...columns.map((column) => markdownText(column.key))];
  const body = rows.map((row, r) => {
    const isLeaf = (rows[r + 1]?.depth ?? 0) <= row.depth;
    const cells = columns.map(({ key }) => {
      const cell = row.verdicts[key] as Cell;
      const mark = MARKS[cell.verdict];
      const text = markdownText(fullCellText(row, cell));
      return mark === undefined ? text : `${mark} ${text}`;
    });
    const indent = '&emsp;'.repeat(row.depth);
    return line([`${indent}${markdownText(row.id)}`, coverageText(row, isLeaf && !row.repeated), ...cells]);
  });
  return [line(heads), line(heads.map(() => '---')), ...body].join('\n');
}

function counts({ summary }: Matrix): string {
  const all: readonly Verdict[] = [...[...VERDICTS].reverse(), 'n/a'];
  const parts = all.filter((verdict) => summary.verdicts[verdict] > 0).map((one) => `${summary.verdicts[one]} ${one}`);
  const defects = summary.defects === 0 ? [] : [`**${counted(summary.defects, 'defect')} in the trace**`];
  return [...parts, ...defects].join(' · ');
}

function reasons({ rows, columns }: Matrix, isWanted: (verdict: Verdict) => boolean): string[] {
  return rows.flatMap((row) => {
    if (row.repeated) return [];
    const byText = new Map<string, string[]>();
    for (const { key } of columns) {
      const cell = row.own?.[key];
      if (cell === undefined || !isWanted(cell.verdict)) continue;
      const text = `**${cell.verdict}**: ${markdownText([cell.reason, cell.note].filter(Boolean).join('; '))}`;
      byText.set(text, [...(byText.get(text) ?? []), markdownText(key)]);
    }
    return [...byText].map(([text, keys]) => `- ${markdownText(row.id)} on ${keys.join(', ')}: ${text}`);
  });
}

/** What the object under check does otherwise, once for all columns that it holds in. */
function differences({ rows, columns }: Matrix): string[] {
  return rows.flatMap((row) => {
    if (row.repeated) return [];
    const byText = new Map<string, string[]>();
    for (const { key } of columns) {
      for (const { from, text } of row.own?.[key]?.divergences ?? []) {
        const line = `differs from ${markdownText(from)}: ${markdownText(text)}`;
        byText.set(line, [...(byText.get(line) ?? []), markdownText(key)]);
      }
    }
    return [...byText].map(([text, keys]) => `- ${markdownText(row.id)} on ${keys.join(', ')} ${text}`);
  });
}

function diagnosticLine({ code, severity, message, hint, place }: Diagnostic): string {
  const where = place === undefined ? '' : `${markdownText(formatPlace(place))} `;
  return `- ${where}**${severity}** ${code}: ${markdownText(hint === undefined ? message : `${message} (${hint})`)}`;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`## ${title}`, lines.join('\n')];
}
