/** The runs of a session, and the records that they make. */
import { type Diagnostic, diagnostic } from '../core/diagnostic.js';
import type { ResultRecord } from '../core/record.js';
import type { Platform } from './bench.js';
import type { CheckFile } from './collect.js';
import { digestOf } from './evidence.js';
import type { Inputs, LoadedMutant, Session } from './load.js';
import { withoutRoot } from './problem.js';
import type { Order } from './protocol.js';
import type { TranscriptMode } from './request.js';
import { judgeAnswer, type RunVerdict } from './verdict-of-run.js';

/** Which run. */
export interface RunKey {
  readonly file: CheckFile;
  readonly requirement: string;
  readonly check: string;
  readonly aspect?: string;
  readonly platform: Platform;
  readonly mutant?: LoadedMutant;
}

/** A run that has been made. */
export interface Ran {
  readonly record: ResultRecord;
  /** How often it journaled: what it cost, the same on every machine. */
  readonly journaled: number;
  /** Names of the parts of the subject that it read; of a run without a mutant. */
  readonly read: readonly string[];
}

/** The runs of a session, and their records. */
export class Runs {
  readonly #records: ResultRecord[] = [];
  readonly diagnostics: Diagnostic[] = [];
  journaled = 0;
  ended = 0;
  #begun = 0;
  readonly #put = new Set<string>();
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** The records, with the inputs that all results depend on: those are found out while the runs are under way. */
  records(inputs: Inputs): ResultRecord[] {
    return this.#records.map((record) => ({
      ...record,
      object: inputs.object,
      inputDigests: { ...inputs.digests, ...record.inputDigests },
    }));
  }

  /** Runs, and records the result. */
  async run(key: RunKey): Promise<Ran> {
    const { request, pool, places } = this.#session;
    const mode = request.transcript ?? 'none';
    this.#begun++;
    const runOrder: Order = {
      kind: 'run',
      files: key.mutant && key.mutant.file.url !== key.file.url ? [key.file.url, key.mutant.file.url] : [key.file.url],
      requirement: key.requirement,
      check: key.check,
      mutant: key.mutant?.title,
      platform: key.platform.name,
      transcript: mode === 'all' || (mode !== 'none' && key.mutant === undefined),
    };
    const { answer, before } = await pool.submit(runOrder);
    const verdict = judgeAnswer(answer);
    this.journaled += verdict.journaled;
    this.ended++;
    const place = placed(places.ofStack(verdict.stack, verdict.thrown ? undefined : key.file.absolute));
    const record = this.#add(key, verdict, place, mode);
    if (before !== undefined && verdict.outcome !== 'error') {
      const where = `${key.requirement}, '${key.check}' on ${key.platform.name}${key.mutant ? ` with '${key.mutant.title}'` : ''}`;
      const first = judgeAnswer(before).message ?? '';
      this.diagnostics.push(
        diagnostic('check-unstable', `${where}: ended in an error, and not when it was repeated: ${first}`),
      );
    }
    request.onProgress?.({ done: this.ended, total: this.#begun });
    return { record, journaled: verdict.journaled, read: verdict.read };
  }

  /** For each mutant of a requirement the names of the parts of the subject that it replaces on a platform. */
  async inspect(
    { requirement, platform }: Pick<RunKey, 'requirement' | 'platform'>,
    mutants: readonly LoadedMutant[],
  ): Promise<readonly (readonly string[])[]> {
    const files = [...new Set(mutants.map(({ file }) => file.url))];
    const titles = mutants.map(({ title }) => title);
    const order: Order = { kind: 'inspect', files, requirement, mutants: titles, platform: platform.name };
    const { answer } = await this.#session.pool.submit(order);
    return answer.kind === 'reply' && answer.reply.kind === 'inspected' ? answer.reply.changed : titles.map(() => []);
  }

  /** Records an error without a run; once for each key. */
  put(key: RunKey, problem: { readonly message: string; readonly place?: Diagnostic['place'] }): void {
    const name = JSON.stringify([key.requirement, key.platform.name, key.check, key.mutant?.title]);
    if (this.#put.has(name)) return;
    this.#put.add(name);
    const verdict: RunVerdict = {
      outcome: 'error',
      assertions: 0,
      message: problem.message,
      stack: '',
      thrown: false,
      digest: '',
      journaled: 0,
      read: [],
    };
    this.#add(key, verdict, placed(problem.place), 'none');
  }

  #add(key: RunKey, verdict: RunVerdict, place: Pick<ResultRecord, 'place'>, mode: TranscriptMode): ResultRecord {
    const kept = verdict.transcript !== undefined && (mode !== 'failing' || verdict.outcome !== 'pass');
    const record: ResultRecord = {
      object: '',
      platform: key.platform.name,
      requirement: key.requirement,
      check: key.check,
      ...(key.aspect === undefined ? {} : { aspect: key.aspect }),
      ...(key.mutant === undefined ? {} : { mutant: key.mutant.title }),
      outcome: verdict.outcome,
      assertions: verdict.assertions,
      ...(verdict.message === undefined ? {} : { message: withoutRoot(verdict.message, this.#session.root) }),
      ...place,
      transcriptDigest: verdict.digest,
      inputDigests: {
        ...platformDigests(key.platform),
        check: key.file.digest,
        ...(key.mutant === undefined ? {} : { mutant: key.mutant.file.digest }),
      },
      ...(kept ? { transcript: verdict.transcript } : {}),
    };
    this.#records.push(record);
    return record;
  }
}

/** Digests of the texts that a platform's results depend on. */
export function platformDigests({ inputs }: Platform): Record<string, string> {
  return Object.fromEntries(Object.entries(inputs ?? {}).map(([name, text]) => [`platform:${name}`, digestOf(text)]));
}

/** A place as a property, or none. */
export function placed(place: Diagnostic['place']): Pick<Diagnostic, 'place'> {
  return place === undefined ? {} : { place };
}
