import { createHash } from 'node:crypto';
import type { Stored, Topic } from '@fanfare/protocol';
import type { Rules } from '../../rules/rule.ts';
import { encodeRule } from './batch-codec.ts';
import { errorOf, NotAdoptedError } from './function-errors.ts';
import type { Argument, CallFunction, RemoteState } from './library.ts';
import { libraryName, type FunctionName } from './lua/library-source.ts';
import { Reply } from './replies.ts';

export interface LogFunctionsOptions {
  readonly rules: Rules;
  readonly topicsMax: number;
  readonly idsMax: number;
  readonly idWindowMs: number;
  readonly unusedPerSubjectMax: number;
  /** The level at which Redis stores now. */
  readonly level: () => Exclude<Stored, 'none'>;
  /** Receives the state of the log with each answer. Its lineage is not complete. */
  readonly onState?: (state: RemoteState) => void;
}

/** Calls the functions of the log with their names, and reads their answers. */
export class FunctionClient {
  /** The limits of the log, as an argument. */
  limits: Buffer;
  readonly #ids: readonly [idsMax: number, idWindowMs: number];
  readonly #call: CallFunction;
  readonly #rules: Rules;
  readonly #onState: (state: RemoteState) => void;

  constructor(
    call: CallFunction,
    { rules, topicsMax, idsMax, idWindowMs, unusedPerSubjectMax, onState }: LogFunctionsOptions,
  ) {
    this.#call = call;
    this.#rules = rules;
    this.#onState = onState ?? (() => {});
    this.#ids = [idsMax, idWindowMs];
    this.limits = doubles(topicsMax, ...this.#ids, unusedPerSubjectMax);
  }

  /** Changes limits from the next call on. */
  limit(topicsMax: number, unusedPerSubjectMax: number): void {
    this.limits = doubles(topicsMax, ...this.#ids, unusedPerSubjectMax);
  }

  /** The rule of a topic, as an argument. */
  ruleOf(topic: Topic): Buffer {
    return encodeRule(this.#rules.of(topic));
  }

  /** Identifies the rules, as an argument. */
  get rulesDigest(): string {
    return createHash('sha256').update(describeRules(this.#rules)).digest('hex');
  }

  /** Whether the rule of a topic keeps nothing, as an argument. */
  keepsNothing(topic: Topic): string {
    return this.#rules.of(topic).keep === 'none' ? '1' : '0';
  }

  async ask(name: FunctionName, ...args: readonly Argument[]): Promise<Reply> {
    let values: unknown;
    try {
      values = await this.#call(`${libraryName}_${name}`, args);
    } catch (error) {
      throw errorOf(error);
    }
    const reply = new Reply(values);
    this.#onState(reply.state);
    return reply;
  }

  /** A function that only reads cannot begin a log or a new epoch, so another one does it first. */
  async read(name: FunctionName, ...args: readonly Argument[]): Promise<Reply> {
    try {
      return await this.ask(name, ...args);
    } catch (error) {
      if (!(error instanceof NotAdoptedError)) throw error;
      await this.ask('state', '', 0);
      return this.ask(name, ...args);
    }
  }
}

function describeRules({ all, fallback }: Rules): string {
  const rules = [...all, fallback].map(({ match, keep }) => [
    match,
    keep === 'none' ? keep : [keep.count, keep.bytes, keep.ageMs].map(String),
  ]);
  return JSON.stringify(rules);
}

function doubles(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 * numbers.length);
  for (const [at, number] of numbers.entries()) bytes.writeDoubleLE(number, 8 * at);
  return bytes;
}
