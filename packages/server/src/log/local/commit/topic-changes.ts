import type { Topic } from '@fanfare/protocol';
import type { Deletion, TopicNumber, TopicRecord } from '../../store/store.ts';
import { keeps, recordOf, type TopicEntry } from '../topic-entry.ts';
import type { TopicTable } from '../topic-table.ts';
import { isOnlyName } from '../unused-names.ts';
import { LruList, type LruNode } from '../lru-list.ts';

/** The planned state of a topic. */
export interface TopicDraft {
  readonly entry: TopicEntry;
  readonly isNew: boolean;
  /** A topic without messages that is not declared can be stored later. */
  isToBeSaved: boolean;
  isDeclared: boolean;
  count: number;
  bytes: number;
  lastSequence: number;
  published: number;
  lastTime: number;
  /** The node among the names that the plan uses, if the topic is only a name. */
  node: LruNode<TopicDraft> | undefined;
}

export interface TopicChangesOptions {
  readonly topics: TopicTable;
  /** The sequence of the newest planned or stored record. */
  readonly head: () => number;
}

/** The limits of forgotten names: for one new topic, and in one commit for subjects with too many. */
const forgottenMax = { forNewTopic: 64, forSubjects: 1_000 };

/**
 * The topics that a commit creates, changes, deletes and forgets. Nothing changes before the commit is
 * applied.
 */
export class TopicChanges {
  /** The deletions to remember. */
  readonly deletions: Deletion[] = [];
  readonly #options: TopicChangesOptions;
  readonly #drafts = new Map<Topic, TopicDraft>();
  /** The drafts of deleted and forgotten topics. Their names may have been taken again. */
  readonly #removed = new Map<TopicEntry, TopicDraft>();
  /** The drafts of names, in LRU order. All of them were used later than names without a draft. */
  readonly #names = new LruList<TopicDraft>();
  /** The unused names that this plan has not seen yet. */
  #unused: Iterator<TopicEntry> | undefined;
  #hasForgottenExcess = false;
  #growth = 0;
  #storing = 0;

  constructor(options: TopicChangesOptions) {
    this.#options = options;
  }

  get(topic: Topic): TopicDraft | undefined {
    const known = this.#drafts.get(topic);
    if (known) return known;
    const entry = this.#options.topics.get(topic);
    return entry && !this.#removed.has(entry) ? this.#draft(entry, false) : undefined;
  }

