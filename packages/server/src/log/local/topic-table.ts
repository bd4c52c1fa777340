import type { Interest, Topic } from '@fanfare/protocol';
import type { Rule, Rules } from '../../rules/rule.ts';
import { SortedList } from '../store/sorted-list.ts';
import type { DeletionMark, TopicNumber } from '../store/store.ts';
import { noDeletions, wasDeleted, withDeletions } from './deletions.ts';
import type { MayRead } from '../topic-log.ts';
import type { TopicEntry } from './topic-entry.ts';
import type { UnusedNames } from './unused-names.ts';

/** Optional fields of a new topic. */
interface Made {
  /** The next free number if none is given. */
  readonly number?: TopicNumber;
  readonly subject?: string | undefined;
}

/**
 * Maximum number of trims that are remembered one by one, so that a slow reader finds those of its topics.
 */
const trimsMax = 65_536;

/** The topics of a log: by name, by number, and in the order of their names. */
export class TopicTable {
  /** The topics that are only names, and that nobody uses. */
  readonly unused: UnusedNames;
  /** Maximum number of topics. A reload can change it. */
  sizeMax: number;
  readonly #rules: Rules;
  readonly #byName = new Map<Topic, TopicEntry>();
  readonly #byNumber = new Map<TopicNumber, TopicEntry>();
  readonly #inOrder = new SortedList<TopicEntry, Topic>();
  #highestNumber = 0;
  #changes = 0;
  /**
   * The newest trims, from the oldest. They name topics by number, so that a forgotten topic can be freed.
   */
  #trims: { readonly number: TopicNumber; readonly at: number }[] = [];
  #trimsForgottenAt = 0;
  /** The deletions since the log was opened. */
  #deletions = noDeletions;

  constructor(rules: Rules, unused: UnusedNames, sizeMax: number) {
    this.#rules = rules;
    this.sizeMax = sizeMax;
    this.unused = unused;
  }

  get size(): number {
    return this.#byName.size;
  }

  ruleOf(name: Topic): Rule {
    return this.get(name)?.rule ?? this.#rules.of(name);
  }

  get(name: Topic): TopicEntry | undefined {
    return this.#byName.get(name);
  }

  /** Also finds a deleted topic while the store has its chunks. */
  at(number: TopicNumber): TopicEntry | undefined {
    return this.#byNumber.get(number);
  }

  /** The highest number that was given to a topic. */
  get highestNumber(): TopicNumber {
    return this.#highestNumber;
  }

  set highestNumber(number: TopicNumber) {
    this.#highestNumber = Math.max(this.#highestNumber, number);
  }

  /** A counter of all trims and deletions. */
  get changes(): number {
    return this.#changes;
  }

