/** How a subscription gets its messages: as they come, or from the log (PROTOCOL.md 3.6). */
export type SubscriptionState = 'live' | 'catching_up';

/**
 * Where to start, as a client writes it: from now, from the first message that is kept, from the newest
 * message or the newest N of each topic, after an offset, or at a time in milliseconds since 1970
 * (PROTOCOL.md 3.3).
 */
export type FromInput =
  'new' | 'earliest' | 'last' | (string & {}) | { readonly last: number } | { readonly time: number };

/** The acknowledgement of `subscribe`, and the first event of a stream (PROTOCOL.md 3.4, 3.5, 5.6). */
export interface Subscribed {
  readonly ok: true;
  /** The topic or pattern subscribed. */
  readonly topic: string;
  readonly state: SubscriptionState;
  /** Where the subscription starts: it gets every matching message after it. */
  readonly offset: string;
  /** Present if `from` was an offset: whether the server still has every matching message after it. */
  readonly recovered?: boolean;
  /** How many stored messages come first, as far as known. */
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
  /** Where the subscription is now. It is safe to resume from. */
  readonly offset: string;
}

/** The argument of the event `gap`: the subscription has missed messages (PROTOCOL.md 3.12). */
export interface GapEvent {
  /** The topic or pattern subscribed. */
  readonly topic: string;
  /** How many messages are missing. Absent if that is not known. */
  readonly dropped?: number;
  /** Whether it concerns the subscription in envelope form, or the plain one. */
  readonly envelope: boolean;
}
