/** A topic, as `GET /topics` lists it (PROTOCOL.md 5.2). */
export interface TopicInfo {
  readonly topic: string;
  /** How many subscriptions on this server get its messages. */
  readonly subscribers: number;
  /** How many messages are kept. */
  readonly messages: number;
  /** Offset of the newest message that was stored. Absent if none ever was. */
  readonly lastOffset?: string;
  /**
   * How many messages were published since the server started, or since the topic was made if that was later.
   */
  readonly published: number;
  /** Time of the newest message, in milliseconds since 1970. */
  readonly lastTime?: number;
}

/**
 * The rule that decides about a topic, as a rules file would have it. Bounds are there even if they are
 * defaults.
 */
export interface RuleDescription {
  readonly match: string;
  readonly keep: 'none' | { readonly count: number; readonly age: string; readonly bytes: string | number };
  /** What creates the topic: only a subscription, or a publish too. */
  readonly create: 'subscribe' | 'publish';
  /** Absent if only the server's own limit applies. */
  readonly publishBytesMax?: string | number;
  /** The next three are present only if they are true. */
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
