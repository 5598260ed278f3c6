/** reStructuredText as a unified parser. */
import type { Plugin } from 'unified';
import type { VFile } from 'vfile';
import { DIAGNOSTIC_CODES } from '../../core/diagnostic-codes.js';
import { findLines } from '../lines.js';
import type { RstRoot } from './nodes.js';
import { tokenize } from './tokenizer.js';
import { TreeSink } from './tree.js';

/**
 * A plugin for unified 11: `unified().use(rstParse)` parses to the unist tree of `nodes.ts`. Problems become messages on
 * the file, with the diagnostic code as their rule and `tracewright` as their source.
 */
export const rstParse: Plugin<[], string, RstRoot> = function () {
  this.parser = (document: string, file: VFile): RstRoot => {
    const lines = findLines(document);
    const sink = new TreeSink(document, lines);
    tokenize(document, sink, lines);
    for (const { code, message, start, end } of sink.problems) {
      const options = { place: { start, end }, ruleId: code, source: 'tracewright' };
      if (DIAGNOSTIC_CODES[code].severity === 'note') file.info(message, options);
      else file.message(message, options);
    }
    return sink.finish();
  };
};
