import type { Offset } from '@fanfare/protocol';
import { fixedLimits } from '../../limits/fixed-limits.ts';
import {
  LogBusyError,
  LogClosedError,
  LogUnreachableError,
  type AppendOutcome,
  type NewRecord,
} from '../topic-log.ts';
import { CommitFigures } from '../log-figures.ts';
import { AppendBatch, type WaitingAppend } from './append-batch.ts';
import type { LogLibrary } from './library.ts';
import { ConnectionLostError } from './redis-errors.ts';

export interface AppendPipelineOptions {
  readonly library: Pick<LogLibrary, 'append'>;
  /** Identifies this server, and no other one. */
  readonly node: string;
  /** What the tail has seen. */
  readonly seen: () => Offset;
  /** Redis's clock now, at the earliest. */
  readonly clock: () => number;
  /** Learns the epoch that the log has begun. */
  readonly learnEpoch: () => Promise<void>;
  /** Waits for the replicas that must confirm each batch; rejects with a LogUncertainError. */
  readonly confirm?: (() => Promise<void>) | undefined;
}

/** Redis executes a batch of this size in less than 5 ms. */
const recordsPerBatchMax = 256;
const bytesPerBatchMax = 524_288;

const batchesInFlightMax = 4;

/** An append without an answer for so long, in milliseconds, rejects. */
const appendTimeoutMs = 2_000;

/** A batch is sent only if it has at least so much time, in milliseconds, to be carried out. */
const sendTimeMinMs = 250;

const { value: waitingBytesMax } = fixedLimits.storesWaitingBytesMax;

/** The approximate overhead of a waiting append, and of each of its records. */
const overheadBytes = 256;

/**
 * Sends appends to Redis in numbered batches. It keeps some batches in flight; what comes meanwhile is the
 * next batch.
 *
 * After a broken connection, the batches without an answer are sent again, in order, under their numbers, and
 * nothing new is sent before them. Redis carries out a number once, and answers it with the same result
 * again. So a lost answer never makes a second record, even of a message without an id.
 *
 * Each batch has a time by Redis's clock after which Redis does not carry it out. This time is not later than
 * the time at which its appends reject here: an append whose failure was reported does not happen later.
 */
export class AppendPipeline {
  readonly figures: CommitFigures = new CommitFigures();
  readonly #options: AppendPipelineOptions;
  readonly #waiting: WaitingAppend[] = [];
  #waitingBytes = 0;
  /** Sent or to be sent again, in the order of their numbers. */
  #batches: AppendBatch[] = [];
  #number = 0;
  #isUp = false;
  /** The log has a new epoch, which must be known before batches are sent. */
  #isLearning = false;
  #isClosed = false;
  #isScheduled = false;
  #timer: NodeJS.Timeout | undefined;
  /** In the order of the calls. */
  readonly #unsettled = new Set<number>();
  #calls = 0;
  /** Each waits for the appends up to a call. */
  #barriers: { readonly call: number; readonly resolve: () => void }[] = [];

  constructor(options: AppendPipelineOptions) {
    this.#options = options;
  }

