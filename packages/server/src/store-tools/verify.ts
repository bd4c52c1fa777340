import { Pacer } from '../limits/pacer.ts';
import type { Block, Chunk, IdBlock, LogState, Store, TopicNumber, TopicRecord } from '../log/store/store.ts';
import { LogDamagedError } from '../log/topic-log.ts';
import { blocksOf, isAmong, salvage, type DamagedKeys } from './salvage.ts';
import { TimestampCheck } from './timestamp-check.ts';
import { readState, readTopics, scanChunks, type StoredTopics, type Watcher } from './store-scan.ts';

/** The readable content of a store. */
export interface StoreCounts {
  /** Existing topics. */
  readonly topics: number;
  readonly messages: number;
  /** The size of the messages as JSON text. */
  readonly bytes: number;
  readonly damages: number;
}

export interface VerifyOptions extends Watcher {
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  /** Called with a sentence for each notice that is not about damage. */
  readonly onNotice: (sentence: string) => void;
}

/**
 * Reads a whole store, and verifies that all checksums are right, that no message is missing, and that
 * topics, blocks and messages agree.
 */
export async function verifyStore(store: Store, options: VerifyOptions): Promise<StoreCounts> {
  const verification = new Verification(store, options);
  await verification.run();
  return verification.counts;
}

/** The expected begin of a topic's next chunk; undefined after an unreadable one. */
interface Expected {
  readonly ordinal: number;
  readonly bytes: number;
}

class Verification {
  readonly #store: Store;
  readonly #watcher: VerifyOptions;
  readonly #pacer = new Pacer();
  readonly #state: LogState | undefined;
  readonly #topics: StoredTopics;
  readonly #expected = new Map<TopicNumber, Expected | undefined>();
  /** Chunks that were reported as damaged, by topic. */
  readonly #damagedChunks = new Map<TopicNumber, DamagedKeys[]>();
  readonly #damagedBlocks: DamagedKeys[] = [];
  #messages = 0;
  #bytes = 0;
  #damages = 0;
  #last = 0;
  readonly #timestamps: TimestampCheck;

  constructor(store: Store, watcher: VerifyOptions) {
    this.#store = store;
    this.#watcher = { ...watcher, onDamage: (sentence) => this.#report(sentence, watcher) };
    this.#state = readState(store, this.#watcher);
    this.#topics = readTopics(store, this.#state, this.#watcher);
    this.#timestamps = new TimestampCheck(this.#state, watcher.now());
  }

