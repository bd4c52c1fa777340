import { matches, type Interest, type Topic } from '@fanfare/protocol';

/** What of a topic is kept: what exceeds any of the bounds goes, the oldest first. */
export interface Keep {
  /** How many messages. */
  readonly count: number;
  /** For how long, in milliseconds. */
  readonly ageMs: number;
  /** How many bytes of messages as JSON text. */
  readonly bytes: number;
}

/** What the operator has decided about the topics that match. */
export interface Rule {
  readonly match: Interest;
  /** `none`: messages pass through the log's tail, and are not stored. */
  readonly keep: Keep | 'none';
  /** Whether a publish creates the topic, or only a subscriber does (and whoever declares it). */
  readonly create: 'subscribe' | 'publish';
  /** The largest message, in bytes of JSON text; the server's own limit stands beside it. */
  readonly publishBytesMax: number;
}

/** The rules of a server, in the order in which they are tried. */
export class Rules {
  readonly #rules: readonly Rule[];
  readonly #fallback: Rule;

  /** @param fallback - the rule for topics that match no other */
  constructor(rules: readonly Rule[], fallback: Rule) {
    this.#rules = rules;
    this.#fallback = fallback;
  }

  /** The first rule that matches. Takes time in proportion to how many there are: remember the answer. */
  of(topic: Topic): Rule {
    return this.#rules.find(({ match }) => matches(match, topic)) ?? this.#fallback;
  }
}
