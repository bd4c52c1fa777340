import type { From, Offset, Topic } from '@fanfare/protocol';
import type {
  LogRecord,
  Opened,
  Page,
  PageBefore,
  PageLimit,
  Position,
  Start,
  TopicQuery,
} from '../topic-log.ts';
import type { FunctionClient } from './function-client.ts';
import type { Argument, At, OpenCall, PatternStart, ReadingLibrary, Run, Runs, Survey } from './library.ts';
import { listOf, recordsOf, runOf, startOf, surveyOf, topicAfterOf } from './replies.ts';

/** The functions that find places and read. */
export class ReadingFunctions implements ReadingLibrary {
  readonly #client: FunctionClient;

  constructor(client: FunctionClient) {
    this.#client = client;
  }

  async open(topic: Topic, from: From, { node, subject, isInUse }: OpenCall): Promise<At<Opened>> {
    const args = [...this.#startArguments(topic, from), this.#client.limits, node, isInUse ? '1' : '0'];
    if (subject !== undefined) args.push(subject);
    const reply = await this.#client.ask('open', ...args);
    const creation = reply.text() as Opened['creation'];
    const { state } = reply;
    if (creation === 'topics_exhausted') return { state, value: { creation } };
    return { state, value: { ...startOf(reply), creation } };
  }

  async locate(topic: Topic, from: From): Promise<At<Start & { readonly isName: boolean }>> {
    const reply = await this.#client.read('locate', ...this.#startArguments(topic, from));
    const start = startOf(reply);
    return { state: reply.state, value: { ...start, isName: reply.number() === 1 } };
  }

  async page(topic: Topic, position: Position, { recordsMax, bytesMax }: PageLimit): Promise<At<Page>> {
    const { epoch, sequence, ordinal = -1 } = position;
    const reply = await this.#client.read('page', topic, epoch, sequence, ordinal, recordsMax, bytesMax);
    const { state } = reply;
    const through = reply.number();
    const last = reply.number();
    const isAtHead = reply.number() === 1;
    const dropped = reply.number();
    const before = reply.number();
    const records = recordsOf(reply.list(), topic, before + 1, state);
    const end = { epoch: state.epoch, sequence: through, ordinal: last };
    return { state, value: { records, position: end, isAtHead, dropped: dropped < 0 ? 'unknown' : dropped } };
  }

  async before(
    topic: Topic,
    { epoch, sequence }: Offset,
    { recordsMax, bytesMax }: PageLimit,
  ): Promise<At<PageBefore & { readonly isName: boolean }>> {
    const reply = await this.#client.read('before', topic, epoch, sequence, recordsMax, bytesMax);
    const { state } = reply;
    const newest = reply.number();
    const isAtStart = reply.number() === 1;
    const isName = reply.number() === 1;
    const items = reply.list().toReversed();
    const records = recordsOf(items, topic, newest - items.length + 1, state);
    return { state, value: { records, isAtStart, isName } };
  }

  async runs({ epoch, sequence, changes = 0, newest }: Position): Promise<At<Runs>> {
    const { count = -1, through: newestEnd = 0 } = newest ?? {};
    const reply = await this.#client.read('runs', epoch, sequence, changes, count, newestEnd);
    const { state } = reply;
    const through = reply.number();
    const isComplete = reply.number() === 1;
    const changesNow = reply.number();
    const newestThrough = reply.number();
    const isUnknown = reply.number() === 1;
    const topics = [...reply.topics(), ...reply.topics()];
    const segments = reply.topics();
    const runs = reply.list().map(runOf);
    const lost = { isUnknown, topics, segments };
    return { state, value: { runs, through, isComplete, changes: changesNow, newestThrough, lost } };
  }

  async records(
    epoch: string,
    runs: readonly Run[],
    bytesMax: number,
  ): Promise<At<readonly (readonly LogRecord[])[]>> {
    const args = runs.flatMap(({ topic, ordinal, sequence, count }) => [topic, ordinal, sequence, count]);
    const reply = await this.#client.read('records', epoch, bytesMax, ...args);
    const { state } = reply;
    const records = reply.list().map((list, at) => {
      const items = listOf(list);
      const { topic, ordinal, count } = runs[at] as Run;
      return recordsOf(items, topic, ordinal + count - items.length, state);
    });
    return { state, value: records };
  }

  async patternStart(from: From): Promise<At<PatternStart>> {
    const { amount, epoch } = amountOf(from);
    const reply = await this.#client.read('pattern_start', from.kind, amount, epoch);
    const sequence = reply.number();
    const kind = reply.text() as PatternStart['kind'];
    const changes = reply.number();
    const isUnknown = reply.number() === 1;
    const deleted = { isUnknown, topics: reply.topics(), segments: reply.topics() };
    const start = { sequence, changes, kind, deleted };
    const isKnown = reply.number() === 1;
    const after = reply.list().map(topicAfterOf);
    return { state: reply.state, value: isKnown ? { ...start, after } : start };
  }

  async survey(from: From, sequence: number, topics: readonly Topic[]): Promise<readonly Survey[]> {
    const reply = await this.#client.read('survey', from.kind, amountOf(from).amount, sequence, ...topics);
    return reply.list().map(surveyOf);
  }

  async names({
    prefix,
    after = '',
    limit,
  }: TopicQuery): Promise<{ readonly topics: readonly Topic[]; readonly isEnd: boolean }> {
    const reply = await this.#client.read('names', prefix, after, limit);
    const isEnd = reply.number() === 1;
    return { isEnd, topics: reply.topics() };
  }

  #startArguments(topic: Topic, from: From): Argument[] {
    const { amount, epoch } = amountOf(from);
    return [topic, from.kind, amount, epoch, this.#client.keepsNothing(topic)];
  }
}

function amountOf(from: From): { readonly amount: number; readonly epoch: string } {
  switch (from.kind) {
    case 'new':
    case 'earliest':
      return { amount: 0, epoch: '' };
    case 'last':
      return { amount: from.count, epoch: '' };
    case 'time':
      return { amount: from.ms, epoch: '' };
    case 'offset':
      return { amount: from.offset.sequence, epoch: from.offset.epoch };
  }
}