  get counts(): StoreCounts {
    const existing = [...this.#topics.records.values()].filter(({ isDeleted }) => !isDeleted);
    const topics = existing.length;
    return { topics, messages: this.#messages, bytes: this.#bytes, damages: this.#damages };
  }

  async run(): Promise<void> {
    this.#checkTopics();
    const blocks = this.#readBlocks();
    const numbers = [...this.#topics.records.keys(), ...this.#topics.damaged];
    const onDamage = (topic: TopicNumber, keys: DamagedKeys): void => this.#onDamagedChunks(topic, keys);
    let next = blocks.next();
    for (const { block, chunks } of scanChunks(this.#store, numbers, this.#highest, onDamage)) {
      for (; next.done !== true && next.value.first < block; next = blocks.next())
        this.#checkBlock(next.value, []);
      if (next.done !== true && next.value.first === block) {
        this.#checkBlock(next.value, chunks);
        next = blocks.next();
      } else {
        if (!isAmong(this.#damagedBlocks, block))
          this.#damage(`The list of topics of block ${block} is missing.`);
        for (const chunk of chunks) this.#checkChunk(chunk, undefined);
      }
      await this.#pause(block);
    }
    for (; next.done !== true; next = blocks.next()) {
      this.#checkBlock(next.value, []);
      await this.#pause(next.value.first);
    }
    await this.#checkIds();
    this.#checkState();
    for (const notice of this.#timestamps.notices) this.#watcher.onNotice(notice);
  }

  /** The highest possible sequence. */
  get #highest(): number {
    return this.#state?.head ?? Number.MAX_SAFE_INTEGER - 1;
  }

  async #pause(block: number): Promise<void> {
    if (!this.#pacer.isDue) return;
    const share = this.#state && this.#state.head > 0 ? block / this.#state.head : undefined;
    const progress = { messages: this.#messages, bytes: this.#bytes };
    this.#watcher.onProgress?.(share === undefined ? progress : { ...progress, share });
    await this.#pacer.yield();
  }

  #checkTopics(): void {
    const names = new Set<string>();
    for (const { number, name, isDeleted } of this.#topics.records.values()) {
      if (this.#state && number > this.#state.topicNumber)
        this.#damage(
          `Topic '${name}' has number ${number}, and the highest number that the log has given is ${this.#state.topicNumber}.`,
        );
      if (isDeleted) continue;
      if (names.has(name)) this.#damage(`Topic '${name}' exists twice.`);
      names.add(name);
    }
  }

  #readBlocks(): Generator<Block, void, undefined> {
    const source = {
      read: (from: number) => this.#store.readBlocks(from),
      keyOf: ({ first }: Block) => first,
      before: (block: number) => this.#store.blockBefore(block),
      first: 0,
      last: this.#highest,
      atOnce: 256,
    };
    return salvage(source, (keys) => {
      this.#damagedBlocks.push(keys);
      this.#damage(`The list of topics of ${blocksOf(keys)} is damaged.`);
    });
  }

  #onDamagedChunks(topic: TopicNumber, keys: DamagedKeys): void {
    const others = this.#damagedChunks.get(topic);
    if (others) others.push(keys);
    else this.#damagedChunks.set(topic, [keys]);
    this.#expected.set(topic, undefined);
    this.#damage(`Messages of ${this.#nameOf(topic)} in ${blocksOf(keys)} are damaged.`);
  }

  #checkBlock(block: Block, chunks: readonly Chunk[]): void {
    const { first, time, runs } = block;
    if (first <= this.#last) this.#damage(`Block ${first} begins before the end of the previous block.`);
    if (!this.#timestamps.take(block)) this.#damage(`Block ${first} is older than the previous block.`);
    const places = new Map<TopicNumber, number[]>();
    let sequence = first;
    for (const { topic, count } of runs) {
      const ofTopic = places.get(topic) ?? [];
      places.set(topic, ofTopic);
      for (let left = count; left > 0; left--) ofTopic.push(sequence++);
    }
    this.#last = Math.max(this.#last, sequence - 1);
    for (const chunk of chunks) {
      const ofChunk = places.get(chunk.topic);
      places.delete(chunk.topic);
      if (chunk.time !== time)
        this.#damage(
          `Messages of ${this.#nameOf(chunk.topic)} in block ${first} have a different time than the block.`,
        );
      this.#checkChunk(chunk, ofChunk ?? []);
    }
    for (const topic of places.keys()) this.#checkAbsent(topic, first);
  }

  /** A block lists messages of a topic, and there are none. */
  #checkAbsent(topic: TopicNumber, block: number): void {
    const record = this.#topics.records.get(topic);
    if (isAmong(this.#damagedChunks.get(topic), block) || this.#topics.damaged.includes(topic)) return;
    if (record) {
      // Messages up to this one were removed.
      if (block > record.gone.sequence)
        this.#lose(topic, `Messages of ${this.#nameOf(topic)} in block ${block} are missing.`);
    } else if (this.#hasChunk(topic, block)) {
      this.#damage(`The record of topic number ${topic} is missing, and block ${block} has messages of it.`);
    }
  }

  #hasChunk(topic: TopicNumber, block: number): boolean {
    try {
      return this.#store.chunk(topic, block) !== undefined;
    } catch (error) {
      if (error instanceof LogDamagedError) return true;
      throw error;
    }
  }

  /** @param places - the expected sequences of its messages, if known */
  #checkChunk(chunk: Chunk, places: readonly number[] | undefined): void {
    const { topic, block, ordinal, bytesBefore } = chunk;
    const name = this.#nameOf(topic);
    const counts = this.#readRecords(chunk, places);
    if (!counts) return this.#lose(topic, `Messages of ${name} in block ${block} are damaged.`);
    const record = this.#topics.records.get(topic);
    const atFirst = record && { ordinal: record.gone.ordinal + 1, bytes: record.gone.bytes };
    const expected = this.#expected.has(topic) ? this.#expected.get(topic) : atFirst;
    if (expected && ordinal > expected.ordinal) {
      const missing = ordinal - expected.ordinal;
      this.#damage(
        `${missing} ${missing === 1 ? 'message' : 'messages'} of ${name} before block ${block} ${missing === 1 ? 'is' : 'are'} missing.`,
      );
    } else if (expected && (ordinal !== expected.ordinal || bytesBefore !== expected.bytes)) {
      this.#damage(`The count of messages of ${name} in block ${block} does not continue the previous one.`);
    }
    this.#expected.set(topic, { ordinal: ordinal + counts.messages, bytes: bytesBefore + counts.bytes });
    this.#messages += counts.messages;
    this.#bytes += counts.bytes;
  }

  #readRecords(
    chunk: Chunk,
    places: readonly number[] | undefined,
  ): { messages: number; bytes: number } | undefined {
    try {
      const { records } = chunk;
      let bytes = 0;
      for (const { messageJson } of records) bytes += Buffer.byteLength(messageJson);
      const agrees =
        places === undefined ||
        (places.length === records.length && records.every(({ sequence }, at) => sequence === places[at]));
      if (!agrees)
        this.#damage(
          `Block ${chunk.block} does not have the messages of ${this.#nameOf(chunk.topic)} that it lists.`,
        );
      this.#last = Math.max(this.#last, records.at(-1)?.sequence ?? 0);
      return { messages: records.length, bytes };
    } catch (error) {
      if (error instanceof LogDamagedError) return undefined;
      throw error;
    }
  }

