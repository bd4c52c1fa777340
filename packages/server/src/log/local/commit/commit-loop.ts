import { nextTimestamp, type ClockHistory } from '../effective-time.ts';
import { CommitPlan } from './commit-plan.ts';
import type { LogClock } from '../log-clock.ts';
import { CommitFigures } from '../../log-figures.ts';
import { OperationQueue, planOperation, weightOf, type Planned, type Submitted } from './operation-queue.ts';
import { CommitSize, gatheredShare, gatheringMs, savedPerCommitMax } from './commit-size.ts';
import type { RememberedIds } from '../remembered-ids.ts';
import type { Retention } from '../trimming/retention.ts';
import type { LogState, Store } from '../../store/store.ts';
import type { Invariants } from '../../../observability/invariants.ts';
import { LogClosedError, LogUncertainError, LogUnwritableError, type TailListener } from '../../topic-log.ts';
import { areInOrder } from '../record-order.ts';
import { nothingRemoved, storeCommitOf } from './store-commit.ts';
import { Tail } from './tail.ts';
import { Writability } from './writability.ts';
import type { TopicEntry } from '../topic-entry.ts';
import type { TopicTable } from '../topic-table.ts';

export interface CommitLoopOptions {
  readonly store: Store;
  readonly topics: TopicTable;
  readonly ids: RememberedIds;
  readonly retention: Retention;
  /** The state of the store; the initial state if the store is new. */
  readonly state: LogState;
  readonly clock: LogClock;
  readonly invariants: Invariants;
  /** Called if something fails in the background. */
  readonly onFailure: (error: unknown) => void;
  /**
   * Called with a reason if messages cannot be stored, and without a reason when they can be stored again.
   */
  readonly onWritable: (reason?: unknown) => void;
}

/**
 * Makes commits, one at a time: of operations, and of the log's own chores, which are storing topics,
 * removing messages by the rules, and forgetting names. Operations that arrive during a commit are committed
 * together in the next one.
 */
export class CommitLoop {
  readonly figures: CommitFigures = new CommitFigures();
  readonly #options: CommitLoopOptions;
  readonly #pending = new OperationQueue();
  readonly #commitSize = new CommitSize();
  readonly #tail: Tail;
  /** Topics that are only in memory. */
  readonly #unsaved = new Set<TopicEntry>();
  #inFlight: CommitPlan | undefined;
  /** Changes of the state that wait for the commit in flight. */
  readonly #changes: ((state: LogState) => LogState)[] = [];
  #state: LogState;
  #isBusy = false;
  /** Set while the next commit waits for more operations. */
  #gathering: NodeJS.Timeout | undefined;
  /** The number of clients that operate at the same time, by the last commit to a disk. */
  #concurrent = 0;
  /** Whether the last commit that had something to store failed. */
  #isFailing = false;
  readonly #writability: Writability;
  /** False from a failed commit to the next sweep: until then only operations are retried. */
  #mayDoChores = true;
  #isClosed = false;
  #onIdle = (): void => {};

  constructor(options: CommitLoopOptions) {
    this.#options = options;
    this.#state = options.state;
    this.#tail = new Tail(options.invariants, options.state.head);
    this.#writability = new Writability(options.onWritable);
  }

  /** The state that is committed and was given to the tail. */
  get state(): LogState {
    return this.#state;
  }

  /** The commit that is being stored. */
  get inFlight(): CommitPlan | undefined {
    return this.#inFlight;
  }

  /** The bytes that wait for a commit. */
  get waitingBytes(): number {
    return this.#pending.bytes;
  }

  /** The limit of records for a commit. */
  get recordsMax(): number {
    return this.#commitSize.recordsMax;
  }

  /** Whether messages can be stored, as far as it is known. */
  get isWritable(): boolean {
    return !this.#writability.isFailing(this.#options.clock.running);
  }

  tail(listener: TailListener): void {
    this.#tail.listen(listener);
  }

