/** The trace as JSON. Its schema is `schema/trace.schema.json`. */
import type { LinkedItem } from '../core/trace.js';
import { diagnosticJson, jsonText, placeJson, SCHEMA_VERSION } from './json.js';
import type { TraceReport } from './trace-report.js';

/** Formats a trace: every item with its links, sorted by id, then the diagnostics. */
export function traceJson({ trace, diagnostics }: TraceReport): string {
  return jsonText({
    schemaVersion: SCHEMA_VERSION,
    summary: { items: trace.summary.items, defects: trace.summary.defects },
    items: trace.items.map(itemJson),
    diagnostics: diagnostics.map(diagnosticJson),
  });
}

function itemJson({ item, ...linked }: LinkedItem): object {
  return {
    id: item.id,
    type: item.type,
    title: item.title ?? null,
    status: item.status,
    place: placeJson(item.place),
    defect: linked.defect,
    deepCoverage: linked.deepCoverage,
    needs: item.needs.map((need) => need.text),
    coveredTypes: linked.coveredTypes,
    uncoveredTypes: linked.uncoveredTypes,
    overCoveredTypes: linked.overCoveredTypes,
    outgoing: linked.outgoing.map(({ status, id, place }) => ({ status, id, place: placeJson(place) })),
    incoming: linked.incoming.map(({ status, id, place }) => ({ status, id, place: placeJson(place) })),
  };
}
