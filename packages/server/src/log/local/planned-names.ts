import type { Draft } from './draft.ts';
import type { TopicEntry } from './topic-table.ts';
import { UseOrder } from './use-order.ts';
import type { UnusedNames } from './unused-names.ts';

/**
 * The names that a plan uses or forgets. Those that it uses were used later than all others. Nothing is changed before the plan
 * is applied.
 */
export class PlannedNames implements Iterable<Draft> {
  readonly #unused: UnusedNames;
  readonly #used = new UseOrder<Draft>();
  readonly #subjects = new Map<string, OwnNames>();
  /** The unused names that were not looked at. */
  #rest: Iterator<TopicEntry> | undefined;

  constructor(unused: UnusedNames) {
    this.#unused = unused;
  }

  /** The plan uses a topic that is only a name. One that has a subscriber is not held by anyone. */
  use(draft: Draft): void {
    const { name, subject } = draft.entry;
    const own = this.#unused.isInUse(name) ? undefined : this.#ownOf(subject);
    if (draft.place) {
      this.#used.renew(draft.place);
      if (draft.ownPlace) own?.used.renew(draft.ownPlace);
      return;
    }
    draft.place = this.#used.add(draft);
    draft.ownPlace = own?.used.add(draft);
    if (own && draft.isNew) own.growth++;
  }

  /** A topic is more than a name now, or goes. */
  leave(draft: Draft): void {
    if (draft.place) this.#used.remove(draft.place);
    const own = this.#ownOf(draft.entry.subject);
    if (own && draft.ownPlace) {
      own.used.remove(draft.ownPlace);
      if (draft.isNew) own.growth--;
    }
    draft.place = undefined;
    draft.ownPlace = undefined;
  }

  /** A name that there was before is forgotten. */
  noteForgotten({ subject, ownPlace }: TopicEntry): void {
    const own = this.#ownOf(subject);
    if (own && ownPlace) own.growth--;
  }

  /** How many names a subject holds more than it may, once the plan is applied; 0 or less when it holds no more. */
  excessOf(subject: string): number {
    const own = this.#subjects.get(subject);
    return this.#unused.countOf(subject) + (own?.growth ?? 0) - this.#unused.perSubjectMax;
  }

  /** The names before the plan that were not given yet, from the one whose last use was longest ago. */
  *rest(): Generator<TopicEntry, void, undefined> {
    this.#rest ??= this.#unused[Symbol.iterator]();
    yield* remaining(this.#rest);
  }

  /** The same of one subject. */
  *restOf(subject: string): Generator<TopicEntry, void, undefined> {
    const own = this.#ownOf(subject);
    if (!own) return;
    own.rest ??= this.#unused.namesOf(subject);
    yield* remaining(own.rest);
  }

  /** The names that the plan uses, from the one whose last use was longest ago. */
  [Symbol.iterator](): Iterator<Draft, void, undefined> {
    return this.#used[Symbol.iterator]();
  }

  /** The same of one subject. */
  usedBy(subject: string): Iterable<Draft> {
    return this.#subjects.get(subject)?.used ?? [];
  }

  #ownOf(subject: string | undefined): OwnNames | undefined {
    if (subject === undefined) return undefined;
    let own = this.#subjects.get(subject);
    if (!own) this.#subjects.set(subject, (own = { used: new UseOrder(), rest: undefined, growth: 0 }));
    return own;
  }
}

/** The names of one subject. */
interface OwnNames {
  readonly used: UseOrder<Draft>;
  rest: Iterator<TopicEntry> | undefined;
  /** How many more there are to be than before. */
  growth: number;
}

/** What is left of an iterator, which goes on where it was the next time. */
function* remaining<T>(items: Iterator<T>): Generator<T, void, undefined> {
  for (let next = items.next(); next.done !== true; next = items.next()) yield next.value;
}
