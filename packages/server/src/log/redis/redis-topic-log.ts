import { isPattern, type From, type Interest, type Offset, type Topic } from '@fanfare/protocol';
import type { Rules } from '../../rules/rule.ts';
import {
  LogClosedError,
  type AppendOutcome,
  type LogUsage,
  type MayRead,
  type NewRecord,
  type Opened,
  type Opening,
  type OutcomeListener,
  type Page,
  type PageBefore,
  type PageLimit,
  type Position,
  type Revocation,
  type RevocationStore,
  type Start,
  type TailListener,
  type TopicCreation,
  type TopicLog,
  type TopicQuery,
  type TopicState,
} from '../topic-log.ts';
import { CallOrder } from './call-order.ts';
import { appendCovered } from './covered-appends.ts';
import type { At } from './library.ts';
import { PatternFilter } from './reading/pattern-filter.ts';
import type { RecentRecords } from './recent-records.ts';
import { readPattern } from './reading/pattern-page.ts';
import { throwChangeError } from './redis-errors.ts';
import { locatePattern } from './reading/pattern-start.ts';
import { SharedReads } from './reading/shared-reads.ts';
import { RedisRevocations } from './redis-revocations.ts';
import { SharedPatterns } from './shared-patterns.ts';
import type { AwaitedPlace } from './tail-waiters.ts';
import { Upkeep, type UpkeepOptions } from './upkeep.ts';

/** This server's own part of the log: its appends, its tail, and the newest records in memory. */
export interface LogNode {
  readonly epoch: string;
  readonly head: number;
  readonly recent: Pick<RecentRecords, 'read' | 'locate' | 'resume'>;
  append(records: readonly NewRecord[]): Promise<readonly AppendOutcome[]>;
  listen(listener: TailListener): void;
  /** Resolves once the tail is at a place of the log, or after it. */
  reached(place: AwaitedPlace): Promise<void>;
  close(): Promise<void>;
}

export interface RedisTopicLogOptions extends UpkeepOptions {
  readonly node: LogNode;
  readonly rules: Rules;
  readonly topicsMax: number;
}

/** Redis executes a batch of so many messages in less than 5 ms. */
const recordsPerAppendMax = 256;

/**
 * The log that any number of servers share, in Redis. This node appends through a pipeline, gets new records
 * from its tail, and asks Redis for everything else.
 */
export class RedisTopicLog implements TopicLog, RevocationStore {
  topicsMax: number;
  /** Applies changed rules to the topics that exist. Never rejects. */
  readonly applyRules: () => Promise<void> = () => this.#upkeep.applyRules(true);
  readonly #options: RedisTopicLogOptions;
  readonly #order: CallOrder;
  readonly #reading: SharedReads;
  readonly #upkeep: Upkeep;
  readonly #patterns: SharedPatterns;
  readonly #revocations: RedisRevocations;
  #closing: Promise<void> | undefined;

  /** Opens the log, whose node has its first place already. */
  static async open(options: RedisTopicLogOptions): Promise<RedisTopicLog> {
    const stored = await options.topics.revocations();
    const revocations = new RedisRevocations(options.topics, stored);
    const upkeep = new Upkeep(options, revocations, stored.trustedTime);
    try {
      await upkeep.declareUsed();
    } catch (error) {
      await upkeep.stop();
      throw error;
    }
    void upkeep.applyRules(false);
    return new RedisTopicLog(options, upkeep, revocations);
  }

  private constructor(options: RedisTopicLogOptions, upkeep: Upkeep, revocations: RedisRevocations) {
    this.#options = options;
    this.topicsMax = options.topicsMax;
    this.#order = new CallOrder(() => options.node.append([]));
    this.#reading = new SharedReads(options.reading);
    this.#upkeep = upkeep;
    this.#patterns = new SharedPatterns(options.topics);
    this.#revocations = revocations;
  }

  get epoch(): string {
    return this.#options.node.epoch;
  }

  get head(): number {
    return this.#options.node.head;
  }

  get recordsMax(): number {
    return recordsPerAppendMax;
  }

  get revocations(): readonly Revocation[] {
    return this.#revocations.all;
  }

  get trustedTime(): number {
    return this.#upkeep.trustedTime;
  }

  async keepRevocation(revocation: Revocation, ended: readonly string[]): Promise<void> {
    this.#expectOpen();
    await this.#revocations.keep(revocation, ended).catch(throwChangeError);
  }

  onRevocations(listener: (revocations: readonly Revocation[]) => void): void {
    this.#revocations.listen(listener);
  }

  async append(records: readonly NewRecord[]): Promise<readonly AppendOutcome[]> {
    this.#expectOpen();
    const append = (some: readonly NewRecord[]): Promise<readonly AppendOutcome[]> =>
      this.#order.start(() => this.#options.node.append(some));
    const outcomes = await appendCovered(append, this.#patterns, records);
    this.#reading.noteChange();
    return outcomes;
  }

  appendOne(record: NewRecord, { onOutcome, onFailure }: OutcomeListener): void {
    this.append([record]).then(([outcome]) => onOutcome(outcome as AppendOutcome), onFailure);
  }

  tail(listener: TailListener): void {
    this.#options.node.listen(listener);
  }

  async open(interest: Interest, from: From, { mayRead, subject }: Opening = {}): Promise<Opened> {
    this.#expectOpen();
    if (isPattern(interest)) {
      this.#upkeep.tellUses();
      await this.#upkeep.cover(interest);
      return { ...(await this.locate(interest, from, mayRead)), creation: 'existed' };
    }
    const { nodeId: node, isInUse } = this.#options;
    const known = from.kind === 'offset' && this.#options.node.recent.resume(interest, from.offset);
    if (known) {
      this.noteUse(interest);
      return { ...known, creation: 'existed' };
    }
    const isUsed = isInUse(interest);
    const opened = await this.#order.start(() => {
      this.#upkeep.tellUses();
      return this.#reading.open(interest, from, { node, subject, isInUse: isUsed });
    });
    if (opened.value.creation === 'topics_exhausted') return opened.value;
    return {
      ...(await this.#startOf({ ...opened, value: opened.value }, from)),
      creation: opened.value.creation,
    };
  }