  /** Gives the planned result after the commit, or the error if the commit fails. */
  submit<T>(operation: Submitted<T>): void {
    if (this.#isClosed) return operation.fail(new LogClosedError());
    this.#pending.add(operation);
    this.#work();
  }

  /** Changes topics and the state between two commits. The next commit stores the state. */
  change(change: (state: LogState) => LogState): void {
    if (this.#inFlight) this.#changes.push(change);
    else this.#state = change(this.#state);
  }

  /** Stores a topic soon that is only in memory, or that has changed. */
  save(entry: TopicEntry): void {
    this.#unsaved.add(entry);
    this.#work();
  }

  /**
   * Looks for messages that are too old, and retries failed chores. MUST be called every second.
   *
   * @returns whether to call it again in the next turn of the event loop
   */
  sweep(): boolean {
    // During a commit, the state is about to be replaced.
    if (this.#inFlight) this.#options.clock.sample();
    else this.#sampleClock();
    this.#writability.report(this.#options.clock.running);
    const isDone = this.#options.retention.sweep(this.#clockHistory);
    this.#mayDoChores = true;
    if (this.#hasChores) this.#work();
    return !isDone;
  }

  /** Resolves after all earlier operations are settled. All later ones reject. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#isBusy) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    await this.#saveClock();
  }

  /**
   * Lets the next start see how far the clock has jumped. Otherwise a clock would be on trial after mere
   * idleness.
   */
  async #saveClock(): Promise<void> {
    const { store } = this.#options;
    try {
      if (store.level !== 'disk' || !store.readState()) return;
      this.#sampleClock();
      await store.commit({ state: this.#state, blocks: [], chunks: [], ids: [], ...nothingRemoved });
    } catch {
      // Nothing is lost, and every operation was settled before.
    }
  }

  get #hasChores(): boolean {
    if (!this.#mayDoChores) return false;
    const { retention, topics } = this.#options;
    return this.#unsaved.size > 0 || (!this.#isClosed && (retention.hasWork || topics.unused.isExcessive));
  }

  #sampleClock(): void {
    const { clock } = this.#options;
    clock.sample();
    this.#state = clock.stateNow(this.#state);
  }

  get #clockHistory(): ClockHistory {
    const { trustedTime, clockSteps } = this.#state;
    return { trustedTime, clockSteps, trial: this.#options.clock.trial };
  }

  #work(): void {
    const isEnough = this.#pending.count >= this.#concurrent * gatheredShare;
    if (this.#isBusy) {
      if (this.#gathering && isEnough) this.#commitSoon();
      return;
    }
    this.#isBusy = true;
    if (isEnough) this.#commitSoon();
    else this.#gathering = setTimeout(() => this.#commitSoon(), gatheringMs);
  }

  /**
   * Operations of the same turn of the event loop are committed together, and get their outcomes together.
   */
  #commitSoon(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    setImmediate(() => void this.#commit());
  }

  async #commit(): Promise<void> {
    const begun = performance.now();
    const plan = this.#newPlan();
    const removal = this.#mayDoChores ? this.#options.retention.collect(this.#clockHistory) : undefined;
    // After a failure, a removal is committed alone: on a full disk it may succeed where more would not.
    const isAlone = this.#isFailing && removal !== undefined;
    const group = isAlone
      ? []
      : this.#pending.take(this.recordsMax).map((operation) => planOperation(operation, plan));
    const saving = isAlone || !this.#mayDoChores ? [] : this.#planChores(plan);
    const commit = storeCommitOf(plan, removal);
    const planningMs = performance.now() - begun;
    const { store } = this.#options;
    if (commit) {
      try {
        this.#inFlight = plan;
        this.#expectOrder(plan);
        await store.commit(commit);
        this.#isFailing = false;
        // A removal does not count: it may succeed where nothing else does.
        if (group.length > 0) this.#writability.noteSuccess();
        this.#concurrent = store.level === 'disk' ? group.length + this.#pending.count : 0;
      } catch (error) {
        removal?.fail();
        this.#fail(group, error);
        return;
      } finally {
        this.#inFlight = undefined;
      }
    }
    removal?.apply();
    for (const entry of saving) this.#unsaved.delete(entry);
    const stored = performance.now();
    if (plan.records.length > 0) this.figures.note(plan.records.length, stored - begun);
    this.#finish(plan, group, commit?.state);
    const records = group.reduce((sum, { operation }) => sum + weightOf(operation), 0);
    this.#commitSize.note(records, planningMs + performance.now() - stored);
    this.#next();
  }

  #newPlan(): CommitPlan {
    const { topics, ids, store, clock } = this.#options;
    this.#sampleClock();
    ids.forget(clock.running);
    const time = nextTimestamp(this.#state.time, clock.shown);
    return new CommitPlan({ topics, ids, state: this.#state, time, level: store.level });
  }

  /** @returns the topics that will be stored */
  #planChores(plan: CommitPlan): readonly TopicEntry[] {
    plan.forgetExcess();
    const saving: TopicEntry[] = [];
    for (const entry of this.#unsaved) {
      if (saving.length >= savedPerCommitMax) break;
      saving.push(entry);
      plan.save(entry);
    }
    return saving;
  }

  /**
   * Applies a plan after its commit, gives the outcomes, and delivers the records to the tail.
   *
   * @param stored - the new state of the store; undefined if there was nothing to store
   */
  #finish(plan: CommitPlan, group: readonly Planned[], stored: LogState | undefined): void {
    const { retention } = this.#options;
    const changed = plan.apply(stored !== undefined);
    this.#state = stored ?? { ...this.#state, time: plan.newestTime };
    const { messages, bytes, chunks } = plan.blocks;
    retention.grow(messages, bytes, chunks.length);
    for (const entry of changed) {
      retention.note(entry);
      if (entry.isDeleted) this.#unsaved.delete(entry);
      else if (!entry.isSaved) this.#unsaved.add(entry);
    }
    const isCommitted = this.#expectCommitted(plan);
    for (const { operation, resolve } of group) {
      if (isCommitted) resolve();
      else
        operation.fail(
          new LogUncertainError(
            'A bug in the server: it is unknown whether the message was stored. Publish it again.',
          ),
        );
    }
    this.#tail.deliver(plan.records);
  }

  /**
   * Refuses a commit that would overwrite records: going on would lose messages.
   *
   * @throws LogUnwritableError
   */
  #expectOrder(plan: CommitPlan): void {
    const { head } = this.#state;
    const details = { head, records: plan.records.length };
    if (this.#options.invariants.check(areInOrder(plan.records, head), 'commit_order', details)) return;
    throw new LogUnwritableError(
      `A bug in the server: the commit after message ${head} of the log is out of order. It was refused; nothing is lost.`,
    );
  }

  /**
   * Whether the records of a plan are committed. If not, its operations must fail: going on would acknowledge
   * lost messages.
   */
  #expectCommitted({ head: planned }: CommitPlan): boolean {
    const { head } = this.#state;
    return this.#options.invariants.check(planned === head, 'outcome_committed', { head, planned });
  }

  /** Fails the operations that needed the store. The others succeed on their own. */
  #fail(group: readonly Planned[], error: unknown): void {
    this.#isFailing = true;
    this.figures.failures++;
    this.#writability.noteFailure(this.#options.clock.running, error);
    this.#mayDoChores = false;
    let isReported = false;
    for (const { operation } of group) {
      const plan = this.#newPlan();
      const planned = planOperation(operation, plan);
      if (plan.weight === 0) {
        this.#finish(plan, [planned], undefined);
      } else {
        operation.fail(error);
        isReported = true;
      }
    }
    if (!isReported) this.#options.onFailure(error);
    this.#next();
  }

  #next(): void {
    for (const change of this.#changes.splice(0)) this.#state = change(this.#state);
    this.#isBusy = false;
    if (!this.#pending.isEmpty || this.#hasChores) this.#work();
    else this.#onIdle();
  }
}
