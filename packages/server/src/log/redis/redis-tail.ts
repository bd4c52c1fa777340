import type { Offset } from '@fanfare/protocol';
import type { Invariants } from '../../observability/invariants.ts';
import { LogClosedError, type LogRecord, type PageLimit, type TailListener } from '../topic-log.ts';
import { HeldFrames } from './held-frames.ts';
import type { Frame, LogLibrary, RemoteState, Since } from './library.ts';
import { descentOf } from './lineage.ts';
import type { RecentRecords } from './recent-records.ts';
import { isPast, lostPlace, TailWaiters, type AwaitedPlace } from './tail-waiters.ts';

export interface RedisTailOptions {
  readonly library: Pick<LogLibrary, 'hello' | 'state' | 'since'>;
  /** Identifies this server. */
  readonly node: string;
  /** What the log is when the tail begins. */
  readonly state: RemoteState;
  readonly recent: RecentRecords;
  readonly invariants: Invariants;
  /** Called if the tail cannot learn the state of the log. It tries again with {@link RedisTail.catchUp}. */
  readonly onFailure: (error: unknown) => void;
}

/** Reading so much takes Redis about 5 ms. */
const fillLimit: PageLimit = { recordsMax: 512, bytesMax: 524_288 };

/** A tail that is further behind continues at the head. The messages in between are read from the log. */
const behindRecordsMax = 100_000;
const behindBytesMax = 67_108_864;

const noListener: TailListener = { onRecords: () => {}, onMissed: () => {}, onBehind: () => {} };

/**
 * The end of the log as this server sees it. It gives the frames of the log's channel to the listener, in the
 * order of their numbers (`batch`).
 *
 * The channel can lose frames. When one is missing, later ones are held, the missing records are read from
 * the log, and then the held ones follow. Records that are not stored cannot be read: the listener is told
 * that some may be missing.
 *
 * A log that may have lost its newest messages has a new epoch. The log says up to which sequence the two are
 * one. If the tail is not past it, it continues, and nobody notices. Otherwise it continues at the new head,
 * and the listener is told to read from the old place.
 */
export class RedisTail {
  readonly #options: RedisTailOptions;
  readonly #held = new HeldFrames();
  readonly #waiters = new TailWaiters();
  #listener = noListener;
  /** The state of the log when the tail last changed its epoch, or last caught up. */
  #state: RemoteState;
  #epoch: string;
  #head: number;
  #batch: number;
  /** The batch of the last frame of an earlier epoch, until the numbers of the present epoch are known. */
  #earlier: { readonly batch: number; readonly epochs: number } | undefined;
  #catchingUp: Promise<void> | undefined;
  #isAskedAgain = false;
  #hasFailed = false;
  #isClosed = false;