  async declareTopic(topic: Topic): Promise<TopicCreation> {
    return this.#change(() => this.#options.topics.declare(topic));
  }

  noteUse(interest: Interest): void {
    if (this.#closing || !this.#upkeep.noteUse(interest)) return;
    queueMicrotask(() => void this.#order.start(() => Promise.resolve(this.#upkeep.tellUses())));
  }

  async deleteTopic(topic: Topic): Promise<boolean> {
    return this.#change(() => this.#options.topics.delete(topic));
  }

  async topics(query: TopicQuery): Promise<readonly TopicState[]> {
    this.#expectOpen();
    return this.#options.topics.list(query);
  }

  async topicState(topic: Topic): Promise<TopicState | undefined> {
    this.#expectOpen();
    return this.#options.topics.state(topic);
  }

  async usage(): Promise<LogUsage> {
    this.#expectOpen();
    return this.#options.topics.usage();
  }

  async locate(interest: Interest, from: From, mayRead?: MayRead): Promise<Start> {
    this.#expectOpen();
    const { node, rules } = this.#options;
    const known = from.kind === 'offset' ? node.recent.locate(interest, from.offset, mayRead) : undefined;
    if (known) {
      // A topic without messages may be only a name, whose use counts.
      if (known.due === 0 && !isPattern(interest)) this.noteUse(interest);
      return known;
    }
    if (isPattern(interest)) {
      const filter = new PatternFilter(interest, mayRead);
      return this.#startOf(await locatePattern(this.#reading, filter, from, rules), from);
    }
    const located = await this.#reading.locate(interest, from);
    const { isName, ...start } = located.value;
    if (isName) this.noteUse(interest);
    return this.#startOf({ ...located, value: start }, from);
  }

  /** @throws LogDamagedError */
  async read(interest: Interest, position: Position, limit: PageLimit, mayRead?: MayRead): Promise<Page> {
    this.#expectOpen();
    const { node } = this.#options;
    const known = node.recent.read(interest, position, limit, mayRead);
    if (known) return known;
    const { value: page } = isPattern(interest)
      ? await readPattern(this.#reading, new PatternFilter(interest, mayRead), position, limit)
      : await this.#reading.page(interest, position, limit);
    if (!page.isAtHead) return page;
    await node.reached(page.position);
    if (isTailAt(node, page.position)) return page;
    // Messages have come meanwhile. If they are in memory, the reader gets them in this turn.
    const more = node.recent.read(interest, page.position, restOf(limit, page), mayRead);
    if (!more || more.dropped !== 0 || more.records.length + page.records.length > limit.recordsMax)
      return { ...page, isAtHead: false };
    return { ...page, ...more, records: [...page.records, ...more.records], dropped: page.dropped };
  }

  /** @throws LogDamagedError */
  async readBefore(topic: Topic, before: Offset, limit: PageLimit): Promise<PageBefore> {
    this.#expectOpen();
    const { value } = await this.#reading.before(topic, before, limit);
    const { isName, ...page } = value;
    if (isName) this.noteUse(topic);
    return page;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Does what is done every second. Never rejects. */
  sweep(): Promise<void> {
    return this.#upkeep.sweep();
  }

  async #close(): Promise<void> {
    const { node } = this.#options;
    await node.append([]);
    await this.#upkeep.stop();
    await node.close();
  }

  async #change<T>(change: () => Promise<T>): Promise<T> {
    this.#expectOpen();
    const result = await this.#order.alone(() => {
      // Uses that were noted before are told before.
      this.#upkeep.tellUses();
      return change().catch(throwChangeError);
    });
    this.#reading.noteChange();
    return result;
  }

  /** A start, once this node's tail is at the head that Redis has named. */
  async #startOf({ state, value }: At<Start>, from: From): Promise<Start> {
    const { node } = this.#options;
    const { epoch, head: sequence, batch } = state;
    await node.reached({ epoch, sequence, batch });
    if (from.kind !== 'new' || isTailAt(node, value.position)) return value;
    // What came meanwhile is not new.
    const { changes } = value.position;
    const position = { epoch: node.epoch, sequence: node.head };
    return { ...value, position: { ...position, ...(changes !== undefined && { changes }) } };
  }

  /** @throws LogClosedError */
  #expectOpen(): void {
    if (this.#closing) throw new LogClosedError();
  }
}

/** What fits into a page after some records. */
function restOf({ recordsMax, bytesMax }: PageLimit, { records }: Page): PageLimit {
  let bytes = 0;
  for (const { messageJson } of records) bytes += Buffer.byteLength(messageJson);
  return { recordsMax: recordsMax - records.length, bytesMax: bytesMax - bytes };
}

function isTailAt({ epoch, head }: LogNode, place: Offset): boolean {
  return place.epoch === epoch && place.sequence === head;
}
