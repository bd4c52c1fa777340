/** What the HTTP API answers with: PROTOCOL.md §5 and §7. Times are in milliseconds since 1970. */

export interface Identity {
  /** Whether the server asks for no tokens. */
  readonly open: boolean;
  readonly subject?: string;
  readonly admin: boolean;
  /** Topics and patterns. A rule may allow more. */
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  readonly endsAt?: number;
}

export interface Stats {
  readonly time: number;
  readonly startedAt: number;
  readonly version: string;
  readonly connections: number;
  readonly subscriptions: number;
  readonly topics: number;
  /** Since the start. */
  readonly publishes: number;
  readonly deliveries: number;
  readonly bytesWaiting: number;
  readonly catchingUp: number;
  readonly loopDelayMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly log: { readonly kind: 'disk' | 'memory'; readonly bytes: number; readonly bytesMax?: number };
}

export interface Topic {
  readonly topic: string;
  readonly subscribers: number;
  readonly messages: number;
  readonly lastOffset?: string;
  readonly published: number;
  readonly lastTime?: number;
}

export interface TopicDetails extends Topic {
  /** The rule that decides for it, as it would stand in the rules file. */
  readonly rule: Readonly<Record<string, unknown>>;
}

export interface TopicPage {
  readonly topics: readonly Topic[];
  readonly cursor?: string;
}

export type Transport = 'websocket' | 'polling' | 'stream' | 'program';
export type SubscriptionState = 'live' | 'catching_up';

export interface Connection {
  readonly id: string;
  readonly transport: Transport;
  readonly address: string;
  readonly subject?: string;
  readonly since: number;
  readonly subscriptions: number;
  readonly catchingUp: number;
  readonly bytesWaiting: number;
}

export interface ConnectionDetails extends Connection {
  readonly subscribed: readonly {
    readonly topic: string;
    readonly envelope: boolean;
    readonly since: number;
    readonly state: SubscriptionState;
  }[];
}

export interface ConnectionPage {
  readonly connections: readonly Connection[];
  readonly cursor?: string;
}

export interface Subscriber {
  readonly connection: string;
  readonly subject?: string;
  readonly address: string;
  readonly transport: Transport;
  /** The topic or the pattern that it has subscribed to. */
  readonly via: string;
  readonly envelope: boolean;
  readonly since: number;
  readonly state: SubscriptionState;
  readonly bytesWaiting: number;
}

export interface SubscriberPage {
  readonly subscribers: readonly Subscriber[];
  readonly cursor?: string;
}

export interface Message {
  readonly topic: string;
  readonly message: unknown;
  readonly offset?: string;
  readonly time: number;
  readonly id?: string;
  readonly publisher?: string;
}

export interface MessagePage {
  readonly messages: readonly Message[];
  readonly next?: string;
  readonly more: boolean;
  readonly recovered?: boolean;
}
