import type { PublishResult } from '@fanfare/protocol';
import type { TopicLog } from '../log/topic-log.ts';
import { SubscriptionIndex } from '../subscriptions/subscription-index.ts';
import { Connection, type ConnectionParts, type Peer } from './accept.ts';
import { Admission } from './admit.ts';
import { append } from './append.ts';
import { broadcast } from './broadcast.ts';
import type { FanOut } from './deliver.ts';

export interface MessagePathParts {
  readonly log: TopicLog;
  readonly fanOut: FanOut;
  readonly limits: {
    readonly publishBytesMax: number;
    readonly topicsMax: number;
    readonly subscriptionsPerConnectionMax: number;
  };
}

/** The way of a message, put together: admit, append, and from the log's tail broadcast and deliver. */
export class MessagePath {
  readonly #connectionParts: ConnectionParts;
  readonly #admission: Admission;
  readonly #parts: MessagePathParts;

  constructor(parts: MessagePathParts) {
    const { log, fanOut, limits } = parts;
    const index = new SubscriptionIndex(limits.topicsMax);
    this.#parts = parts;
    this.#connectionParts = {
      index,
      log,
      subscriptionsPerConnectionMax: limits.subscriptionsPerConnectionMax,
    };
    this.#admission = new Admission({
      topicExists: (topic) => index.subscribers(topic) !== undefined,
      publishBytesMax: limits.publishBytesMax,
    });
    log.tail((records) => broadcast(records, index, fanOut));
  }

  accept(peer: Peer): Connection {
    return new Connection(peer, this.#connectionParts);
  }

  /**
   * Publishes `{topic, message, id?}`, given as JSON text.
   *
   * @throws FanfareError
   */
  async publishText(json: string, headerId?: string): Promise<PublishResult> {
    return append(this.#parts.log, this.#admission.admitText(json, headerId));
  }

  /**
   * Publishes `{topic, message, id?}`, given as a value.
   *
   * @throws FanfareError
   */
  async publishValue(input: unknown): Promise<PublishResult> {
    return append(this.#parts.log, this.#admission.admitValue(input));
  }

  get isDraining(): boolean {
    return this.#admission.isDraining;
  }

  /** From now on every publish is refused with `draining`. */
  drain(): void {
    this.#admission.drain();
  }
}
