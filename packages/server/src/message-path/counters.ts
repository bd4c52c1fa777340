import type { Topic } from '@fanfare/protocol';
import type { Rules } from '../rules/rule.ts';

/** The rules beyond this number are counted together, so that the metrics stay few. */
const countedRulesMax = 100;

/** Counters of the message path. They are plain numbers, which are read when they are asked for. */
export class Counters {
  /** The number of messages that the log has appended for the clients of this server. */
  publishes = 0;
  /** The number of publishes whose id the log had already, so that no second message was made. */
  duplicates = 0;
  /**
   * The number of deliveries. A message counts once for each connection and form that it was sent to. For a
   * polling client, a message counts when a poll has taken it.
   */
  deliveries = 0;
  /** The number of live subscriptions. */
  live = 0;
  /** How often a subscriber was told that messages are missing: by the event `gap`, or when it resumed. */
  gaps = 0;
  /** Publishes by the pattern of the rule that applies. Rules with the same pattern count together. */
  readonly byRule: Map<string, { publishes: number }> = new Map();
  readonly #rules: Pick<Rules, 'of'>;
  readonly #countOf = new Map<object, { publishes: number }>();

  constructor(rules: Pick<Rules, 'of' | 'all' | 'fallback'>) {
    this.#rules = rules;
    const others = { publishes: 0 };
    for (const rule of [rules.fallback, ...rules.all]) {
      const name = rule.template ?? rule.match;
      const count = this.byRule.get(name) ?? (this.byRule.size < countedRulesMax ? { publishes: 0 } : others);
      this.byRule.set(count === others ? '(others)' : name, count);
      this.#countOf.set(rule, count);
    }
  }

  /** Counts a message that the log has appended. */
  published(topic: Topic): void {
    this.publishes++;
    const count = this.#countOf.get(this.#rules.of(topic));
    if (count) count.publishes++;
  }
}
