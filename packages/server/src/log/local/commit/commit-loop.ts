import { nextTimestamp, type ClockHistory } from '../effective-time.ts';
import { CommitPlan } from './commit-plan.ts';
import type { LogClock } from '../log-clock.ts';
import { OperationQueue, weightOf, type Operation } from './operation-queue.ts';
import { CommitSize } from './commit-size.ts';
import type { RememberedIds } from '../remembered-ids.ts';
import type { Removal, Retention } from '../trimming/retention.ts';
import type { LogState, Store, StoreCommit } from '../../store/store.ts';
import type { Invariants } from '../../../observability/invariants.ts';
import { LogClosedError, LogUncertainError, LogUnwritableError, type TailListener } from '../../topic-log.ts';
import { areInOrder } from '../record-order.ts';
import { Tail } from './tail.ts';
import type { TopicEntry } from '../topic-entry.ts';
import type { TopicTable } from '../topic-table.ts';

export interface CommitLoopOptions {
  readonly store: Store;
  readonly topics: TopicTable;
  readonly ids: RememberedIds;
  readonly retention: Retention;
  /** What the store has, or is to begin with. */
  readonly state: LogState;
  readonly topicsMax: number;
  readonly clock: LogClock;
  readonly invariants: Invariants;
  /** Something failed that nobody asked for. */
  readonly onFailure: (error: unknown) => void;
  /** What is asked for cannot be stored any more, for a reason; or it can again, without one. */
  readonly onWritable: (reason?: unknown) => void;
}

/** How many topics that are only in memory one commit saves. */
const savedPerCommitMax = 1_000;

/**
 * Whoever was answered asks again at once, as a rule, and a commit to a disk costs as much as a dozen publishes: most of
 * those that asked at the same time before are waited for, for a moment at the most.
 */
const gatheredShare = 0.75;
const gatheringMs = 1;

/** For how long no commit has to fail until it is told that messages can be stored again. */
const writableAfterMs = 5_000;

/** An operation as it is planned. */
interface Planned {
  readonly operation: Operation;
  readonly resolve: () => void;
}

/**
 * Makes commits, one at a time, of what is asked for and of the log's own chores: saving topics, removing what is not
 * kept, and forgetting names. What is asked for while one is made is committed together afterwards.
 */
export class CommitLoop {
  readonly #options: CommitLoopOptions;
  readonly #pending = new OperationQueue();
  readonly #commitSize = new CommitSize();
  readonly #tail: Tail;
  /** Topics that are only in memory. */
  readonly #unsaved = new Set<TopicEntry>();
  #inFlight: CommitPlan | undefined;
  #state: LogState;
  #isBusy = false;
  /** There while what is to be committed next is waited for. */
  #gathering: NodeJS.Timeout | undefined;
  /** How many ask at the same time, as the last commit to a disk showed. */
  #askers = 0;
  /** Whether the last commit that had something to store failed. */
  #isFailing = false;
  /** When one did last, by the time for which the clock has run, while that is told; and whether one has succeeded since. */
  #unwritable: { since: number; isOver: boolean } | undefined;
  /** Not after a commit that failed, until the next sweep: only what is asked for is tried again at once. */
  #mayDoChores = true;
  #isClosed = false;
  #onIdle = (): void => {};

  constructor(options: CommitLoopOptions) {
    this.#options = options;
    this.#state = options.state;
    this.#tail = new Tail(options.invariants, options.state.head);
  }

  /** What was committed, and given to the tail. */
  get state(): LogState {
    return this.#state;
  }

  /** The commit that is being made. */
  get inFlight(): CommitPlan | undefined {
    return this.#inFlight;
  }

  /** How many records a commit is to have at the most. */
  get recordsMax(): number {
    return this.#commitSize.recordsMax;
  }

  tail(listener: TailListener): void {
    this.#tail.listen(listener);
  }

