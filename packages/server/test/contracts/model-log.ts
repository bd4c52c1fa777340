import { isPattern, matches, type From, type Interest, type Topic } from '@fanfare/protocol';
import type { AppendOutcome, LogRecord, NewRecord, PageLimit, TopicState } from '../../src/log/topic-log.ts';
import { Rules, type Rule } from '../../src/rules/rule.ts';

/** A message in the model. */
export interface ModelMessage extends LogRecord {
  isKept: boolean;
  /** Whether it was deleted with its topic. */
  isDeleted: boolean;
}

interface ModelTopic {
  readonly name: Topic;
  readonly rule: Rule;
  readonly messages: ModelMessage[];
  readonly subject: string | undefined;
  /** The head when the topic was created, and its number among all topics. */
  readonly createdAt: number;
  readonly number: number;
  isDeclared: boolean;
  /** Whether it existed when the log was opened. */
  isOld: boolean;
  /** Increases with each use of any topic. */
  usedAt: number;
  /** Since the log was opened. */
  published: number;
  lastTime: number;
}

interface ModelId {
  readonly messageJson: string;
  readonly sequence: number;
  readonly time: number;
  /** The running time of the clock. */
  readonly at: number;
  /** Whether the log was reopened since: it may have forgotten the id. */
  isOptional: boolean;
  readonly isStored: boolean;
}

/** A reader in the model, with what it has yet to get. */
export interface ModelReader {
  readonly interest: Interest;
  pending: ModelMessage[];
}

export interface ModelOptions {
  readonly rules: readonly Rule[];
  readonly fallback: Rule;
  readonly topicsMax: number;
  readonly idWindowMs: number;
  readonly unusedPerSubjectMax: number;
}

/** The expected behaviour of a TopicLog, with linear searches in lists. Retention takes effect at once. */
export class ModelLog {
  readonly topics = new Map<Topic, ModelTopic>();
  /** The records that the tail must have got. */
  readonly tail: LogRecord[] = [];
  readonly readers: ModelReader[] = [];
  head = 0;
  readonly #options: ModelOptions;
  readonly #rules: Rules;
  readonly #stored: ModelMessage[] = [];
  readonly #ids = new Map<string, ModelId>();
  /** Topics that kept nothing and were deleted, and the head at that time. */
  readonly #passed: { readonly topic: Topic; readonly head: number }[] = [];
  readonly #inUse = new Set<Topic>();
  #newestTime = 0;
  /** The newest timestamp, or the time of the clock if that was later. */
  #time = 0;
  #shown = Infinity;
  #running = 0;
  #uses = 0;
  #made = 0;

  constructor(options: ModelOptions) {
    this.#options = options;
    this.#rules = new Rules(options.rules, options.fallback);
  }

