import { Latencies, type LatencyFigures } from './latencies.ts';
import { readMessage } from './bench-message.ts';
import { NumberSet } from './number-set.ts';
import type { Plan, Transport } from './plan.ts';

/** What a subscriber has got. Its topic has the number of the subscriber, modulo the number of topics. */
interface Account {
  readonly topic: number;
  readonly transport: Transport;
  readonly seen: NumberSet;
}

export interface Figures {
  readonly acknowledged: LatencyFigures;
  readonly delivered: Readonly<Partial<Record<Transport, LatencyFigures>>>;
  readonly refused: number;
  /** No response, or one that leaves it open. */
  readonly unknown: number;
  /** Acknowledged messages that did not come, one for each subscriber. */
  readonly lost: number;
  readonly repeated: number;
  /** Other texts than those that were published. */
  readonly altered: number;
  readonly reconnects: number;
}

/**
 * Counts what was published and delivered. Message n goes to topic n modulo the number of topics, so each
 * topic has its own numbers without holes.
 */
export class Ledger {
  readonly #plan: Plan;
  readonly #accounts: readonly Account[];
  readonly #acknowledged: readonly NumberSet[];
  readonly #acknowledgements = new Latencies();
  readonly #deliveries: Readonly<Record<Transport, Latencies>> = {
    websocket: new Latencies(),
    polling: new Latencies(),
  };
  delivered = 0;
  acknowledged = 0;
  refused = 0;
  unknown = 0;
  reconnects = 0;
  #expected = 0;
  #repeated = 0;
  #altered = 0;

  constructor(plan: Plan) {
    const { subscribers, topics, transports } = plan;
    this.#plan = plan;
    this.#acknowledged = Array.from({ length: topics }, () => new NumberSet());
    this.#accounts = Array.from({ length: subscribers }, (_, at) => ({
      topic: at % topics,
      // So that each topic has subscribers of each transport.
      transport: transports[Math.floor(at / topics) % transports.length] ?? 'websocket',
      seen: new NumberSet(),
    }));
  }

  /** The subscribers, by their numbers. */
  get accounts(): readonly Readonly<Pick<Account, 'topic' | 'transport'>>[] {
    return this.#accounts;
  }

  /** Whether every acknowledged message may have come to everybody. Refused ones can come too. */
  get isComplete(): boolean {
    return this.delivered >= this.#expected;
  }

  acknowledge(number: number, latencyMs: number): void {
    const { subscribers, topics } = this.#plan;
    const topic = number % topics;
    this.acknowledged++;
    this.#acknowledged[topic]?.add(Math.floor(number / topics));
    this.#acknowledgements.add(latencyMs);
    this.#expected += Math.ceil((subscribers - topic) / topics);
  }

  deliver(subscriber: number, message: unknown): void {
    const nowMs = performance.now();
    const account = this.#accounts[subscriber];
    const read = readMessage(message, this.#plan.bytes);
    if (!account || !read || read.number % this.#plan.topics !== account.topic) {
      this.#altered++;
    } else if (account.seen.add(Math.floor(read.number / this.#plan.topics))) {
      this.delivered++;
      this.#deliveries[account.transport].add(nowMs - read.dueMs);
    } else {
      this.#repeated++;
    }
  }

  figures(): Figures {
    const lost = this.#accounts.reduce(
      (sum, { topic, seen }) => sum + (this.#acknowledged[topic]?.countMissingFrom(seen) ?? 0),
      0,
    );
    return {
      acknowledged: this.#acknowledgements.figures,
      delivered: Object.fromEntries(
        this.#plan.transports.map((transport) => [transport, this.#deliveries[transport].figures]),
      ),
      refused: this.refused,
      unknown: this.unknown,
      lost,
      repeated: this.#repeated,
      altered: this.#altered,
      reconnects: this.reconnects,
    };
  }
}
