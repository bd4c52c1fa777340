import { isPattern, type From, type Interest, type Offset, type Topic } from '@fanfare/protocol';
import type { Rules } from '../../rules/rule.ts';
import type { Invariants } from '../../observability/invariants.ts';
import type { CommitPlan } from './commit/commit-plan.ts';
import { applyRules } from './apply-rules.ts';
import { CommitLoop } from './commit/commit-loop.ts';
import type { ClockEvent } from './log-clock.ts';
import { readTopicBefore } from './reading/backward-page.ts';
import { locate } from './reading/locate.ts';
import type { LogView } from './reading/log-view.ts';
import { patternFilter } from './reading/pattern-filter.ts';
import { readPattern } from './reading/pattern-page.ts';
import { readTopic } from './reading/topic-page.ts';
import { loadStore } from './load-store.ts';
import { areInOrder } from './record-order.ts';
import { RememberedIds, type RememberedIdsOptions } from './remembered-ids.ts';
import { Retention } from './trimming/retention.ts';
import type { LogFigures } from '../log-figures.ts';
import type { LogState, Store } from '../store/store.ts';
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
import type { TopicEntry } from './topic-entry.ts';
import { inOrderOfUse, TopicTable } from './topic-table.ts';
import { UnusedNames, type UnusedNamesOptions } from './unused-names.ts';

export interface LocalTopicLogOptions extends RememberedIdsOptions, UnusedNamesOptions {
  readonly store: Store;
  readonly rules: Rules;
  readonly topicsMax: number;
  /** The limit of the messages in memory, if they are stored there. */
  readonly memoryBytesMax: number;
  /** The epoch of the log if the store is new. */
  readonly newEpoch: string;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  readonly invariants: Invariants;
  readonly onClockEvent: (event: ClockEvent) => void;
  /** Called if something fails in the background. */
  readonly onFailure: (error: unknown) => void;
  /**
   * Called with a reason if messages cannot be stored, and without a reason when they can be stored again.
   */
  readonly onWritable: (reason?: unknown) => void;
}

/** The limits that can change while a log is open. */
export type ChangeableLimits = Pick<LocalTopicLogOptions, 'topicsMax' | 'unusedPerSubjectMax'>;

/** The interval in which the log looks for messages that are too old. */
const sweepIntervalMs = 1_000;

/**
 * The log of one machine, over a {@link Store}.
 *
 * It makes one commit at a time. Operations that arrive meanwhile are committed together afterwards (group
 * commit), so that they share one fsync. Operations that store nothing wait only for their turn in the order.
 */
export class LocalTopicLog implements TopicLog, RevocationStore {
  readonly #options: LocalTopicLogOptions;
  readonly #topics: TopicTable;
  readonly #commits: CommitLoop;
  readonly #retention: Retention;
  readonly #ids: RememberedIds;
  readonly #view: LogView;
  readonly #sweeper: NodeJS.Timeout;
  /** Topics with a pending declaration or deletion. Later operations on them wait in the queue. */
  readonly #changing = new Map<Topic, number>();
  #closing: Promise<void> | undefined;

