import type { Topic } from '@fanfare/protocol';
import type { TopicEntry } from './topic-entry.ts';
import { LruList } from './lru-list.ts';

export interface UnusedNamesOptions {
  /** Whether the topic itself has a subscriber, or is about to get one. */
  readonly isInUse: (topic: Topic) => boolean;
  /** The limit of unused names per subject. */
  readonly unusedPerSubjectMax: number;
}

/** Whether a topic is not declared and keeps no message. */
export function isOnlyName({ isDeclared, isDeleted, count, trimmed }: TopicEntry): boolean {
  return !isDeclared && !isDeleted && count === trimmed;
}

/**
 * The topics that are only names and that nobody uses, in LRU order. When a new topic exceeds the limit, the
 * log forgets the first of them. A topic that comes into use leaves the list, and later returns at its end.
 */
export class UnusedNames implements Iterable<TopicEntry> {
  /** The limit of names per subject. It applies to each subject from its next name on. */
  perSubjectMax: number;
  readonly #options: UnusedNamesOptions;
  readonly #all = new LruList<TopicEntry>();
  /** By the subject that created the names. */
  readonly #own = new Map<string, LruList<TopicEntry>>();
  /** The subjects with too many names. */
  readonly #excessive = new Set<string>();

  constructor(options: UnusedNamesOptions) {
    this.#options = options;
    this.perSubjectMax = options.unusedPerSubjectMax;
  }

  isInUse(topic: Topic): boolean {
    return this.#options.isInUse(topic);
  }

  /** A topic was used or left now, or lost its last message. */
  note(entry: TopicEntry): void {
    this.remove(entry);
    if (!isOnlyName(entry) || this.isInUse(entry.name)) return;
    entry.unusedNode = this.#all.add(entry);
    const { subject } = entry;
    if (subject === undefined) return;
    let own = this.#own.get(subject);
    if (!own) this.#own.set(subject, (own = new LruList()));
    entry.subjectNode = own.add(entry);
    if (own.size > this.perSubjectMax) this.#excessive.add(subject);
  }

  /** A topic is in use, or is more than a name. */
  remove(entry: TopicEntry): void {
    const { unusedNode, subjectNode, subject } = entry;
    if (unusedNode) this.#all.remove(unusedNode);
    entry.unusedNode = undefined;
    if (!subjectNode || subject === undefined) return;
    const own = this.#own.get(subject);
    own?.remove(subjectNode);
    entry.subjectNode = undefined;
    if (own?.size === 0) this.#own.delete(subject);
    if ((own?.size ?? 0) <= this.perSubjectMax) this.#excessive.delete(subject);
  }

  /** From the least recently used name. */
  [Symbol.iterator](): Iterator<TopicEntry, void, undefined> {
    return this.#all[Symbol.iterator]();
  }

  /** Whether any subject has too many names. */
  get isExcessive(): boolean {
    return this.#excessive.size > 0;
  }

  /** All names of each subject that has too many. */
  *excessive(): Generator<LruList<TopicEntry>, void, undefined> {
    for (const subject of this.#excessive) {
      const own = this.#own.get(subject);
      if (own) yield own;
    }
  }
}
