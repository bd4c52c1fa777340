import { isPattern, matches, overlaps, type Interest, type Topic } from '@fanfare/protocol';

/** The retention of a topic. If a limit is exceeded, the oldest messages are removed. */
export interface Keep {
  /** Maximum number of messages. */
  readonly count: number;
  /** Maximum age, in milliseconds. */
  readonly ageMs: number;
  /** Maximum size of all messages together, in bytes of JSON text. */
  readonly bytes: number;
}

/** What a webhook can tell: each stored message, and what happens to a topic. */
export const webhookEvents = ['message', 'occupied', 'vacated', 'closed'] as const;

export type WebhookEvent = (typeof webhookEvents)[number];

/** The webhook of a rule: a URL that gets requests about the topics. */
export interface WebhookRule {
  readonly url: string;
  readonly on: readonly WebhookEvent[];
  /** The secret that signs the requests. Either this, or a file that has it. */
  readonly secret?: string;
  readonly secretFile?: string;
}

/** The operator's settings for all topics that match a pattern. */
export interface Rule {
  readonly match: Interest;
  /** The retention. `none`: messages are delivered and not stored. */
  readonly keep: Keep | 'none';
  /** Whether any publish creates the topic. PROTOCOL.md 1.7 says what creates it otherwise. */
  readonly create: 'subscribe' | 'publish';
  /** Maximum size of a message, in bytes of JSON text. The limit of the server applies too. */
  readonly publishBytesMax: number;
  /**
   * The original of `match`, if it has the segment `${sub}`, which stands for the subject. `match` has `*`
   * instead.
   */
  readonly template?: string;
  /** Whether all clients with a token may publish to the topics. */
  readonly publish?: boolean;
  /** Whether all clients with a token may read the topics. */
  readonly subscribe?: boolean;
  /** Whether messages name their publisher. */
  readonly publisher?: boolean;
  readonly webhook?: WebhookRule;
}

/** A webhook is known by the `match` of its rule. Undefined if the rule has none. */
export function webhookNameOf({ match, template, webhook }: Rule): string | undefined {
  return webhook && (template ?? match);
}

/** The segment that stands for the subject of the client. */
export const subjectSegment = '${sub}';

/** The pattern of a rule for one subject. Undefined if the rule needs a subject and the client has none. */
export function matchFor({ match, template }: Rule, subject: string | undefined): Interest | undefined {
  if (template === undefined) return match;
  if (subject === undefined) return undefined;
  const segments = template.split('/');
  const own = encodeSubject(subject);
  return segments.map((segment) => (segment === subjectSegment ? own : segment)).join('/') as Interest;
}

/** Encodes a subject as one segment without wildcards. Different subjects have different segments. */
function encodeSubject(subject: string): string {
  return subject.replace(/[%/*$]/g, encodeCharacter);
}

function encodeCharacter(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** The rules of a server. The first rule that matches a topic applies. */
export class Rules {
  #rules: readonly Rule[];
  readonly #fallback: Rule;

  /** @param fallback - the rule for topics that no other rule matches */
  constructor(rules: readonly Rule[], fallback: Rule) {
    this.#rules = rules;
    this.#fallback = fallback;
  }

  /** Replaces all rules except the fallback. */
  replace(rules: readonly Rule[]): void {
    this.#rules = rules;
  }

  get all(): readonly Rule[] {
    return this.#rules;
  }

  /** The rule for topics that no other rule matches. */
  get fallback(): Rule {
    return this.#fallback;
  }

  /** Whether the topics that a client may read depend on its subject. */
  get namesSubject(): boolean {
    return this.#rules.some(({ template, subscribe }) => template !== undefined && subscribe === true);
  }

  /** Whether messages of any topic are not stored. */
  get keepsNothing(): boolean {
    return [...this.#rules, this.#fallback].some(({ keep }) => keep === 'none');
  }

  /** Whether messages of any topic name their publisher. */
  get tellsPublishers(): boolean {
    return this.#rules.some(({ publisher }) => publisher === true);
  }

  /** Whether a topic can exist that the interest matches and that keeps nothing. */
  mayKeepNothing(interest: Interest): boolean {
    if (!isPattern(interest)) return this.of(interest).keep === 'none';
    return [...this.#rules, this.#fallback].some(
      ({ match, keep }) => keep === 'none' && overlaps(match, interest),
    );
  }

  /** Finds the rule of a topic. Callers should keep the result, because the rules are tried one by one. */
  of(topic: Topic): Rule {
    return this.#rules.find(({ match }) => matches(match, topic)) ?? this.#fallback;
  }
}
