import type { SubscriptionState } from '@fanfare/protocol';

/** The history that the oracle judges: what publishers and subscribers saw, and the log at the end. */
export interface History {
  /** Every attempt to publish; a retry is an attempt of its own. */
  readonly publishes: readonly Publish[];
  readonly subscriptions: readonly Subscription[];
  /** The whole log as it was read at the end, in the order in which it was read. */
  readonly kept: readonly Kept[];
  /** How many messages retention keeps, by topic. No other topic may lose messages. */
  readonly keep?: Readonly<Record<string, number>>;
  /** Deliveries that match no subscription of their connection. */
  readonly strays?: readonly Stray[];
  /** The epochs before the one of the last message, oldest first. By default there is none. */
  readonly earlier?: readonly EarlierEpoch[];
  /** Whether the log may have lost messages when it began a new epoch, even acknowledged ones. */
  readonly mayLose?: boolean;
}

export interface EarlierEpoch {
  readonly epoch: string;
  /** The sequence up to which the epoch and the next one are one log; -1 if they are different logs. */
  readonly cut: number;
}

export interface Publish {
  /** The name of the publisher. A message that it sends after an acknowledgement is later in the log. */
  readonly publisher: string;
  /** A connection or a batch: its messages keep their order, acknowledged or not. */
  readonly stream?: string;
  readonly topic: string;
  /** The message as JSON. Only retries of a publish have the same content. */
  readonly content: string;
  readonly id?: string;
  /**
   * The times of sending and answer. One clock counts for the whole history, and each of its times is unique.
   */
  readonly sent: number;
  readonly answered?: number;
  readonly outcome: Outcome;
}

export type Outcome =
  | { readonly kind: 'ok'; readonly offset: string; readonly time: number; readonly duplicate?: boolean }
  /** The publish must not have happened. */
  | { readonly kind: 'fail'; readonly code: string }
  /** The publish may or may not have happened. */
  | { readonly kind: 'unknown' };

export interface Kept {
  readonly offset: string;
  readonly topic: string;
  readonly content: string;
  readonly time: number;
  readonly id?: string;
}

export type State = SubscriptionState;

/** One client's interest in one topic or pattern in one form, over all its connections. */
export interface Subscription {
  readonly client: string;
  readonly interest: string;
  readonly form: 'plain' | 'envelope';
  /** The events in their order. Each `subscribed` begins a new run. */
  readonly events: readonly SubscriptionEvent[];
  /** Whether its last run had the time to get everything that the log has at the end. */
  readonly isComplete: boolean;
}

export type SubscriptionEvent =
  | Subscribed
  | Delivery
  | { readonly kind: 'state'; readonly state: State; readonly offset: string }
  | { readonly kind: 'gap'; readonly topic: string; readonly dropped?: number };

export interface Subscribed {
  readonly kind: 'subscribed';
  /** The start that was requested: an offset, `new` or `earliest`. */
  readonly from: string;
  readonly offset: string;
  readonly state: State;
  readonly recovered?: boolean;
}

export interface Delivery {
  readonly kind: 'message';
  readonly topic: string;
  readonly content: string;
  /** The plain form does not have this field or the following ones. */
  readonly offset?: string;
  readonly time?: number;
  readonly id?: string;
  readonly replay?: string;
}

export interface Stray {
  readonly client: string;
  readonly delivery: Delivery;
}

export const faultKinds = [
  /** The message was acknowledged, and is not in the log. */
  'lost',
  /** The message has another place or time than was reported before. */
  'moved',
  /** Two messages have had the same offset. */
  'reusedOffset',
  /** The message is in the log or was delivered, but nobody sent it, or it was altered or refused. */
  'phantom',
  /** The message is twice in the log, was delivered twice in a run, or a repeated id was reported as new. */
  'duplicate',
  /** Messages were delivered or kept in another order than the contract allows. */
  'reordered',
  /** A subscription missed a message without a notice. */
  'silentGap',
  /** A notice reported missed messages that the log still has. */
  'needlessGap',
  /** A delivery or notice contradicts the last reported state of its subscription. */
  'misstated',
] as const;

export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  readonly kind: FaultKind;
  readonly detail: string;
}

export interface Verdict {
  readonly faults: readonly Fault[];
  readonly counts: Readonly<Record<FaultKind, number>>;
  /** The amount that was judged: a clean verdict on an empty history proves nothing. */
  readonly judged: {
    readonly acknowledged: number;
    readonly unknown: number;
    readonly kept: number;
    readonly delivered: number;
    readonly replayed: number;
    readonly runs: number;
    /** Acknowledged messages that the log has lost, and was allowed to lose. */
    readonly lostAcknowledged: number;
  };
}
