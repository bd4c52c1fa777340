/** A topic, as `GET /topics` lists it (PROTOCOL.md 5.2). */
export interface TopicInfo {
  readonly topic: string;
  /** The number of subscriptions on this server that receive its messages. */
  readonly subscribers: number;
  /** The number of stored messages. */
  readonly messages: number;
  /**
   * The offset of the newest message that the server stored, even if it has removed it since. Absent if there
   * is none.
   */
  readonly lastOffset?: string;
  /**
   * The number of messages that were published since the server started, or since the topic was made if that
   * was later.
   */
  readonly published: number;
  /** The time of the newest message, in milliseconds since 1970. */
  readonly lastTime?: number;
}

/**
 * The rule that applies to a topic, as in a rules file. It includes the values of `keep` and `create` that
 * are defaults.
 */
export interface RuleDescription {
  readonly match: string;
  readonly keep: 'none' | { readonly count: number; readonly age: string; readonly bytes: string | number };
  /** Whether a publish creates the topic, or only a subscription. */
  readonly create: 'subscribe' | 'publish';
  /** Absent if only the server's own limit applies. */
  readonly publishBytesMax?: string | number;
  /** The next three fields are present only if they are true. */
  readonly publish?: true;
  readonly subscribe?: true;
  readonly publisher?: true;
}

/** The response to `GET /topic` and to `PUT /topic` (PROTOCOL.md 5.2). */
export interface TopicDetails extends TopicInfo {
  readonly rule: RuleDescription;
}

/** The response to `GET /topics`. `cursor` is present if there is another page. */
export interface TopicPage {
  readonly topics: readonly TopicInfo[];
  readonly cursor?: string;
}
