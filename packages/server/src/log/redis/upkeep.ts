import { isPattern, type Interest, type Pattern, type Topic } from '@fanfare/protocol';
import type { ReadingLibrary, TopicLibrary } from './library.ts';
import type { RedisRevocations } from './redis-revocations.ts';

export interface UpkeepOptions {
  readonly topics: TopicLibrary;
  readonly reading: ReadingLibrary;
  /** Identifies this run of this server, and no other one. */
  readonly nodeId: string;
  /** Whether a topic or pattern itself has a subscriber on this server, or is about to get one. */
  readonly isInUse: (interest: Interest) => boolean;
  /** The topics and patterns for which `isInUse` is true. */
  readonly usedInterests: () => Iterable<Interest>;
  /** Called if something fails in the background. */
  readonly onFailure: (error: unknown) => void;
}

const sweepIntervalMs = 1_000;

/** Topics and patterns are told to Redis in parts of this size. */
const usesPerCall = 500;

/** A part of the topics to which changed rules are applied. */
const topicsPerCall = 100;

/**
 * What this server does for the log without being asked: it removes what is old, and tells which topics its
 * subscribers use.
 */
export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #sweeper: NodeJS.Timeout;
  /** The topics and patterns used since the last call. */
  #uses = new Set<Interest>();
  /** The patterns of this server that Redis has, or is about to get. */
  readonly #covered = new Set<Pattern>();
  #sweeping: Promise<void> | undefined;
  /** Where in the journal the next sweep goes on. */
  #journal = '-';
  readonly #revocations: RedisRevocations;
  #trustedTime: number;
  #isStopped = false;
  #applying: Promise<void> = Promise.resolve();

  constructor(options: UpkeepOptions, revocations: RedisRevocations, trustedTime: number) {
    this.#options = options;
    this.#revocations = revocations;
    this.#trustedTime = trustedTime;
    this.#sweeper = setInterval(() => void this.sweep(), sweepIntervalMs).unref();
  }

  /** The time by the clock; an earlier time while the clock is on trial. */
  get trustedTime(): number {
    return this.#trustedTime;
  }

  /**
   * Notes that a topic or pattern is used now. @returns whether {@link tellUses} has to be called this turn
   */
  noteUse(interest: Interest): boolean {
    const isFirst = this.#uses.size === 0;
    // The newest use is the last in order.
    this.#uses.delete(interest);
    this.#uses.add(interest);
    return isFirst;
  }

  tellUses(): void {
    if (this.#uses.size === 0) return;
    const { topics, nodeId, isInUse, onFailure } = this.#options;
    const uses = [...this.#uses];
    this.#uses = new Set();
    const used = uses.filter(isTopic).map((topic) => ({ topic, isInUse: isInUse(topic) }));
    for (const some of partsOf(used)) topics.touch(nodeId, some).catch(onFailure);
    const left = uses
      .filter(isPattern)
      .filter((pattern) => !isInUse(pattern) && this.#covered.delete(pattern))
      .map((pattern) => ({ pattern, isInUse: false }));
    for (const some of partsOf(left)) topics.cover(nodeId, some).catch(onFailure);
  }

  /** Tells a pattern of a subscriber, unless Redis knows it. Later calls of Redis follow it in any case. */
  async cover(pattern: Pattern): Promise<void> {
    if (this.#covered.has(pattern)) return;
    this.#covered.add(pattern);
    try {
      await this.#options.topics.cover(this.#options.nodeId, [{ pattern, isInUse: true }]);
    } catch (error) {
      this.#covered.delete(pattern);
      throw error;
    }
  }

  /**
   * Tells the topics and patterns that subscribers of this server use. Topics that the log does not have are
   * created.
   */
  async declareUsed(): Promise<void> {
    const { topics, nodeId, usedInterests } = this.#options;
    const used = [...usedInterests()];
    const names = used.filter(isTopic);
    // A call without names counts the node as alive.
    for (const some of names.length === 0 ? [names] : partsOf(names)) await topics.use(nodeId, some);
    const patterns = used.filter(isPattern);
    for (const pattern of patterns) this.#covered.add(pattern);
    const covered = patterns.map((pattern) => ({ pattern, isInUse: true }));
    for (const some of partsOf(covered)) await topics.cover(nodeId, some);
  }

  /** Removes what is too old, and what is not needed any more. Never rejects. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => (this.#sweeping = undefined));
    return this.#sweeping;
  }

  /**
   * Applies the rules to all topics, one run after the other. Never rejects.
   *
   * @param isChanged - whether they have just changed; otherwise only if other rules were applied before
   */
  applyRules(isChanged: boolean): Promise<void> {
    // A run during which the rules change says at its end that it has applied the new ones.
    return (this.#applying = this.#applying.then(() => this.#applyRules(isChanged)));
  }

  async #applyRules(isChanged: boolean): Promise<void> {
    const { topics, reading, onFailure } = this.#options;
    try {
      if (!isChanged && (await topics.hasRules())) return;
      let after: string | undefined;
      for (let isLast = false; !isLast && !this.#isStopped;) {
        const query = { prefix: '', limit: topicsPerCall, ...(after !== undefined && { after }) };
        const { topics: names, isEnd } = await reading.names(query);
        await topics.retain(names, isEnd);
        after = names.at(-1);
        isLast = isEnd;
      }
    } catch (error) {
      if (!this.#isStopped) onFailure(error);
    }
  }

  /** Stops, and leaves all topics. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#sweeper);
    const { topics, nodeId } = this.#options;
    // Without an answer, the other servers notice in ten seconds.
    await topics.leave(nodeId).catch(() => {});
  }

  async #sweep(): Promise<void> {
    const { topics, nodeId, onFailure } = this.#options;
    try {
      for (let hasMore = true; hasMore && !this.#isStopped;) {
        const swept = await topics.sweep(nodeId, this.#journal);
        this.#journal = swept.journal;
        this.#trustedTime = swept.trustedTime;
        if (swept.wasGone) await this.declareUsed();
        await this.#revocations.check(swept.revocationsVersion);
        ({ hasMore } = swept);
      }
    } catch (error) {
      if (!this.#isStopped) onFailure(error);
    }
  }
}

function* partsOf<T>(all: readonly T[]): Generator<readonly T[], void, undefined> {
  for (let at = 0; at < all.length; at += usesPerCall) yield all.slice(at, at + usesPerCall);
}

function isTopic(interest: Interest): interest is Topic {
  return !isPattern(interest);
}