  async #checkIds(): Promise<void> {
    const source = {
      read: (from: number) => this.#store.readIds(from),
      keyOf: ({ block }: IdBlock) => block,
      first: 0,
      last: this.#highest,
      atOnce: 64,
    };
    const ids = salvage(source, ({ through }) =>
      this.#damage(`The list of ids of block ${through}, or of an earlier block, is damaged.`),
    );
    for (const { block, ids: ofBlock } of ids) {
      if (ofBlock.some(({ sequence }) => sequence < block || sequence > this.#highest))
        this.#damage(`The list of ids of block ${block} belongs to other messages.`);
      if (this.#pacer.isDue) await this.#pacer.yield();
    }
  }

  #checkState(): void {
    const state = this.#state;
    if (!state) {
      if (this.#last > 0 && this.#damages === 0) this.#damage("The log's state is missing.");
      return;
    }
    if (this.#last > state.head)
      this.#damage(`There are messages after ${state.head}, which is the end of the log by its state.`);
    if (this.#timestamps.newest > state.time)
      this.#damage("There are messages that are newer than the time in the log's state.");
  }

  #lose(topic: TopicNumber, sentence: string): void {
    this.#expected.set(topic, undefined);
    this.#damage(sentence);
  }

  #damage(sentence: string): void {
    this.#watcher.onDamage(sentence);
  }

  #report(sentence: string, { onDamage }: Watcher): void {
    this.#damages++;
    onDamage(sentence);
  }

  #nameOf(topic: TopicNumber): string {
    const record: TopicRecord | undefined = this.#topics.records.get(topic);
    return record ? `topic '${record.name}'` : `topic number ${topic}`;
  }
}
