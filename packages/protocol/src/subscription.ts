/** The state of a subscription (PROTOCOL.md 3.6). It gets messages as they are published, or from the log. */
export type SubscriptionState = 'live' | 'catching_up';

/**
 * The start of a subscription, in the form that clients send (PROTOCOL.md 3.3):
 *
 * - `"new"`: new messages only
 * - `"earliest"`: the earliest stored message
 * - `"last"`, `{"last": N}`: the newest message, or the newest N messages, of each topic
 * - an offset: the first message after it
 * - `{"time": ms}`: the first message at or after this time, in milliseconds since 1970
 */
export type FromInput =
  'new' | 'earliest' | 'last' | (string & {}) | { readonly last: number } | { readonly time: number };

/** The acknowledgement of `subscribe`, and the first event of a stream (PROTOCOL.md 3.4, 3.5, 5.6). */
export interface Subscribed {
  readonly ok: true;
  /** The topic or pattern subscribed. */
  readonly topic: string;
  readonly state: SubscriptionState;
  /** The offset where the subscription starts. It gets every matching message after this offset. */
  readonly offset: string;
  /** Present if `from` was an offset: whether the server still has every matching message after it. */
  readonly recovered?: boolean;
  /** The number of stored messages that are sent first, as far as it is known. */
  readonly replayed: number;
}

/** The acknowledgement of `unsubscribe` (PROTOCOL.md 3.9). */
export interface Unsubscribed {
  readonly ok: true;
  /** The topic or pattern that was subscribed. */
  readonly topic: string;
}

/** The argument of the event `state`: the subscription has changed its state (PROTOCOL.md 3.6). */
export interface StateEvent {
  /** The topic or pattern subscribed. */
  readonly topic: string;
  readonly state: SubscriptionState;
  /** The present offset of the subscription. It is safe to resume from this offset. */
  readonly offset: string;
}

/** The argument of the event `gap`: the subscription has missed messages (PROTOCOL.md 3.12). */
export interface GapEvent {
  /** The topic or pattern subscribed. */
  readonly topic: string;
  /** The number of missing messages. Absent if it is not known. */
  readonly dropped?: number;
  /** Whether the subscription has the envelope form. If not, it has the plain form. */
  readonly envelope: boolean;
}