  /** Returns a topic that is not in the table yet. Its number is never used again. */
  make(name: Topic, createdAt: number, { number = ++this.#highestNumber, subject }: Made = {}): TopicEntry {
    return {
      number,
      name,
      rule: this.#rules.of(name),
      createdAt,
      bornAt: createdAt,
      subject,
      isDeclared: false,
      isDeleted: false,
      isSaved: false,
      isOutdated: false,
      count: 0,
      bytes: 0,
      lastSequence: 0,
      published: 0,
      lastTime: 0,
      trimmed: 0,
      bytesTrimmed: 0,
      trimmedAt: 0,
      oldest: undefined,
      gone: { sequence: 0, ordinal: 0, bytes: 0 },
      unusedNode: undefined,
      subjectNode: undefined,
    };
  }

  /**
   * Gives a topic the rule that it has now.
   *
   * @param head - the head of the log
   * @returns whether it begins to keep messages
   */
  applyRule(entry: TopicEntry, head: number): boolean {
    const kept = entry.rule.keep !== 'none';
    entry.rule = this.#rules.of(entry.name);
    const keeps = entry.rule.keep !== 'none';
    if (keeps !== kept) entry.isOutdated = true;
    if (!keeps || kept) return false;
    // As in a store that is opened with changed rules: nothing was kept before.
    entry.createdAt = head + 1;
    this.trim(entry, entry.count);
    return true;
  }

  add(entry: TopicEntry): void {
    this.#byNumber.set(entry.number, entry);
    if (entry.isDeleted) return;
    this.#byName.set(entry.name, entry);
    this.#inOrder.set(entry.name, entry);
  }

  /** Removes a topic by name. Its number stays until {@link forget}. */
  delete(entry: TopicEntry): void {
    entry.isDeleted = true;
    this.unused.remove(entry);
    this.#byName.delete(entry.name);
    this.#inOrder.delete(entry.name);
  }

  forget(entry: TopicEntry): void {
    this.#byNumber.delete(entry.number);
  }

  /** Marks the messages of a topic up to an ordinal as no longer kept. */
  trim(entry: TopicEntry, ordinal: number): void {
    if (ordinal <= entry.trimmed) return;
    entry.trimmed = ordinal;
    entry.trimmedAt = ++this.#changes;
    if (ordinal === entry.count) this.unused.note(entry);
    this.#trims.push({ number: entry.number, at: this.#changes });
    if (this.#trims.length <= 2 * trimsMax) return;
    this.#trimsForgottenAt = this.#trims[trimsMax - 1]?.at ?? 0;
    this.#trims = this.#trims.slice(trimsMax);
  }

  /** Notes a deletion. If retention had left no messages, a reader can miss only those of the last trim. */
  noteDeletion({ name, lastSequence, count, trimmed, trimmedAt }: TopicEntry): void {
    if (lastSequence === 0) return;
    const at = count > trimmed ? ++this.#changes : trimmedAt;
    this.#deletions = withDeletions(this.#deletions, [{ topic: name, sequence: lastSequence, at }]);
  }

  /**
   * Whether topics were deleted after that many changes, with messages after a sequence. Also true if the log
   * does not remember that far back. Only deletions since the log was opened count.
   */
  wasDeleted(interest: Interest, isWanted: MayRead, sequence: number, changes = 0): boolean {
    const isMissed = (mark: DeletionMark): boolean => (mark.at ?? 0) > changes && mark.sequence > sequence;
    return wasDeleted(this.#deletions, interest, isWanted, isMissed);
  }

  /** The topics that were trimmed after that many changes, and still have a number. */
  *trimmedSince(changes: number): Iterable<TopicEntry> {
    if (changes < this.#trimsForgottenAt) {
      for (const entry of this.all()) if (entry.trimmedAt > changes) yield entry;
      return;
    }
    for (let at = this.#trims.length - 1; at >= 0; at--) {
      const trim = this.#trims[at];
      if (!trim || trim.at <= changes) return;
      const entry = this.#byNumber.get(trim.number);
      if (entry && trim.at === entry.trimmedAt) yield entry;
    }
  }

  /** In no particular order. A topic that is added during the iteration may be missing. */
  all(): Iterable<TopicEntry> {
    return this.#byName.values();
  }

  /** All topics with a number, deleted ones included. */
  everyNumber(): Iterable<TopicEntry> {
    return this.#byNumber.values();
  }

  /** In the order of their names. */
  list(prefix: string, after: string | undefined, limit: number): readonly TopicEntry[] {
    const found: TopicEntry[] = [];
    const from = after !== undefined && after > prefix ? after : prefix;
    for (const entry of this.#inOrder.from(from as Topic)) {
      if (found.length >= limit || !entry.name.startsWith(prefix)) break;
      if (entry.name !== after) found.push(entry);
    }
    return found;
  }
}

/** Sorts stored topics by their last known use: their creation, or their last message. */
export function inOrderOfUse(topics: TopicTable): readonly TopicEntry[] {
  const lastUse = ({ createdAt, lastSequence }: TopicEntry): number => Math.max(createdAt, lastSequence);
  return [...topics.all()].toSorted((a, b) => lastUse(a) - lastUse(b) || a.number - b.number);
}
