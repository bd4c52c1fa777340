import type { Block, Chunk, ChunkRecord, IdBlock, StoredId, TopicNumber } from '../../store/store.ts';

/** Reading a block takes some milliseconds at most. */
const recordsPerBlockMax = 1_024;

/** A larger message has a block of its own. */
const bytesPerBlockMax = 65_536;

interface OpenChunk extends Chunk {
  readonly records: ChunkRecord[];
}

interface OpenBlock extends Block {
  readonly runs: { readonly topic: TopicNumber; count: number }[];
}

/** The topic of a record, and the totals of the topic before it. */
export type TopicPosition = Pick<Chunk, 'topic' | 'ordinal' | 'bytesBefore'>;

/** Splits the records of a commit into blocks, and groups the records of each block by topic. */
export class BlockBuilder {
  readonly blocks: Block[] = [];
  readonly chunks: Chunk[] = [];
  readonly ids: IdBlock[] = [];
  /** The number of records, and the size of their messages. */
  messages = 0;
  bytes = 0;
  readonly #time: number;
  #block: OpenBlock | undefined;
  #recordsOfBlock = 0;
  #bytesOfBlock = 0;
  #chunksOfBlock = new Map<TopicNumber, OpenChunk>();
  #chunk: OpenChunk | undefined;
  #idsOfBlock: StoredId[] | undefined;

  constructor(time: number) {
    this.#time = time;
  }

  /** @param bytes - the size of its message */
  add(record: ChunkRecord, bytes: number, place: TopicPosition): void {
    const isFull =
      this.#recordsOfBlock >= recordsPerBlockMax || this.#bytesOfBlock + bytes > bytesPerBlockMax;
    const block = this.#block === undefined || isFull ? this.#open(record.sequence) : this.#block;
    this.messages++;
    this.bytes += bytes;
    this.#recordsOfBlock++;
    this.#bytesOfBlock += bytes;
    const run = block.runs.at(-1);
    if (run?.topic === place.topic) run.count++;
    else block.runs.push({ topic: place.topic, count: 1 });
    this.#chunkOf(place, block).records.push(record);
  }

  /** Adds the id of the last added record. */
  addId(id: StoredId): void {
    if (this.#idsOfBlock === undefined) {
      this.#idsOfBlock = [];
      this.ids.push({ block: this.#block?.first ?? id.sequence, time: this.#time, ids: this.#idsOfBlock });
    }
    this.#idsOfBlock.push(id);
  }

  #open(first: number): OpenBlock {
    const block = { first, time: this.#time, runs: [] };
    this.#block = block;
    this.blocks.push(block);
    this.#recordsOfBlock = 0;
    this.#bytesOfBlock = 0;
    this.#chunksOfBlock = new Map();
    this.#chunk = undefined;
    this.#idsOfBlock = undefined;
    return block;
  }

  #chunkOf({ topic, ordinal, bytesBefore }: TopicPosition, { first }: Block): OpenChunk {
    if (this.#chunk?.topic === topic) return this.#chunk;
    let chunk = this.#chunksOfBlock.get(topic);
    if (chunk === undefined) {
      chunk = { topic, block: first, ordinal, bytesBefore, time: this.#time, records: [] };
      this.#chunksOfBlock.set(topic, chunk);
      this.chunks.push(chunk);
    }
    this.#chunk = chunk;
    return chunk;
  }
}