  /** Takes over the log's free choices: the time, and whether it remembers an old id. */
  append(record: NewRecord, answer: AppendOutcome | undefined): AppendOutcome {
    const rule = this.topics.get(record.topic)?.rule ?? this.#rules.of(record.topic);
    const key = `${record.topic}\0${record.id}\0${record.subject ?? ''}`;
    const first = record.id === undefined ? undefined : this.#ids.get(key);
    if (first && this.#isRemembered(first, answer)) {
      if (first.messageJson !== record.messageJson) return { kind: 'id_conflict' };
      const { sequence, time, isStored } = first;
      return { kind: 'duplicate', epoch: this.epoch, sequence, time, stored: isStored ? this.level : 'none' };
    }
    if (!this.topics.has(record.topic)) {
      if (rule.create !== 'publish') return { kind: 'topic_not_found' };
      if (!this.#make(record.topic, record.subject)) return { kind: 'topics_exhausted' };
    }
    this.noteUse(record.topic);
    const { publishBytesMax } = rule;
    if (Buffer.byteLength(record.messageJson) > publishBytesMax) {
      return { kind: 'message_too_large', bytesMax: publishBytesMax };
    }
    const stored = rule.keep === 'none' ? 'none' : this.level;
    const isStored = rule.keep !== 'none';
    const message = this.#add(record, isStored, answer);
    const { sequence, time } = message;
    if (record.id !== undefined) {
      const { messageJson } = record;
      this.#ids.set(key, { messageJson, sequence, time, at: this.#running, isOptional: false, isStored });
    }
    return { kind: 'appended', epoch: this.epoch, sequence, time, stored };
  }

  /** The epoch of the log, which it keeps. */
  epoch = '';

  /** Whether other servers keep the log open. */
  isShared = false;

  /** The level at which the log stores. */
  level: 'memory' | 'disk' | 'replicated' = 'memory';

  create(topic: Topic, isDeclared: boolean, subject?: string): 'created' | 'existed' | 'topics_exhausted' {
    const existed = this.topics.has(topic);
    if (!existed && !this.#make(topic, subject)) return 'topics_exhausted';
    const made = this.topics.get(topic) as ModelTopic;
    made.isDeclared ||= isDeclared;
    this.noteUse(topic);
    return existed ? 'existed' : 'created';
  }

  /** A topic gets a subscriber, or loses its last one. */
  use(topic: Topic, isInUse: boolean): void {
    if (isInUse) this.#inUse.add(topic);
    else this.#inUse.delete(topic);
    this.noteUse(topic);
  }

  /** All subscribers are gone at once, with the log or with a server that shares it. */
  abandon(): void {
    if (this.isShared) for (const topic of this.#inUse) this.noteUse(topic);
    this.#inUse.clear();
  }

  isInUse(topic: Topic): boolean {
    return this.#inUse.has(topic);
  }

  noteUse(topic: Topic): void {
    const used = this.topics.get(topic);
    if (used) used.usedAt = ++this.#uses;
  }

  delete(topic: Topic): boolean {
    const existing = this.topics.get(topic);
    if (!existing) return false;
    for (const message of existing.messages) {
      message.isKept = false;
      message.isDeleted = true;
    }
    const hasPassed = existing.published > 0 || existing.isOld;
    if (existing.rule.keep === 'none' && hasPassed) this.#passed.push({ topic, head: this.head });
    return this.topics.delete(topic);
  }

  /** The log was closed and opened again, so nobody reads any more. */
  reopen(): void {
    this.readers.length = 0;
    if (this.isShared) return;
    const lastUse = ({ createdAt, messages }: ModelTopic): number =>
      Math.max(createdAt, messages.at(-1)?.sequence ?? 0);
    const inOrder = [...this.topics.values()].toSorted(
      (a, b) => lastUse(a) - lastUse(b) || a.number - b.number,
    );
    for (const topic of inOrder)
      Object.assign(topic, { published: 0, isOld: true, subject: undefined, usedAt: ++this.#uses });
    for (const id of this.#ids.values()) id.isOptional ||= !id.isStored;
  }

  /** Drops what the rules say. @param now - the clock goes back by seconds at most */
  retain(now: number): void {
    this.#time = Math.max(this.#time, now);
    this.#running += Math.max(0, now - this.#shown);
    this.#shown = now;
    for (const { name, rule, messages } of this.topics.values()) {
      const { keep } = rule;
      if (keep === 'none' || !messages.some(({ isKept }) => isKept)) continue;
      const kept = messages.filter((message) => message.isKept);
      let bytes = 0;
      for (const [at, message] of kept.toReversed().entries()) {
        bytes += Buffer.byteLength(message.messageJson);
        const isTooMuch = at >= keep.count || (bytes > keep.bytes && at > 0);
        if (isTooMuch || message.time < this.#time - keep.ageMs) message.isKept = false;
      }
      // A topic is unused from when its last message is dropped.
      if (!messages.some(({ isKept }) => isKept)) this.noteUse(name);
    }
    this.#forgetExcess();
  }

  list(prefix: string, after: string | undefined, limit: number): readonly TopicState[] {
    const names = [...this.topics.keys()].toSorted((a, b) => (a < b ? -1 : 1));
    return names
      .filter((name) => name.startsWith(prefix) && (after === undefined || name > after))
      .slice(0, limit)
      .map((topic) => this.stateOf(topic) as TopicState);
  }

  stateOf(topic: Topic): TopicState | undefined {
    const known = this.topics.get(topic);
    if (!known) return undefined;
    const { published, lastTime } = known;
    const last = known.messages.at(-1);
    const messages = known.messages.filter(({ isKept }) => isKept).length;
    return {
      topic,
      messages,
      ...(last && { last: { epoch: this.epoch, sequence: last.sequence } }),
      published,
      ...(published + messages > 0 && { lastTime }),
    };
  }

  /** The newest messages of a topic before a sequence. */
  before(
    topic: Topic,
    sequence: number,
    { recordsMax, bytesMax }: PageLimit,
  ): { readonly records: readonly ModelMessage[]; readonly isAtStart: boolean } {
    const all = this.topics.get(topic)?.messages ?? [];
    const wanted = all.filter((message) => message.isKept && message.sequence < sequence);
    let bytes = 0;
    let taken = 0;
    for (const { messageJson } of wanted.toReversed()) {
      bytes += Buffer.byteLength(messageJson);
      if (taken > 0 && (taken >= recordsMax || bytes > bytesMax)) break;
      taken++;
    }
    return { records: wanted.slice(wanted.length - taken), isAtStart: taken === wanted.length };
  }

  /** The messages to read from a start, and whether none after it is missing. */
  locate(interest: Interest, from: From, epoch: string): { pending: ModelMessage[]; recovered?: boolean } {
    const kept = this.#stored.filter(({ isKept, topic }) => isKept && matches(interest, topic));
    switch (from.kind) {
      case 'new':
        return { pending: [] };
      case 'earliest':
        return { pending: kept };
      case 'last':
        return { pending: kept.filter((one) => from.count > newerOf(kept, one)) };
      case 'time':
        return { pending: kept.filter(({ time }) => time >= from.ms) };
      case 'offset': {
        const { sequence } = from.offset;
        if (from.offset.epoch !== epoch || sequence > this.head) return { pending: kept, recovered: false };
        const after = this.#stored.filter((one) => one.sequence > sequence && matches(interest, one.topic));
        const recovered = after.every(({ isKept }) => isKept) && this.#keptAll(interest, sequence);
        return { pending: after.filter(({ isKept }) => isKept), recovered };
      }
    }
  }

  /** The largest possible page. */
  page(reader: ModelReader, { recordsMax, bytesMax }: PageLimit): readonly ModelMessage[] {
    const page: ModelMessage[] = [];
    let bytes = 0;
    for (const message of reader.pending) {
      if (!message.isKept) continue;
      bytes += Buffer.byteLength(message.messageJson);
      if (page.length > 0 && (page.length >= recordsMax || bytes > bytesMax)) break;
      page.push(message);
    }
    return page;
  }

  /** The losses that a reader must learn of. */
  dropped({ interest, pending }: ModelReader): number | 'unknown' {
    const lost = pending.filter(({ isKept }) => !isKept);
    if (lost.length === 0) return 0;
    return isPattern(interest) || lost.some(({ isDeleted }) => isDeleted) ? 'unknown' : lost.length;
  }

  #keptAll(interest: Interest, sequence: number): boolean {
    if (!isPattern(interest)) {
      const rule = this.topics.get(interest)?.rule ?? this.#rules.of(interest);
      return rule.keep !== 'none';
    }
    const passing = [...this.topics].filter(([, { rule }]) => rule.keep === 'none').map(([topic]) => topic);
    const passed = this.#passed.filter(({ head }) => head >= sequence).map(({ topic }) => topic);
    return ![...passing, ...passed].some((topic) => matches(interest, topic));
  }

  #make(topic: Topic, subject: string | undefined): boolean {
    if (this.topics.size >= this.#options.topicsMax) {
      const [oldest] = this.#unused();
      if (!oldest) return false;
      this.delete(oldest.name);
    }
    this.topics.set(topic, {
      name: topic,
      rule: this.#rules.of(topic),
      messages: [],
      subject,
      createdAt: this.head,
      number: ++this.#made,
      isDeclared: false,
      isOld: false,
      usedAt: ++this.#uses,
      published: 0,
      lastTime: 0,
    });
    return true;
  }

  /** The names that may be forgotten, the least recently used first. */
  #unused(): readonly ModelTopic[] {
    return [...this.topics.values()]
      .filter(({ name, isDeclared, messages }) => {
        const keepsNone = !messages.some(({ isKept }) => isKept);
        return keepsNone && !isDeclared && !this.#inUse.has(name);
      })
      .toSorted((a, b) => a.usedAt - b.usedAt);
  }

  #forgetExcess(): void {
    for (const { subject } of this.#unused()) {
      if (subject === undefined) continue;
      const own = this.#unused().filter((one) => one.subject === subject);
      const excess = Math.max(0, own.length - this.#options.unusedPerSubjectMax);
      for (const { name } of own.slice(0, excess)) this.delete(name);
    }
  }

  #isRemembered(first: ModelId, answer: AppendOutcome | undefined): boolean {
    const age = this.#running - first.at;
    if (age <= this.#options.idWindowMs && !first.isOptional) return true;
    return answer?.kind === 'duplicate' || answer?.kind === 'id_conflict';
  }

  #add(record: NewRecord, isStored: boolean, answer: AppendOutcome | undefined): LogRecord {
    if (isStored) this.head++;
    this.#newestTime = Math.max(this.#newestTime, answer && 'time' in answer ? answer.time : 0);
    this.#time = Math.max(this.#time, this.#newestTime);
    const topic = this.topics.get(record.topic) as ModelTopic;
    const ordinal = isStored ? topic.messages.length + 1 : 0;
    const { subject: _subject, ...told } = record;
    const appended = { ...told, epoch: this.epoch, sequence: this.head, ordinal, time: this.#newestTime };
    this.tail.push(appended);
    topic.published++;
    topic.lastTime = this.#newestTime;
    if (!isStored) return appended;
    const message = { ...appended, isKept: true, isDeleted: false };
    topic.messages.push(message);
    this.#stored.push(message);
    for (const reader of this.readers) {
      if (matches(reader.interest, record.topic)) reader.pending.push(message);
    }
    return message;
  }
}

function newerOf(messages: readonly ModelMessage[], { topic, sequence }: ModelMessage): number {
  return messages.filter((other) => other.topic === topic && other.sequence > sequence).length;
}