  constructor(options: RedisTailOptions) {
    this.#options = options;
    this.#state = options.state;
    ({ epoch: this.#epoch, head: this.#head, batch: this.#batch } = options.state);
  }

  /** Changes before the listener is called. */
  get epoch(): string {
    return this.#epoch;
  }

  /** The sequence of the newest record that the listener was given. Changes before the listener is called. */
  get head(): number {
    return this.#head;
  }

  /** The number of the newest frame. */
  get batch(): number {
    return this.#batch;
  }

  get place(): Offset {
    return { epoch: this.#epoch, sequence: this.#head };
  }

  get isCatchingUp(): boolean {
    return this.#catchingUp !== undefined;
  }

  /** Whether the tail could not catch up when it last tried. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** The size of the frames that wait for others before them, in bytes. */
  get heldBytes(): number {
    return this.#held.bytes;
  }

  listen(listener: TailListener): void {
    this.#listener = listener;
  }

  /** Receives a frame from the channel. @param bytes - its size */
  receive(frame: Frame, bytes: number): void {
    if (this.#isClosed || this.#isOld(frame)) return;
    if (this.#isNext(frame) && !this.#catchingUp) {
      this.#deliver(frame);
      return;
    }
    this.#held.add(frame, bytes);
    if (!this.#catchingUp && !this.#hasFailed) void this.catchUp();
  }

  /**
   * Compares the tail with the log, and reads what is missing. To be called after each new connection. Never
   * rejects.
   */
  catchUp(): Promise<void> {
    this.#isAskedAgain = true;
    this.#catchingUp ??= this.#run().finally(() => (this.#catchingUp = undefined));
    return this.#catchingUp;
  }

  /**
   * Resolves in a turn in which the tail is at a place, or past it. Rejects with a LogUnreachableError if the
   * tail does not get there within 5 s, or if the log has lost the place: ask the log again.
   */
  async reached(place: AwaitedPlace): Promise<void> {
    if (this.#isClosed) throw new LogClosedError();
    if (isPast(this, place, this.#state)) return;
    const descent = descentOf(place.epoch, this.#state);
    if (descent && place.sequence > descent.cut) throw lostPlace();
    if (!descent) void this.catchUp();
    await this.#waiters.wait(place);
  }

  close(): void {
    this.#isClosed = true;
    this.#waiters.rejectAll(new LogClosedError());
  }

  #isOld({ epoch, batch }: Frame): boolean {
    return epoch === this.#epoch && batch <= this.#batch;
  }

  #isNext({ epoch, batch }: Frame): boolean {
    return epoch === this.#epoch && batch === this.#batch + 1;
  }

  #deliver(frame: Frame): void {
    const { batch, headBefore, head, records } = frame;
    const isInOrder = headBefore === this.#head && head >= headBefore;
    this.#options.invariants.check(isInOrder, 'tail_order', { head: this.#head, headBefore });
    this.#batch = batch;
    this.#head = head;
    this.#options.recent.add(frame);
    if (records.length > 0) this.#listener.onRecords(records);
    this.#waiters.settle(this, this.#state, false);
  }

  async #run(): Promise<void> {
    try {
      while (this.#isAskedAgain && !this.#isClosed) {
        this.#isAskedAgain = false;
        await this.#follow();
      }
      this.#hasFailed = false;
    } catch (error) {
      this.#hasFailed = true;
      this.#isAskedAgain = false;
      if (!this.#isClosed) this.#options.onFailure(error);
    }
  }

  /** Reads until the tail is where the log is, and then delivers the held frames. */
  async #follow(): Promise<void> {
    let bytes = 0;
    let state = await this.#newestState();
    for (;;) {
      if (this.#isClosed) return;
      this.#enter(state);
      if (this.#isAt(state)) {
        this.#state = state;
        this.#deliverHeld();
        this.#waiters.settle(this, this.#state, true);
        if (!this.#held.first) return;
        state = await this.#newestState();
      } else if (state.head - this.#head > behindRecordsMax || bytes > behindBytesMax) {
        this.#jump(state);
      } else {
        const since = await this.#options.library.since(this.place, fillLimit);
        state = since.state;
        if (!this.#isClosed && state.epoch === this.#epoch) bytes += this.#fill(since);
      }
    }
  }

  /**
   * The state of the log, which is not before the tail: frames are held meanwhile. A server process that goes
   * on with an older copy is told what this server has seen, and then begins a new epoch.
   */
  async #newestState(): Promise<RemoteState> {
    const { library, node } = this.#options;
    const { order } = this.#held;
    const state = await library.state();
    this.#held.dropForeign(order, state);
    const isOlder = state.epoch === this.#epoch && (state.head < this.#head || state.batch < this.#batch);
    return isOlder ? library.hello(node, this.place) : state;
  }

  #isAt({ epoch, head, batch }: RemoteState): boolean {
    return epoch === this.#epoch && head <= this.#head && batch <= this.#batch;
  }

  /** Continues in the epoch of the log. */
  #enter(state: RemoteState): void {
    if (state.epoch === this.#epoch) return;
    const descent = descentOf(this.#epoch, state);
    if (!descent || this.#head > descent.cut) {
      this.#jump(state);
      return;
    }
    this.#earlier = {
      batch: this.#earlier?.batch ?? this.#batch,
      epochs: (this.#earlier?.epochs ?? 0) + descent.epochs,
    };
    this.#epoch = state.epoch;
    this.#batch = 0;
    this.#state = state;
    this.#options.recent.enter(this.place);
    this.#continueWithHeld();
  }

  /** Delivers records that were read. @returns their size */
  #fill({ records: all, through, isComplete, hasGap, state }: Since): number {
    if (hasGap) {
      this.#jump(state);
      return 0;
    }
    const first = this.#firstHeld();
    // Held frames have the records after them, also those that are not stored.
    const end = Math.max(this.#head, first ? Math.min(through, first.headBefore) : through);
    const records = all.filter(({ sequence }) => sequence <= end);
    this.#head = end;
    this.#options.recent.restart(this.place);
    if (records.length > 0) this.#listener.onRecords(records);
    if (!this.#continueWithHeld() && isComplete) this.#skipTo(state.batch, true);
    return sizeOf(records);
  }

  /** The first held frame that the tail has not passed, if it is of the present epoch. */
  #firstHeld(): Frame | undefined {
    this.#held.takeWhile(
      (frame) => this.#isOld(frame),
      () => {},
    );
    const { first } = this.#held;
    return first?.epoch === this.#epoch ? first : undefined;
  }

  /** Delivers the held frames if all stored records before them are delivered. @returns whether they are */
  #continueWithHeld(): boolean {
    const first = this.#firstHeld();
    if (!first || first.headBefore !== this.#head) return false;
    this.#skipTo(first.batch - 1, !this.#isBeginningAfter(first));
    this.#deliverHeld();
    return true;
  }

  /** Whether a frame began the present epoch, and follows the last frame of the epoch before. */
  #isBeginningAfter({ batch, records, deleted }: Frame): boolean {
    const isBeginning = records.length === 0 && deleted.length === 0;
    return isBeginning && this.#earlier?.epochs === 1 && this.#earlier.batch === batch - 1;
  }

  /**
   * Skips frames whose stored records are delivered.
   *
   * @param isUncertain - whether frames of an earlier epoch may be among them. Their number is not known
   *   then, because an older copy of the log counts from an earlier number
   */
  #skipTo(batch: number, isUncertain: boolean): void {
    const isAnyMissed = this.#earlier ? isUncertain : batch !== this.#batch;
    this.#batch = batch;
    this.#earlier = undefined;
    if (isAnyMissed) {
      // The skipped frames may have told of deletions.
      this.#options.recent.restart(this.place);
      this.#listener.onMissed();
    }
    this.#waiters.settle(this, this.#state, false);
  }

  #deliverHeld(): void {
    this.#held.takeWhile(
      (frame) => this.#isOld(frame) || this.#isNext(frame),
      (frame) => {
        if (this.#isNext(frame)) this.#deliver(frame);
      },
    );
  }

  /** Continues at the head of the log, without the records in between. */
  #jump(state: RemoteState): void {
    const from = this.place;
    ({ epoch: this.#epoch, head: this.#head, batch: this.#batch } = state);
    this.#state = state;
    this.#earlier = undefined;
    this.#options.recent.restart(this.place);
    this.#listener.onBehind(from);
  }
}

function sizeOf(records: readonly LogRecord[]): number {
  return records.reduce((bytes, { messageJson }) => bytes + messageJson.length, 0);
}