  /**
   * Creates a topic.
   *
   * @param subject - the subject that it belongs to
   * @returns undefined if the limit of topics is reached, and there are no unused names
   */
  make(topic: Topic, subject: string | undefined): TopicDraft | undefined {
    if (!this.#forgetIfFull()) return undefined;
    const { topics, head } = this.#options;
    this.#growth++;
    return this.#draft(topics.make(topic, head(), { subject }), true);
  }

  /** Declares a topic: it exists until it is deleted. */
  declare(draft: TopicDraft): void {
    if (draft.isDeclared) return;
    draft.isDeclared = true;
    draft.isToBeSaved = true;
    this.#storing++;
  }

  /** Deletes or forgets a topic. */
  remove(draft: TopicDraft): void {
    const { entry, lastSequence } = draft;
    this.#drafts.delete(entry.name);
    this.#leaveNames(draft);
    this.#removed.set(entry, draft);
    this.#growth--;
    const hasPassed = !keeps(entry) && (draft.published > 0 || entry.bornAt < 0);
    // Its messages had the sequence of the newest stored record, so no position up to the head proves that a
    // reader got all.
    const sequence = hasPassed ? this.#options.head() + 1 : lastSequence;
    if (sequence > 0) this.deletions.push({ topic: entry.name, sequence });
    if (sequence > 0 || isInStore(draft)) this.#storing++;
  }

  /** A client publishes to a topic, or subscribes to it. */
  noteUse(draft: TopicDraft): void {
    if (draft.isDeclared || draft.count > draft.entry.trimmed) this.#leaveNames(draft);
    else if (draft.node) this.#names.renew(draft.node);
    else draft.node = this.#names.add(draft);
  }

  /** Forgets names of subjects that have too many, except names that this plan uses. May be called again. */
  forgetExcess(): void {
    const { unused } = this.#options.topics;
    let forgotten = 0;
    for (const own of unused.excessive()) {
      let rest = own.size;
      for (const entry of own) {
        if (rest <= unused.perSubjectMax || forgotten >= forgottenMax.forSubjects) break;
        if (this.#removed.has(entry)) rest--;
        else if (this.#forget(entry)) {
          rest--;
          forgotten++;
        }
      }
    }
  }

  /** Whether the plan creates, deletes or forgets a topic. */
  changes(topic: Topic): boolean {
    if (this.#drafts.get(topic)?.isNew) return true;
    const entry = this.#options.topics.get(topic);
    return entry !== undefined && this.#removed.has(entry);
  }

  /** The growth of the number of topics. */
  get growth(): number {
    return this.#growth;
  }

  /** The number of changes that need the store. */
  get storing(): number {
    return this.#storing;
  }

  /** The records for the store to write. */
  changed(): readonly TopicRecord[] {
    const changed: TopicRecord[] = [];
    for (const { entry, isToBeSaved, isDeclared } of this.#drafts.values()) {
      if (isToBeSaved) changed.push({ ...recordOf(entry), isDeclared });
    }
    for (const draft of this.#removed.values()) {
      if (hasChunks(draft)) changed.push({ ...recordOf(draft.entry), isDeleted: true });
    }
    return changed;
  }

  /** The topics whose records the store removes now. A topic with chunks is removed later, by retention. */
  removed(): readonly TopicNumber[] {
    const removed: TopicNumber[] = [];
    for (const draft of this.#removed.values()) {
      if (!hasChunks(draft) && isInStore(draft)) removed.push(draft.entry.number);
    }
    return removed;
  }

  /**
   * Applies the changes.
   *
   * @param isSaved - whether the store has them
   * @returns the topics that were created, deleted or forgotten, or that got messages
   */
  apply(isSaved: boolean): readonly TopicEntry[] {
    const { topics } = this.#options;
    const changed: TopicEntry[] = [...this.#removed.keys()];
    for (const draft of this.#removed.values()) this.#applyRemoval(draft);
    for (const draft of this.#drafts.values()) {
      const { entry, isNew } = draft;
      if (isNew || draft.count > entry.count) changed.push(entry);
      assign(entry, draft);
      if (isSaved && draft.isToBeSaved) Object.assign(entry, { isSaved: true, isOutdated: false });
      if (isNew) topics.add(entry);
      if (!isOnlyName(entry)) topics.unused.remove(entry);
    }
    for (const { entry } of this.#names) topics.unused.note(entry);
    return changed;
  }

  #applyRemoval(draft: TopicDraft): void {
    const { topics } = this.#options;
    const { entry, isNew } = draft;
    const isGone = !hasChunks(draft);
    assign(entry, draft);
    entry.isDeleted = true;
    if (!isNew) topics.delete(entry);
    else if (!isGone) topics.add(entry);
    topics.noteDeletion(entry);
    if (isGone) topics.forget(entry);
  }

  /**
   * Forgets the least recently used name if the limit of topics is reached. It forgets several if the limit
   * was lowered.
   */
  #forgetIfFull(): boolean {
    const { topics } = this.#options;
    const isFull = (): boolean => topics.size + this.#growth >= topics.sizeMax;
    // Subjects with too many names give theirs up before others lose any.
    if (isFull() && topics.unused.isExcessive && !this.#hasForgottenExcess) {
      this.#hasForgottenExcess = true;
      this.forgetExcess();
    }
    let forgotten = 0;
    while (isFull() && forgotten < forgottenMax.forNewTopic && this.#forgetNext()) forgotten++;
    return !isFull() || forgotten > 0;
  }

  /**
   * Forgets the next name. It skips names that this plan uses, or that leave the list; there are not many of
   * them.
   *
   * @returns whether there was one
   */
  #forgetNext(): boolean {
    const { unused } = this.#options.topics;
    this.#unused ??= unused[Symbol.iterator]();
    for (let next = this.#unused.next(); next.done !== true; next = this.#unused.next())
      if (this.#forget(next.value)) return true;
    for (const draft of this.#names) {
      if (!unused.isInUse(draft.entry.name)) {
        this.remove(draft);
        return true;
      }
      this.#leaveNames(draft);
    }
    return false;
  }

  /** Forgets a name, unless it is in use or this plan uses it. @returns whether it did */
  #forget(entry: TopicEntry): boolean {
    const { unused } = this.#options.topics;
    if (this.#drafts.has(entry.name) || this.#removed.has(entry)) return false;
    if (unused.isInUse(entry.name)) {
      unused.remove(entry);
      return false;
    }
    this.remove(this.#draft(entry, false));
    return true;
  }

  #leaveNames(draft: TopicDraft): void {
    if (draft.node) this.#names.remove(draft.node);
    draft.node = undefined;
  }

  #draft(entry: TopicEntry, isNew: boolean): TopicDraft {
    const { isDeclared, count, bytes, lastSequence, published, lastTime } = entry;
    const grown = { isDeclared, count, bytes, lastSequence, published, lastTime };
    const draft = { entry, isNew, isToBeSaved: false, node: undefined, ...grown };
    this.#drafts.set(entry.name, draft);
    return draft;
  }
}

/** Whether the store has messages of a topic, or will have some. */
function hasChunks({ entry, count }: TopicDraft): boolean {
  return entry.oldest !== undefined || count > entry.count;
}

/**
 * Whether the store may have a record of a topic. For a topic that is to be stored again, it has an old one.
 */
function isInStore({ isNew, entry }: TopicDraft): boolean {
  return !isNew && (entry.isSaved || entry.bornAt < 0);
}

function assign(
  entry: TopicEntry,
  { isDeclared, count, bytes, lastSequence, published, lastTime }: TopicDraft,
): void {
  entry.isDeclared = isDeclared;
  entry.count = count;
  entry.bytes = bytes;
  entry.lastSequence = lastSequence;
  entry.published = published;
  entry.lastTime = lastTime;
}
