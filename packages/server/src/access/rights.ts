import { createHash } from 'node:crypto';
import { covers, isPattern, matches, overlaps, type Interest, type Topic } from '@fanfare/protocol';
import { matchFor, type Rules } from '../rules/rule.ts';
import type { TopicFilter } from '../subscriptions/audience.ts';
import type { Identity } from './identity.ts';

/** The actions on a topic that need a right. */
export type Action = 'subscribe' | 'publish' | 'delete';

/** Maximum number of cached decisions, for one identity and for all identities together. */
const decisionsMax = { ofOne: 1_000, ofAll: 100_000 };

/** Bounds the cached decisions of all identities: a client can fill its cache with invented names. */
export class DecisionCache {
  readonly #filled = new Set<Map<string, boolean>>();
  #count = 0;

  remember(decisions: Map<string, boolean>, name: string, decision: boolean): void {
    if (this.#count >= decisionsMax.ofAll) this.#forgetAll();
    if (decisions.size >= decisionsMax.ofOne) {
      this.#count -= decisions.size;
      decisions.clear();
    }
    decisions.set(name, decision);
    this.#filled.add(decisions);
    this.#count++;
  }

  #forgetAll(): void {
    for (const decisions of this.#filled) decisions.clear();
    this.#filled.clear();
    this.#count = 0;
  }
}

/** The readable part of a topic or pattern: everything, nothing, or the topics that the filter allows. */
export type Readable = 'all' | 'nothing' | TopicFilter;

/** The rights of an identity. All decisions, for HTTP and for Socket.IO, are made by {@link may}. */
export class Rights {
  readonly identity: Identity;
  readonly #rules: Rules;
  readonly #decisions = new Map<string, boolean>();
  readonly #cache: DecisionCache;
  #filter: TopicFilter | undefined;

  /** @param cache - shared by all identities */
  constructor(identity: Identity, rules: Rules, cache: DecisionCache) {
    this.identity = identity;
    this.#rules = rules;
    this.#cache = cache;
  }

  /**
   * Whether the token or the rule of the topic allows an action. It does not matter whether the topic exists.
   */
  may(action: Action, topic: Topic): boolean {
    if (this.identity.isAdmin) return true;
    if (action === 'delete') return false;
    const name = `${action} ${topic}`;
    const known = this.#decisions.get(name);
    if (known !== undefined) return known;
    const decision = this.#decide(action, topic);
    this.#cache.remember(this.#decisions, name, decision);
    return decision;
  }

  /** The part of a topic or pattern that the client may read. */
  readable(interest: Interest): Readable {
    if (!isPattern(interest)) return this.may('subscribe', interest) ? 'all' : 'nothing';
    const { isAdmin, subscribe, subject } = this.identity;
    if (isAdmin || subscribe.some((pattern) => covers(pattern, interest))) return 'all';
    let isSome = subscribe.some((pattern) => overlaps(pattern, interest));
    // The first rule that matches a topic applies. After a rule for a part of the interest, no later rule can
    // cover all of it.
    let isFirst = true;
    for (const rule of this.#rules.all) {
      if (!overlaps(rule.match, interest)) continue;
      const match = rule.subscribe ? matchFor(rule, subject) : undefined;
      if (match !== undefined && isFirst && covers(match, interest)) return 'all';
      isSome ||= match !== undefined && overlaps(match, interest);
      isFirst = false;
    }
    return isSome ? this.filter : 'nothing';
  }

  get filter(): TopicFilter {
    return (this.#filter ??= { key: this.#key(), allows: (topic) => this.may('subscribe', topic) });
  }

  /** The publisher that a message to the topic names. */
  publisherOf(topic: Topic): string | undefined {
    const { subject } = this.identity;
    if (subject === undefined || !this.#rules.tellsPublishers) return undefined;
    return this.#rules.of(topic).publisher ? subject : undefined;
  }

  #decide(action: 'subscribe' | 'publish', topic: Topic): boolean {
    if (this.identity[action].some((pattern) => matches(pattern, topic))) return true;
    const rule = this.#rules.of(topic);
    const match = matchFor(rule, this.identity.subject);
    return rule[action] === true && match !== undefined && matches(match, topic);
  }

  /** The same key for all clients that may read the same topics. */
  #key(): string {
    const { subject, subscribe } = this.identity;
    const own = this.#rules.namesSubject ? subject : undefined;
    const text = JSON.stringify([subscribe.toSorted(), own]);
    return createHash('sha256').update(text).digest('base64url').slice(0, 22);
  }
}
