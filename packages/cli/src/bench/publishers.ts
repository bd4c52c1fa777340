import { reasonOf } from '../api.ts';
import type { Target } from '../server-target.ts';
import { writeMessage } from './bench-message.ts';
import { HttpPublisher } from './http-publisher.ts';
import type { Ledger } from './ledger.ts';
import type { Plan } from './plan.ts';

/**
 * The publishers of a benchmark.
 *
 * With a rate (open loop), message n is due at a fixed time, whatever became of those before it. A publisher
 * that is free takes the next one that is due. Latencies count from the time when a message was due: if the
 * server stalls, the messages of the stall count too (no coordinated omission). Without a rate (closed loop),
 * a message is due when its publisher is free.
 */
export class Publishers {
  readonly #plan: Plan;
  readonly #topics: readonly string[];
  readonly #ledger: Ledger;
  readonly #publishers: readonly HttpPublisher[];
  readonly #idle: HttpPublisher[];
  #startedMs = 0;
  /** No message is due after this time, which counts from the start. */
  #untilMs: number;
  #next = 0;
  #timer: NodeJS.Timeout | undefined;
  #onIdle = (): void => {};
  /** The reason of the first publish that was refused, or whose outcome is unknown. */
  firstReason: string | undefined;

  constructor(target: Target, plan: Plan, topics: readonly string[], ledger: Ledger) {
    this.#plan = plan;
    this.#untilMs = plan.durationMs;
    this.#topics = topics;
    this.#ledger = ledger;
    this.#publishers = Array.from({ length: plan.publishers }, () => new HttpPublisher(target));
    this.#idle = [...this.#publishers];
  }

  /** How many messages were due, and never sent, because no publisher was free in time. */
  get unsent(): number {
    if (this.#plan.rate === undefined) return 0;
    const due = Math.ceil((this.#untilMs * this.#plan.rate) / 1_000);
    return Math.max(0, due - this.#next);
  }

  /** How many publishes have no response yet. */
  get unanswered(): number {
    return this.#publishers.length - this.#idle.length;
  }

  /** How long messages were due. */
  get elapsedMs(): number {
    return Math.max(1, Math.min(performance.now() - this.#startedMs, this.#untilMs));
  }

  /** Publishes until the time is over. Resolves when each publish has its response. */
  async run(): Promise<void> {
    this.#startedMs = performance.now();
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      this.#pump();
    });
    clearTimeout(this.#timer);
  }

  /** No message is due any more. */
  stop(): void {
    this.#untilMs = Math.min(this.#untilMs, performance.now() - this.#startedMs);
    this.#pump();
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const publisher of this.#publishers) publisher.close();
  }

  /** Gives every free publisher a message that is due. */
  #pump(): void {
    clearTimeout(this.#timer);
    const { rate } = this.#plan;
    for (;;) {
      const elapsedMs = performance.now() - this.#startedMs;
      const dueMs = rate === undefined ? elapsedMs : (this.#next * 1_000) / rate;
      if (elapsedMs >= this.#untilMs || dueMs >= this.#untilMs) return this.#finish(elapsedMs);
      if (dueMs > elapsedMs) {
        this.#timer = setTimeout(() => this.#pump(), dueMs - elapsedMs);
        return;
      }
      const publisher = this.#idle.pop();
      if (!publisher) return;
      void this.#publish(publisher, this.#next++, this.#startedMs + dueMs);
    }
  }

  #finish(elapsedMs: number): void {
    if (this.#idle.length < this.#publishers.length) return;
    if (elapsedMs >= this.#untilMs) this.#onIdle();
    else this.#timer = setTimeout(() => this.#pump(), this.#untilMs - elapsedMs);
  }

  async #publish(publisher: HttpPublisher, number: number, dueMs: number): Promise<void> {
    const topic = this.#topics[number % this.#topics.length] ?? '';
    const result = await publisher.publish(topic, writeMessage({ number, dueMs }, this.#plan.bytes));
    if (result.kind === 'acknowledged') this.#ledger.acknowledge(number, performance.now() - dueMs);
    else if (result.kind === 'refused') {
      this.#ledger.refused++;
      const { status, body } = result;
      this.firstReason ??= reasonOf({ status, statusText: '', body });
    } else {
      this.#ledger.unknown++;
      this.firstReason ??= result.reason;
    }
    this.#idle.push(publisher);
    this.#pump();
  }
}
