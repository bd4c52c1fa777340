import type { Offset } from '@fanfare/protocol';
import type { Rules } from '../../rules/rule.ts';
import { LogUnwritableError, type PageLimit } from '../topic-log.ts';
import { decodeOutcomes, encodeRuns } from './batch-codec.ts';
import { FunctionClient, type LogFunctionsOptions } from './function-client.ts';
import type { AppendCall, AppendReply, CallFunction, LogLibrary, RemoteState, Since } from './library.ts';
import { NodeFunctions } from './node-functions.ts';
import { ReadingFunctions } from './reading-functions.ts';
import type { Reply } from './replies.ts';
import { TopicFunctions } from './topic-functions.ts';

/** The functions of the log in Redis, with their arguments and answers as objects. It has no state. */
export class LogFunctions implements LogLibrary {
  readonly reading: ReadingFunctions;
  readonly topics: TopicFunctions;
  readonly nodes: NodeFunctions;
  readonly #client: FunctionClient;
  readonly #rules: Rules;
  readonly #level: LogFunctionsOptions['level'];

  constructor(call: CallFunction, options: LogFunctionsOptions) {
    this.#client = new FunctionClient(call, options);
    this.#rules = options.rules;
    this.#level = options.level;
    this.reading = new ReadingFunctions(this.#client);
    this.topics = new TopicFunctions(this.#client);
    this.nodes = new NodeFunctions(this.#client);
  }

  /** Changes limits from the next call on. */
  limit(topicsMax: number, unusedPerSubjectMax: number): void {
    this.#client.limit(topicsMax, unusedPerSubjectMax);
  }

  async hello(node: string, seen: Offset | undefined): Promise<RemoteState> {
    const greet = (): Promise<Reply> =>
      this.#client.ask('hello', node, seen?.epoch ?? '', seen?.sequence ?? 0);
    const first = await greet();
    if (first.number() > 1) return first.state;
    // Without variables, the log could give a place to two messages.
    const second = await greet();
    if (second.number() > 1) return second.state;
    throw new LogUnwritableError('This Redis does not keep the variables of a library of functions.');
  }

  async state(seen?: Offset): Promise<RemoteState> {
    return (await this.#client.ask('state', seen?.epoch ?? '', seen?.sequence ?? 0)).state;
  }

  async append({ node, number, seen, validUntil, records }: AppendCall): Promise<AppendReply> {
    const runs = encodeRuns(records, ({ topic }) => this.#rules.of(topic));
    const reply = await this.#client.ask(
      'append',
      node,
      number,
      seen.epoch,
      seen.sequence,
      validUntil,
      this.#client.limits,
      ...runs,
    );
    const kind = reply.text() as AppendReply['kind'];
    return kind === 'done' ? { kind, outcomes: decodeOutcomes(reply.bytes(), this.#level()) } : { kind };
  }

  async since({ epoch, sequence }: Offset, { recordsMax, bytesMax }: PageLimit): Promise<Since> {
    const reply = await this.#client.read('since', epoch, sequence, recordsMax, bytesMax);
    const { state } = reply;
    const through = reply.number();
    const isComplete = reply.number() === 1;
    const hasGap = reply.number() === 1;
    return { records: reply.records(), through, isComplete, state, hasGap };
  }
}
