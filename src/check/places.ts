/** Places in sources: from the stacks of built modules, through their source maps. */
import { readFileSync, statSync } from 'node:fs';
import { SourceMap } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Place } from '../core/diagnostic.js';

/** One call of a stack: a file (absolute path) with line and column, both from 1. */
interface Frame {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Finds places below a root folder, and remembers what it has read. */
export interface Places {
  /**
   * The place that a stack speaks of: its first call within `prefer` (absolute path of a built file), else its first
   * call outside of Node and of this engine. Undefined if it has none.
   */
  ofStack(stack: string, prefer?: string): Place | undefined;
  /** The beginning of a built file's source, or of the file itself where there is no other. */
  ofFile(file: string): Place;
  /** Absolute path of the source that a built file's map names first; undefined without map or source. */
  sourceOf(file: string): string | undefined;
  /** A point of a built file, mapped to its source. */
  at(frame: Frame): Place;
}

export function makePlaces(root: string): Places {
  const maps = new Map<string, MapOfFile | undefined>();
  const texts = new Map<string, string | undefined>();

  const textOf = (file: string) => {
    if (!texts.has(file)) texts.set(file, readIfPresent(file));
    return texts.get(file);
  };
  const mapOf = (file: string) => {
    if (!maps.has(file)) maps.set(file, readMap(file, textOf(file)));
    return maps.get(file);
  };
  const place = (file: string, line: number, column: number): Place => ({
    path: path.relative(root, file).split(path.sep).join('/'),
    line,
    column,
    offset: offsetOf(textOf(file) ?? '', line, column),
  });
  const sourceOf = (file: string) =>
    mapOf(file)?.sources.find((source) => statSync(source, { throwIfNoEntry: false }) !== undefined);

  const at = (frame: Frame): Place => {
    const entry = mapOf(frame.file)
      ?.decoded()
      .findEntry(frame.line - 1, frame.column - 1);
    if (entry && 'originalSource' in entry && entry.originalSource !== undefined) {
      const source = resolveSource(frame.file, entry.originalSource);
      if (textOf(source) !== undefined) return place(source, entry.originalLine + 1, entry.originalColumn + 1);
    }
    return place(frame.file, frame.line, frame.column);
  };

  return {
    ofStack(stack, prefer) {
      const frames = framesOf(stack);
      const frame = frames.find(({ file }) => file === prefer) ?? frames[0];
      return frame && at(frame);
    },
    ofFile: (file) => place(sourceOf(file) ?? file, 1, 1),
    sourceOf,
    at,
  };
}

const ENGINE = path.dirname(fileURLToPath(import.meta.url));

/** The calls of a stack that are in files, without those of this engine. */
function framesOf(stack: string): Frame[] {
  const frames: Frame[] = [];
  for (const text of stack.split('\n')) {
    const match = /^\s*at (?:.*? \()?((?:file:\/\/)?\/[^()]*?|[A-Za-z]:\\[^()]*?):(\d+):(\d+)\)?$/.exec(text);
    const [, where, line, column] = match ?? [];
    if (where === undefined) continue;
    const file = toPath(where);
    if (path.dirname(file) !== ENGINE) frames.push({ file, line: Number(line), column: Number(column) });
  }
  return frames;
}

/** The path of a `file:` URL or of a path. A query, as loaders append it, is dropped. */
export function toPath(where: string): string {
  try {
    return where.startsWith('file://') ? fileURLToPath(where.replace(/[?#].*$/, '')) : where;
  } catch {
    return where;
  }
}

/** A source map. Decoding it takes long, and often only the names of the sources are wanted. */
interface MapOfFile {
  readonly sources: readonly string[];
  decoded(): SourceMap;
}

function readMap(file: string, text: string | undefined): MapOfFile | undefined {
  const url = text === undefined ? undefined : /\/\/# sourceMappingURL=(\S+)\s*$/.exec(text)?.[1];
  if (url === undefined) return undefined;
  try {
    const data = /^data:application\/json[^,]*;base64,(.*)$/.exec(url)?.[1];
    const json =
      data === undefined
        ? readFileSync(path.join(path.dirname(file), decodeURI(url)), 'utf8')
        : Buffer.from(data, 'base64').toString();
    const payload = JSON.parse(json) as { sources: string[]; sourceRoot?: string };
    const prefix = payload.sourceRoot ? payload.sourceRoot.replace(/\/?$/, '/') : '';
    let map: SourceMap | undefined;
    return {
      sources: payload.sources.map((source) => resolveSource(file, prefix + source)),
      decoded() {
        map ??= new SourceMap(payload as ConstructorParameters<typeof SourceMap>[0]);
        return map;
      },
    };
  } catch {
    // A map that is missing or broken leaves the built file itself to point at.
    return undefined;
  }
}

function resolveSource(file: string, source: string): string {
  return source.startsWith('file://') ? toPath(source) : path.resolve(path.dirname(file), decodeURI(source));
}

function readIfPresent(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function offsetOf(text: string, line: number, column: number): number {
  let offset = 0;
  for (let current = 1; current < line; current++) {
    const end = text.indexOf('\n', offset);
    if (end < 0) break;
    offset = end + 1;
  }
  return Math.min(offset + column - 1, text.length);
}