  /**
   * Resolves to one outcome per record. Appends take effect in their order. One without records resolves
   * after all earlier ones are settled.
   *
   * Rejects with a LogUnreachableError if the records are not in the log and will not be; with a
   * LogUncertainError if that is unknown; with a LogBusyError, a LogFullError or a LogUnwritableError if the
   * log refused them; with a LogClosedError.
   */
  async append(records: readonly NewRecord[]): Promise<readonly AppendOutcome[]> {
    if (this.#isClosed) throw new LogClosedError();
    if (records.length === 0) {
      await this.#settled();
      return [];
    }
    const bytes = records.reduce((sum, { messageJson }) => sum + Buffer.byteLength(messageJson), 0);
    const held = bytes + (records.length + 1) * overheadBytes;
    if (this.#waitingBytes + held > waitingBytesMax && this.#waitingBytes > 0) throw new LogBusyError();
    const call = ++this.#calls;
    this.#unsettled.add(call);
    this.#waitingBytes += held;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.push({ records, bytes, endsAt: performance.now() + appendTimeoutMs, resolve, reject });
        this.#setTimer();
        this.#schedule();
      });
    } finally {
      this.#waitingBytes -= held;
      this.#unsettled.delete(call);
      this.#openBarriers();
    }
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** A connection is there, and its log is known: sends again what has no answer. */
  resume(): void {
    this.#isUp = true;
    for (const batch of this.#batches) batch.isInFlight = false;
    this.#send();
  }

  /** The connection has ended: nothing is sent until {@link resume}. */
  pause(): void {
    this.#isUp = false;
  }

  /** Resolves after all appends are settled, which takes 2 s at most. All later ones reject. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#settled();
    clearTimeout(this.#timer);
  }

  /** Sends at the end of the turn, so that the publishes of one turn share a batch. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#send();
    });
  }

  /** Sends the batches in the order of their numbers, as far as they may be in flight. */
  #send(): void {
    if (!this.#isUp || this.#isLearning) return;
    this.#expire(sendTimeMinMs);
    for (let at = 0; at < batchesInFlightMax; at++) {
      const batch = this.#batches[at] ?? this.#nextBatch();
      if (!batch) return;
      if (!batch.isInFlight) void this.#exchange(batch);
    }
  }

  #nextBatch(): AppendBatch | undefined {
    let records = 0;
    let bytes = 0;
    let count = 0;
    for (const append of this.#waiting) {
      records += append.records.length;
      bytes += append.bytes;
      if (count > 0 && (records > recordsPerBatchMax || bytes > bytesPerBatchMax)) break;
      count++;
    }
    if (count === 0) return undefined;
    const batch = new AppendBatch(++this.#number, this.#waiting.splice(0, count));
    this.#batches.push(batch);
    return batch;
  }

  async #exchange(batch: AppendBatch): Promise<void> {
    const { library, node, seen, clock, confirm } = this.#options;
    const { number, records } = batch;
    // Redis counts whole milliseconds, and carries out the batch until the end of this one.
    const begun = performance.now();
    const validUntil = Math.floor(clock() + (batch.endsAt - begun)) - 1;
    const attempt = batch.begin();
    try {
      const reply = await library.append({ node, number, seen: seen(), validUntil, records });
      if (reply.kind === 'done') await confirm?.();
      if (!batch.isOf(attempt)) return;
      if (reply.kind === 'adopted') return await this.#learn(batch);
      this.#remove(batch);
      if (reply.kind === 'done') {
        this.figures.note(records.length, performance.now() - begun);
        batch.resolve(reply.outcomes);
      } else {
        this.figures.failures++;
        batch.reject(batch.refusal(reply.kind));
      }
    } catch (error) {
      if (!batch.isOf(attempt)) return;
      if (error instanceof ConnectionLostError) {
        // The batch stays, and is sent again on the next connection.
        if (!error.isAnswerLost) batch.wasRefused();
        return;
      }
      this.#remove(batch);
      this.figures.failures++;
      batch.reject(batch.failure(error));
    }
    this.#send();
  }

  /** Redis appended nothing, because the log has a new epoch: sends again all batches from this one on. */
  async #learn(batch: AppendBatch): Promise<void> {
    batch.wasRefused();
    batch.isInFlight = false;
    if (this.#isLearning) return;
    this.#isLearning = true;
    try {
      await this.#options.learnEpoch();
    } catch {
      // The batch is sent again when the next connection is there, or rejects when its time is over.
    }
    this.#isLearning = false;
    this.#send();
  }

  #remove(batch: AppendBatch): void {
    this.#batches = this.#batches.filter((each) => each !== batch);
  }

  /** Rejects appends without an answer in time. A batch that was sent is forgotten: its time is over. */
  #expire(timeMinMs: number): void {
    const now = performance.now();
    while (this.#waiting[0] && this.#waiting[0].endsAt - timeMinMs <= now) {
      this.figures.failures++;
      this.#waiting.shift()?.reject(new LogUnreachableError('Redis was not reached in time.'));
    }
    while (this.#batches[0] && this.#batches[0].endsAt <= now) {
      const batch = this.#batches.shift();
      this.figures.failures++;
      batch?.reject(batch.timeoutError());
    }
  }

  #setTimer(): void {
    const first = this.#batches[0] ?? this.#waiting[0];
    if (this.#timer || !first) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#expire(0);
        this.#setTimer();
      },
      Math.max(1, Math.ceil(first.endsAt - performance.now())),
    );
  }

  async #settled(): Promise<void> {
    if (this.#unsettled.size === 0) return;
    await new Promise<void>((resolve) => this.#barriers.push({ call: this.#calls, resolve }));
  }

  #openBarriers(): void {
    if (this.#barriers.length === 0) return;
    const [oldest = Infinity] = this.#unsettled;
    const [open, kept] = [
      this.#barriers.filter(({ call }) => call < oldest),
      this.#barriers.filter(({ call }) => call >= oldest),
    ];
    this.#barriers = kept;
    for (const { resolve } of open) resolve();
  }
}
