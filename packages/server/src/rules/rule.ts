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
  /** `match` as it was written, where it has `${sub}` as a segment: it stands for the subject there, and in `match` for any. */
  readonly template?: string;
  /** Whether whoever has a token may publish to the topics, or read them, whatever the token says. */
  readonly publish?: boolean;
  readonly subscribe?: boolean;
  /** Whether messages tell who has published them. */
  readonly publisher?: boolean;
}

/** What stands for the subject of whoever asks. */
export const subjectSegment = '${sub}';

/** The topics that a rule is about for one subject. Undefined when they are somebody else's for whoever has none. */
export function matchFor({ match, template }: Rule, subject: string | undefined): Interest | undefined {
  if (template === undefined) return match;
  if (subject === undefined) return undefined;
  const segments = template.split('/');
  const own = encodeSubject(subject);
  return segments.map((segment) => (segment === subjectSegment ? own : segment)).join('/') as Interest;
}

/** One segment that is nobody else's, and no wildcard. */
function encodeSubject(subject: string): string {
  return subject.replace(/[%/*$]/g, encodeCharacter);
}

function encodeCharacter(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
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

  get all(): readonly Rule[] {
    return this.#rules;
  }

  /** Whether what somebody may read depends on who it is. */
  get namesSubject(): boolean {
    return this.#rules.some(({ template, subscribe }) => template !== undefined && subscribe === true);
  }

  /** Whether any rule does. */
  get tellsPublishers(): boolean {
    return this.#rules.some(({ publisher }) => publisher === true);
  }

  /** The first rule that matches. Takes time in proportion to how many there are: remember the answer. */
  of(topic: Topic): Rule {
    return this.#rules.find(({ match }) => matches(match, topic)) ?? this.#fallback;
  }
}
