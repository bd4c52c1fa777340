import type { SubscriptionState } from '@fanfare/protocol';

/** What publishers and subscribers saw, and what the log has at the end: what the oracle judges. */
export interface History {
  /** Every attempt to publish; a retry is an attempt of its own. */
  readonly publishes: readonly Publish[];
  readonly subscriptions: readonly Subscription[];
  /** The whole log as it was read at the end, in the order in which it was read. */
  readonly kept: readonly Kept[];
  /** By topic: how many messages its retention keeps, where it drops any. Nothing else may be gone. */
  readonly keep?: Readonly<Record<string, number>>;
  /** Deliveries that no subscription of their connection was due. */
  readonly strays?: readonly Stray[];
}

export interface Publish {
  /** Publishes one after the other: what it sends after an answer comes after what was answered. */
  readonly publisher: string;
  /** A connection or a batch: what is sent over it keeps its order, whether it was answered or not. */
  readonly stream?: string;
  readonly topic: string;
  /** The message as JSON. No two publishes have the same, but for retries of one another. */
  readonly content: string;
  readonly id?: string;
  /** When it was sent and answered, by one clock for the whole history that never stands still. */
  readonly sent: number;
  readonly answered?: number;
  readonly outcome: Outcome;
}

export type Outcome =
  | { readonly kind: 'ok'; readonly offset: string; readonly time: number; readonly duplicate?: boolean }
  /** It must not have happened. */
  | { readonly kind: 'fail'; readonly code: string }
  /** It may or may not have happened. */
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
  /** In the order in which they came. Each `subscribed` begins a new run. */
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
  /** What was asked for: an offset, or `new`, `earliest`. */
  readonly from: string;
  readonly offset: string;
  readonly state: State;
  readonly recovered?: boolean;
}

export interface Delivery {
  readonly kind: 'message';
  readonly topic: string;
  readonly content: string;
  /** Not in the plain form, like all that follows. */
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
  /** Acknowledged, and not in the log. */
  'lost',
  /** At another place or time than was said before. */
  'moved',
  /** In the log or delivered, though nobody sent it, or not so, or it was refused. */
  'phantom',
  /** Twice in the log, twice delivered in a run, or a repeated id answered as new. */
  'duplicate',
  /** Delivered or kept in another order than the contract has it. */
  'reordered',
  /** A subscription missed a message, and was not told. */
  'silentGap',
  /** A subscription was told that it missed something, which it need not have: the log has it. */
  'needlessGap',
  /** A delivery or a notice that does not fit the state that the subscription was told it is in. */
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
  /** How much there was to judge: a clean verdict on nothing says nothing. */
  readonly judged: {
    readonly acknowledged: number;
    readonly unknown: number;
    readonly kept: number;
    readonly delivered: number;
    readonly replayed: number;
    readonly runs: number;
  };
}
