import { matches, type Interest, type Topic } from '@fanfare/protocol';

/** Which messages of a topic are kept. When a limit is exceeded, the oldest messages go first. */
export interface Keep {
  /** The number of messages. */
  readonly count: number;
  /** For how long, in milliseconds. */
  readonly ageMs: number;
  /** Bytes of messages as JSON text. */
  readonly bytes: number;
}

/** The operator's settings for all topics that match. */
export interface Rule {
  readonly match: Interest;
  /** `none`: messages pass through the log's tail, and are not stored. */
  readonly keep: Keep | 'none';
  /** Whether a publish creates the topic. If not, only subscribing or declaring does. */
  readonly create: 'subscribe' | 'publish';
  /** The largest message, in bytes of JSON text. The server's own limit applies too. */
  readonly publishBytesMax: number;
  /** `match` as it was written, if it has the segment `${sub}`, which stands for the subject. `match` has `*` instead. */
  readonly template?: string;
  /** Whether all clients with a token may publish to the topics, or read them, whatever the token says. */
  readonly publish?: boolean;
  readonly subscribe?: boolean;
  /** Whether messages name their publisher. */
  readonly publisher?: boolean;
}

/** The segment that stands for the subject of the client. */
export const subjectSegment = '${sub}';

/** The topics that a rule is about for one subject. Undefined for a client without a subject, if the rule names one. */
export function matchFor({ match, template }: Rule, subject: string | undefined): Interest | undefined {
  if (template === undefined) return match;
  if (subject === undefined) return undefined;
  const segments = template.split('/');
  const own = encodeSubject(subject);
  return segments.map((segment) => (segment === subjectSegment ? own : segment)).join('/') as Interest;
}

/** Encodes a subject as one segment without wildcards. No other subject has the same. */
function encodeSubject(subject: string): string {
  return subject.replace(/[%/*$]/g, encodeCharacter);
}

function encodeCharacter(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** The rules of a server. The first rule that matches a topic counts. */
export class Rules {
  readonly #rules: readonly Rule[];
  readonly #fallback: Rule;

  /** @param fallback - the rule for topics that match no other */
  constructor(rules: readonly Rule[], fallback: Rule) {
    this.#rules = rules;
    this.#fallback = fallback;
  }

  get all(): readonly Rule[] {
    return this.#rules;
  }

  /** Whether the topics that a client may read depend on its subject. */
  get namesSubject(): boolean {
    return this.#rules.some(({ template, subscribe }) => template !== undefined && subscribe === true);
  }

  /** Whether messages of any topic name their publisher. */
  get tellsPublishers(): boolean {
    return this.#rules.some(({ publisher }) => publisher === true);
  }

  /** The first rule that matches. It tries the rules one by one: keep the result. */
  of(topic: Topic): Rule {
    return this.#rules.find(({ match }) => matches(match, topic)) ?? this.#fallback;
  }
}
