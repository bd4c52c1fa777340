/**
 * The topics of an app: names and patterns, with the types of their messages. Without it, messages are
 * `unknown`.
 *
 * @example
 * interface Topics {
 *   news: string;
 *   'orders/*': { item: string };
 * }
 * const fanfare = connect<Topics>('http://localhost:5000');
 * await fanfare.publish('orders/7', { item: 'tea' });
 */
export type TopicMap = object;

/** The topics that match a pattern, as far as a type can express it. */
type Named<Pattern extends string> = Pattern extends '*' | '**'
  ? string
  : Pattern extends `${infer Head}/**`
    ? Named<Head> | `${Named<Head>}/${string}`
    : Pattern extends `*/${infer Tail}`
      ? `${string}/${Named<Tail>}`
      : Pattern extends `${infer Head}/*/${infer Tail}`
        ? `${Head}/${string}/${Named<Tail>}`
        : Pattern extends `${infer Head}/*`
          ? `${Head}/${string}`
          : Pattern;

/**
 * A name or a pattern of the map, or a topic that matches one of its patterns.
 *
 * @example
 * const topic: TopicOf<Topics> = 'orders/7';
 */
export type TopicOf<Topics extends TopicMap> = TopicMap extends Topics
  ? string
  : { [Key in keyof Topics & string]: Key | Named<Key> }[keyof Topics & string];

/**
 * The messages of a topic or a pattern.
 *
 * @example
 * const order: MessageOf<Topics, 'orders/7'> = { item: 'tea' };
 */
export type MessageOf<Topics extends TopicMap, Topic extends string> = TopicMap extends Topics
  ? unknown
  : Topic extends keyof Topics
    ? Topics[Topic]
    : { [Key in keyof Topics & string]: Topic extends Named<Key> ? Topics[Key] : never }[keyof Topics &
        string];