  /** Resolves to what was planned once it is so; rejects when it is not. */
  submit<T>(plan: (plan: CommitPlan) => T, records = 0, bytes = 0): Promise<T> {
    if (this.#isClosed) return Promise.reject(new LogClosedError());
    const resolve = this.#pending.add(plan, records, bytes);
    this.#work();
    return resolve;
  }

  /** Has a topic saved that is only in memory, some time soon. */
  save(entry: TopicEntry): void {
    this.#unsaved.add(entry);
    this.#work();
  }

  /**
   * To be called now and then: looks for what is too old, and does chores that failed again.
   *
   * @returns whether it is to be called again in the next turn
   */
  sweep(): boolean {
    // While a commit is made, the state is about to become the commit's.
    if (this.#inFlight) this.#options.clock.sample();
    else this.#look();
    this.#tellWhenWritable();
    const isDone = this.#options.retention.sweep(this.#clockHistory);
    this.#mayDoChores = true;
    if (this.#hasChores) this.#work();
    return !isDone;
  }

  /** Resolves when all that was asked for is answered. Whatever is asked for from now on is rejected. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#isBusy) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    await this.#saveClock();
  }

  /** Lets the next start tell how far the clock has jumped. Without it, a clock is on trial that was only idle. */
  async #saveClock(): Promise<void> {
    const { store } = this.#options;
    try {
      if (store.level !== 'disk' || !store.readState()) return;
      this.#look();
      await store.commit({ state: this.#state, blocks: [], chunks: [], ids: [], ...nothingRemoved });
    } catch {
      // Nothing is lost by it, and whoever asked for something was told.
    }
  }

  get #hasChores(): boolean {
    if (!this.#mayDoChores) return false;
    const { retention, topics } = this.#options;
    return this.#unsaved.size > 0 || (!this.#isClosed && (retention.hasWork || topics.unused.isExcessive));
  }

  #look(): void {
    const { clock } = this.#options;
    clock.sample();
    this.#state = clock.stateNow(this.#state);
  }

  get #clockHistory(): ClockHistory {
    const { trustedTime, clockSteps } = this.#state;
    return { trustedTime, clockSteps, trial: this.#options.clock.trial };
  }

  #work(): void {
    const isEnough = this.#pending.count >= this.#askers * gatheredShare;
    if (this.#isBusy) {
      if (this.#gathering && isEnough) this.#commitSoon();
      return;
    }
    this.#isBusy = true;
    if (isEnough) this.#commitSoon();
    else this.#gathering = setTimeout(() => this.#commitSoon(), gatheringMs);
  }

  /** What is asked for in the same turn is committed together, so that its answers go out together too. */
  #commitSoon(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    setImmediate(() => void this.#commit());
  }

  async #commit(): Promise<void> {
    const begun = performance.now();
    const plan = this.#newPlan();
    const removal = this.#mayDoChores ? this.#options.retention.collect(this.#clockHistory) : undefined;
    // Where there was no room, what makes room goes alone: it may succeed where more would not.
    const isAlone = this.#isFailing && removal !== undefined;
    const group = isAlone
      ? []
      : this.#pending.take(this.recordsMax).map((operation) => planOperation(operation, plan));
    const saving = isAlone || !this.#mayDoChores ? [] : this.#planChores(plan);
    const commit = commitOf(plan, removal);
    const planningMs = performance.now() - begun;
    const { store } = this.#options;
    if (commit) {
      try {
        this.#inFlight = plan;
        this.#expectOrder(plan);
        await store.commit(commit);
        this.#isFailing = false;
        // What makes room may succeed where nothing else does.
        if (this.#unwritable && group.length > 0) this.#unwritable.isOver = true;
        this.#askers = store.level === 'disk' ? group.length + this.#pending.count : 0;
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
    this.#finish(plan, group, commit?.state);
    const records = group.reduce((sum, { operation }) => sum + weightOf(operation), 0);
    this.#commitSize.note(records, planningMs + performance.now() - stored);
    this.#next();
  }

  #newPlan(): CommitPlan {
    const { topics, ids, topicsMax, store, clock } = this.#options;
    this.#look();
    ids.forget(clock.running);
    const time = nextTimestamp(this.#state.time, clock.shown);
    return new CommitPlan({ topics, ids, state: this.#state, topicsMax, time, level: store.level });
  }

  /** @returns the topics that are to be saved */
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
   * What was planned is so. The answers go out, and the tail gets what was appended.
   *
   * @param stored - the state that the store has now; undefined when it was given nothing
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
          new LogUncertainError('The log is not sure whether this was stored (a bug in the server).'),
        );
    }
    this.#tail.deliver(plan.records);
  }

  /**
   * Going on would store records in the place of others, so the commit is refused.
   *
   * @throws LogUnwritableError
   */
  #expectOrder(plan: CommitPlan): void {
    const { head } = this.#state;
    const details = { head, records: plan.records.length };
    if (this.#options.invariants.check(areInOrder(plan.records, head), 'commit_order', details)) return;
    throw new LogUnwritableError(
      `A commit after message ${head} of the log was out of order, and was refused.`,
    );
  }

  /** Going on would acknowledge records that are lost, so nothing of the plan is acknowledged. */
  #expectCommitted({ head: planned }: CommitPlan): boolean {
    const { head } = this.#state;
    return this.#options.invariants.check(planned === head, 'outcome_committed', { head, planned });
  }

  /** Nothing was stored. What needs no storing is so all the same, each for itself. */
  #fail(group: readonly Planned[], error: unknown): void {
    this.#isFailing = true;
    if (!this.#unwritable) this.#options.onWritable(error);
    this.#unwritable = { since: this.#options.clock.running, isOver: false };
    this.#mayDoChores = false;
    let isTold = false;
    for (const { operation } of group) {
      const plan = this.#newPlan();
      const planned = planOperation(operation, plan);
      if (plan.weight === 0) {
        this.#finish(plan, [planned], undefined);
      } else {
        operation.fail(error);
        isTold = true;
      }
    }
    if (!isTold) this.#options.onFailure(error);
    this.#next();
  }

  /** Where there is little room, a small message may succeed between two that do not. */
  #tellWhenWritable(): void {
    const { clock, onWritable } = this.#options;
    if (!this.#unwritable?.isOver || clock.running - this.#unwritable.since < writableAfterMs) return;
    this.#unwritable = undefined;
    onWritable();
  }

  #next(): void {
    this.#isBusy = false;
    if (!this.#pending.isEmpty || this.#hasChores) this.#work();
    else this.#onIdle();
  }
}

function planOperation(operation: Operation, plan: CommitPlan): Planned {
  return { operation, resolve: operation.plan(plan) };
}

/** Undefined when there is nothing to be stored. */
function commitOf(plan: CommitPlan, removal: Removal | undefined): StoreCommit | undefined {
  const { isNeeded, topics, removedTopics, ...planned } = plan.commit();
  if (!removal && !isNeeded) return undefined;
  const { topics: trimmed, removedTopics: purged, ...removed } = removal?.commit ?? nothingRemoved;
  const isForgotten = new Set(removedTopics);
  // What is planned for a topic is newer than what is known of it.
  const known = trimmed.filter(({ number }) => !isForgotten.has(number));
  return {
    ...planned,
    ...removed,
    topics: [...known, ...topics],
    removedTopics: [...purged, ...removedTopics],
  };
}

const nothingRemoved: Removal['commit'] = {
  topics: [],
  removedTopics: [],
  removedChunks: [],
  removedBlocks: [],
  removedIds: [],
};
