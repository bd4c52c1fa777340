import { LogUncertainError } from '../topic-log.ts';
import { ConnectionLostError } from './redis-errors.ts';

/** The replicas have so much time to confirm, in milliseconds. Commands behind wait meanwhile. */
const confirmTimeoutMs = 1_000;

/**
 * Waits until replicas have what was appended. One wait is in progress at a time, because Redis carries out
 * nothing else on the connection meanwhile. What is appended meanwhile shares the next one.
 */
export class ReplicaConfirmation {
  readonly #replicas: number;
  readonly #wait: (timeoutMs: number) => Promise<number>;
  #present: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  /** @param wait - resolves to the number of replicas that have everything that was answered before */
  constructor(replicas: number, wait: (timeoutMs: number) => Promise<number>) {
    this.#replicas = replicas;
    this.#wait = wait;
  }

  /**
   * Rejects with a LogUncertainError if fewer replicas confirm in time, or with a ConnectionLostError. Redis
   * has carried out the batch in any case.
   */
  confirm(): Promise<void> {
    if (!this.#present) {
      this.#present = this.#confirm().finally(() => (this.#present = undefined));
      return this.#present;
    }
    this.#next ??= this.#present
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.confirm();
      });
    return this.#next;
  }

  async #confirm(): Promise<void> {
    const count = await this.#wait(confirmTimeoutMs).catch(uncertain);
    if (count >= this.#replicas) return;
    throw new LogUncertainError(
      `Only ${count} of ${this.#replicas} replicas of Redis confirmed the messages within ${confirmTimeoutMs} ms.`,
      'Too few copies of the log confirmed the message: it may be lost. Retry with the same `id`.',
    );
  }
}

/** The error says what became of the question, and not of the batch that was carried out before. */
function uncertain(error: Error): never {
  const { message } = error;
  if (error instanceof ConnectionLostError)
    throw new ConnectionLostError(message, { isAnswerLost: true, movedTo: error.movedTo, cause: error });
  throw new LogUncertainError(message, undefined, { cause: error });
}
