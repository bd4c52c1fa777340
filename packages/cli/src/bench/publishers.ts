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
  #endsMs = 0;
  #next = 0;
  #timer: NodeJS.Timeout | undefined;
  #onIdle = (): void => {};
  /** The reason of the first publish that was refused, or whose outcome is unknown. */
  firstReason: string | undefined;

  constructor(target: Target, plan: Plan, topics: readonly string[], ledger: Ledger) {
    this.#plan = plan;
    this.#topics = topics;
    this.#ledger = ledger;
    this.#publishers = Array.from({ length: plan.publishers }, () => new HttpPublisher(target));
    this.#idle = [...this.#publishers];
  }

  /** How many messages were due, and never sent, because no publisher was free in time. */
  get unsent(): number {
    if (this.#plan.rate === undefined) return 0;
    const due = Math.floor(((this.#endsMs - this.#startedMs) * this.#plan.rate) / 1_000);
    return Math.max(0, due - this.#next);
  }

  /** How long messages were due. */
  get elapsedMs(): number {
    return Math.max(1, Math.min(performance.now(), this.#endsMs) - this.#startedMs);
  }

  /** Publishes until the time is over. Resolves when each publish has its response. */
  async run(): Promise<void> {
    this.#startedMs = performance.now();
    this.#endsMs = this.#startedMs + this.#plan.durationMs;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      this.#pump();
    });
    clearTimeout(this.#timer);
  }

  /** No message is due any more. */
  stop(): void {
    this.#endsMs = Math.min(this.#endsMs, performance.now());
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
      const nowMs = performance.now();
      const dueMs = rate === undefined ? nowMs : this.#startedMs + (this.#next * 1_000) / rate;
      if (nowMs >= this.#endsMs || dueMs >= this.#endsMs) return this.#finish(nowMs);
      if (dueMs > nowMs) {
        this.#timer = setTimeout(() => this.#pump(), dueMs - nowMs);
        return;
      }
      const publisher = this.#idle.pop();
      if (!publisher) return;
      void this.#publish(publisher, this.#next++, dueMs);
    }
  }

  #finish(nowMs: number): void {
    if (this.#idle.length < this.#publishers.length) return;
    if (nowMs >= this.#endsMs) this.#onIdle();
    else this.#timer = setTimeout(() => this.#pump(), this.#endsMs - nowMs);
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
