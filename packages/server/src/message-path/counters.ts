import type { Topic } from '@fanfare/protocol';
import type { Rule, Rules } from '../rules/rule.ts';

/** The rules beyond this number are counted together, so that the metrics stay few. */
const countedRulesMax = 100;

interface RuleCount {
  publishes: number;
}

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
  readonly byRule: Map<string, RuleCount> = new Map();
  readonly #rules: Pick<Rules, 'of'>;
  /** The counts of the rules in force: a reload makes new rules, of which most have the same patterns. */
  readonly #countOf = new WeakMap<Rule, RuleCount>();
  readonly #others: RuleCount = { publishes: 0 };

  constructor(rules: Pick<Rules, 'of' | 'all' | 'fallback'>) {
    this.#rules = rules;
    for (const rule of [rules.fallback, ...rules.all]) this.#add(rule);
  }

  /** Counts a message that the log has appended. */
  published(topic: Topic): void {
    this.publishes++;
    const rule = this.#rules.of(topic);
    (this.#countOf.get(rule) ?? this.#add(rule)).publishes++;
  }

  #add(rule: Rule): RuleCount {
    const name = rule.template ?? rule.match;
    const isRoom = this.byRule.size < countedRulesMax;
    const count = this.byRule.get(name) ?? (isRoom ? { publishes: 0 } : this.#others);
    this.byRule.set(count === this.#others ? '(others)' : name, count);
    this.#countOf.set(rule, count);
    return count;
  }
}
