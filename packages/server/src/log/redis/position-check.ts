import type { RedisTail } from './redis-tail.ts';
import type { LogLibrary, RemoteState } from './library.ts';

export interface PositionCheckOptions {
  readonly library: Pick<LogLibrary, 'state'>;
  readonly tail: RedisTail;
  /** Replaces the connection that receives the channel. */
  readonly resubscribe: (reason: string) => void;
}

const checkIntervalMs = 1_000;

/**
 * Compares the tail with the log each second. A connection can be healthy and get nothing: it may be
 * connected to a server that gets no publishes any more. If the log was ahead of the tail at one check, and
 * the tail has not moved at the next, the connection is replaced.
 */
export class PositionCheck {
  readonly #options: PositionCheckOptions;
  readonly #timer: NodeJS.Timeout;
  /** The batch of the tail at the last check, if the log was ahead of it. */
  #behindAt: number | undefined;
  #isChecking = false;
  /** What the log was at the last check: the tail must be there at the next one. */
  #expected: Pick<RemoteState, 'epoch' | 'batch'> | undefined;
  #isBehind = false;

  constructor(options: PositionCheckOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#check(), checkIntervalMs);
    this.#timer.unref();
  }

  /** Whether the tail has not got everything that the log had at the check before the last one. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #check(): Promise<void> {
    if (this.#isChecking) return;
    this.#isChecking = true;
    try {
      await this.#compare();
    } catch {
      // Redis cannot be reached. The tail is compared after the next connection.
    } finally {
      this.#isChecking = false;
    }
  }

  async #compare(): Promise<void> {
    const { library, tail, resubscribe } = this.#options;
    const { head, batch } = tail;
    const expected = this.#expected;
    const state = await library.state();
    this.#expected = state;
    this.#isBehind =
      expected !== undefined &&
      expected.epoch === state.epoch &&
      (tail.epoch !== expected.epoch || tail.batch < expected.batch);
    const isSilent = this.#behindAt === tail.batch && state.batch > tail.batch && !tail.isCatchingUp;
    this.#behindAt = state.batch > tail.batch && !isSilent ? tail.batch : undefined;
    if (isSilent) resubscribe('The connection for new messages is open, but brings none.');
    // An older copy of the log, or another epoch: the channel may not have told yet.
    const isOther = state.epoch !== tail.epoch || state.head < head || state.batch < batch;
    if (isSilent || isOther || tail.hasFailed) await tail.catchUp();
  }
}