  /** @throws LogDamagedError */
  constructor(options: LocalTopicLogOptions) {
    const { store, rules, onClockEvent: onEvent } = options;
    this.#options = options;
    this.#topics = new TopicTable(rules, new UnusedNames(options), options.topicsMax);
    this.#ids = new RememberedIds(options);
    const world = { ...options, topics: this.#topics, ids: this.#ids };
    const { state, clock } = loadStore(store, { ...world, onEvent });
    const retention = new Retention(world);
    this.#retention = retention;
    this.#commits = new CommitLoop({ ...world, retention, state, clock });
    for (const entry of this.#topics.everyNumber()) {
      retention.note(entry);
      if (!entry.isSaved) this.#commits.save(entry);
    }
    for (const entry of inOrderOfUse(this.#topics)) this.#topics.unused.note(entry);
    this.#view = { store, topics: this.#topics, state: () => this.#stateIfOpen() };
    this.#sweeper = setInterval(() => this.#sweep(), sweepIntervalMs).unref();
    this.#sweep();
  }

  get epoch(): string {
    return this.#commits.state.epoch;
  }

  get head(): number {
    return this.#commits.state.head;
  }

  get topicsMax(): number {
    return this.#topics.sizeMax;
  }

  /** Applies changed limits, and changed rules to the topics that exist. */
  reconfigure({ topicsMax, unusedPerSubjectMax }: ChangeableLimits, haveRulesChanged: boolean): void {
    this.#topics.sizeMax = topicsMax;
    this.#topics.unused.perSubjectMax = unusedPerSubjectMax;
    if (haveRulesChanged) applyRules(this.#topics, this.#retention, this.#commits);
  }

  /** Whether messages can be stored, as far as it is known. */
  get isWritable(): boolean {
    return this.#commits.isWritable;
  }

  get figures(): LogFigures {
    const { figures: commits, waitingBytes } = this.#commits;
    return { commits, waitingBytes, retention: this.#retention.figures, ids: this.#ids.size };
  }

  get revocations(): readonly Revocation[] {
    return this.#commits.state.revocations;
  }

  get trustedTime(): number {
    return this.#commits.state.trustedTime;
  }

  keepRevocation(revocation: Revocation, ended: readonly string[]): Promise<void> {
    return this.#submit((plan) => plan.revoke(revocation, ended));
  }

  /** No other server changes them. */
  onRevocations(): void {}

  get recordsMax(): number {
    return this.#commits.recordsMax;
  }

  tail(listener: TailListener): void {
    this.#commits.tail(listener);
  }

  append(records: readonly NewRecord[]): Promise<readonly AppendOutcome[]> {
    let bytes = 0;
    for (const { messageJson } of records) bytes += messageJson.length;
    return this.#submit((plan) => records.map((record) => plan.append(record)), records.length, bytes);
  }

  appendOne(record: NewRecord, { onOutcome, onFailure }: OutcomeListener): void {
    const plan = (commit: CommitPlan): AppendOutcome => commit.append(record);
    const { length: bytes } = record.messageJson;
    this.#commits.submit({ plan, resolve: onOutcome, fail: onFailure, records: 1, bytes });
  }

  async open(interest: Interest, from: From, { mayRead, subject }: Opening = {}): Promise<Opened> {
    if (isPattern(interest)) return { creation: 'existed', ...(await this.locate(interest, from, mayRead)) };
    const creation = await this.#createTopic(interest, subject);
    if (creation === 'topics_exhausted') return { creation };
    // The call began before the log was closed, so it succeeds even if the log is closing now.
    const view = { ...this.#view, state: () => this.#commits.state };
    return { creation, ...(await locate(view, interest, from)) };
  }

  async declareTopic(topic: Topic): Promise<TopicCreation> {
    this.#stateIfOpen();
    return this.#change(topic, (plan) => plan.create(topic, true));
  }

  async #createTopic(topic: Topic, subject: string | undefined): Promise<TopicCreation> {
    const { head } = this.#stateIfOpen();
    const create = (plan: CommitPlan): TopicCreation => plan.create(topic, false, subject);
    const inFlight = this.#commits.inFlight;
    if (this.#changing.has(topic) || inFlight?.changes(topic)) return this.#submit(create);
    const known = this.#topics.get(topic);
    if (known) {
      this.#topics.unused.note(known);
      return 'existed';
    }
    // The creations of the commit in flight may still fail. At the limit, only a commit can forget a name.
    const isGrowing = inFlight !== undefined && inFlight.growth > 0;
    if (isGrowing || this.#topics.size >= this.topicsMax) return this.#submit(create);
    // It is stored later: a subscriber does not need the topic after a crash.
    const entry = this.#topics.make(topic, head, { subject });
    this.#topics.add(entry);
    this.#topics.unused.note(entry);
    this.#commits.save(entry);
    return 'created';
  }

  noteUse(interest: Interest): void {
    if (isPattern(interest)) return;
    const entry = this.#topics.get(interest);
    if (entry) this.#topics.unused.note(entry);
  }

  deleteTopic(topic: Topic): Promise<boolean> {
    return this.#change(topic, (plan) => plan.delete(topic));
  }

  async topics({ prefix, after, limit }: TopicQuery): Promise<readonly TopicState[]> {
    this.#stateIfOpen();
    return this.#topics.list(prefix, after, limit).map((entry) => this.#stateOf(entry));
  }

  async topicState(topic: Topic): Promise<TopicState | undefined> {
    this.#stateIfOpen();
    const entry = this.#topics.get(topic);
    return entry && this.#stateOf(entry);
  }

  async usage(): Promise<LogUsage> {
    this.#stateIfOpen();
    const topics = this.#topics.size;
    const { store, memoryBytesMax: bytesMax } = this.#options;
    if (store.diskBytes !== undefined) return { topics, kind: 'disk', bytes: store.diskBytes };
    return { topics, kind: 'memory', bytes: this.#retention.memoryBytes, bytesMax };
  }

  locate(interest: Interest, from: From, mayRead?: MayRead): Promise<Start> {
    this.noteUse(interest);
    return locate(this.#view, interest, from, mayRead);
  }

  /** @throws LogDamagedError */
  async read(interest: Interest, position: Position, limit: PageLimit, mayRead?: MayRead): Promise<Page> {
    const page = isPattern(interest)
      ? readPattern(this.#view, patternFilter(interest, mayRead), position, limit)
      : readTopic(this.#view, interest, position, limit);
    this.#checkOrder(page, position);
    return page;
  }

  /** @throws LogDamagedError */
  async readBefore(topic: Topic, before: Offset, limit: PageLimit): Promise<PageBefore> {
    this.noteUse(topic);
    return readTopicBefore(this.#view, topic, before, limit);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#sweeper);
    await this.#commits.close();
    await this.#options.store.close();
  }

  /**
   * Checks the order of a page. A page that fails the check is returned all the same: its reader must not
   * lose messages.
   */
  #checkOrder({ records, position: { sequence: end } }: Page, { sequence: start }: Position): void {
    const isForward = end >= Math.min(start, this.head) && areInOrder(records, start);
    this.#options.invariants.check(isForward, 'page_order', { start, end, records: records.length });
  }

  /** @throws LogClosedError */
  #stateIfOpen(): LogState {
    if (this.#closing) throw new LogClosedError();
    return this.#commits.state;
  }

  #stateOf({ name, count, trimmed, lastSequence: sequence, published, lastTime }: TopicEntry): TopicState {
    const messages = count - trimmed;
    return {
      topic: name,
      messages,
      ...(sequence > 0 && { last: { epoch: this.epoch, sequence } }),
      published,
      ...(published + messages > 0 && { lastTime }),
    };
  }

  /** Resolves to the planned result after the commit; rejects if the commit fails. */
  #submit<T>(plan: (plan: CommitPlan) => T, records = 0, bytes = 0): Promise<T> {
    return new Promise((resolve, fail) => this.#commits.submit({ plan, resolve, fail, records, bytes }));
  }

  async #change<T>(topic: Topic, plan: (plan: CommitPlan) => T): Promise<T> {
    this.#changing.set(topic, (this.#changing.get(topic) ?? 0) + 1);
    try {
      return await this.#submit(plan);
    } finally {
      const others = (this.#changing.get(topic) ?? 1) - 1;
      if (others > 0) this.#changing.set(topic, others);
      else this.#changing.delete(topic);
    }
  }

  #sweep(): void {
    if (this.#closing) return;
    if (this.#commits.sweep()) setImmediate(() => this.#sweep());
  }
}
