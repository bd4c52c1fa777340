import { isPattern, matches, type Interest, type Offset, type Topic } from '@fanfare/protocol';
import type { Rules } from '../../rules/rule.ts';
import type { LogRecord, MayRead, Page, PageLimit, Position, Start } from '../topic-log.ts';
import type { Frame } from './library.ts';
import { PackedRecords } from './packed-records.ts';
import { TopicRun } from './topic-run.ts';

export interface RecentRecordsOptions {
  readonly rules: Pick<Rules, 'of' | 'keepsNothing'>;
  /** Redis's clock now, at the latest. */
  readonly clock: () => number;
  readonly bytesMax?: number;
}

/** Maximum size of the recent records in memory. */
const defaultBytesMax = 67_108_864;

/** The overhead of a record in memory: its head, its places, and its part of a run. */
const recordBytes = 74;

/** The records of a page of a pattern are among so many. It takes about 2 ms. */
const scannedMax = 4_096;

const deletionsMax = 1_000;

/** Records are not given from memory when they are about to expire: by so much the clocks can differ. */
const ageMarginMs = 1_000;

/** An epoch, from the sequence at which it began. */
interface EpochStart {
  readonly epoch: string;
  readonly from: number;
}

/**
 * The newest stored records of the log in memory. Reading here asks Redis nothing. It answers only if Redis
 * would answer the same: everything after the position is here, and nothing of it can have been removed.
 */
export class RecentRecords {
  readonly #options: RecentRecordsOptions;
  readonly #bytesMax: number;
  /** Without a gap: the record at `i` has the sequence `#start + 1 + i`. */
  #records = new PackedRecords();
  /** The runs of the records: that of the record at `i` is at `#first + i`. */
  #runs: TopicRun[] = [];
  #first = 0;
  #bytes = 0;
  /** The sequence after which all stored records are here. */
  #start = 0;
  #head = 0;
  #epochs: EpochStart[] = [];
  #topics = new Map<Topic, TopicRun>();
  /** The head at the last deletion of each topic, from the oldest deletion. */
  readonly #deletions = new Map<Topic, number>();

  constructor(options: RecentRecordsOptions) {
    this.#options = options;
    this.#bytesMax = options.bytesMax ?? defaultBytesMax;
  }

  /** The approximate memory of the records, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Forgets all records: those after the place follow. */
  restart({ epoch, sequence }: Offset): void {
    this.#records = new PackedRecords();
    this.#runs = [];
    this.#first = 0;
    this.#bytes = 0;
    this.#start = sequence;
    this.#head = sequence;
    this.#epochs = [{ epoch, from: sequence }];
    this.#topics = new Map();
    this.#deletions.clear();
  }

  /** A new epoch continues the log at the head. */
  enter({ epoch, sequence }: Offset): void {
    this.#epochs.push({ epoch, from: sequence });
  }

  /** Adds the frame that follows the last one. */
  add({ records, deleted, epoch, head }: Frame): void {
    for (const record of records) {
      if (record.ordinal === 0) continue;
      if (record.sequence !== this.#head + 1) this.restart({ epoch, sequence: record.sequence - 1 });
      this.#push(record);
    }
    if (head !== this.#head) this.restart({ epoch, sequence: head });
    for (const topic of deleted) {
      this.#deletions.delete(topic);
      this.#deletions.set(topic, head);
    }
    if (this.#deletions.size > deletionsMax) this.restart({ epoch, sequence: head });
    while (this.#bytes > this.#bytesMax) this.#dropOldest();
  }

  /** Reads the messages after a position, like `TopicLog.read`. Undefined if Redis has to be asked. */
  read(interest: Interest, position: Position, limit: PageLimit, mayRead?: MayRead): Page | undefined {
    const { newest, sequence } = position;
    if (!this.#has(position) || (newest && newest.through > sequence)) return undefined;
    return isPattern(interest)
      ? this.#readPattern(interest, position, limit, mayRead)
      : this.#readTopic(interest, position, limit);
  }

  /**
   * Finds where reading starts from an offset, like `TopicLog.locate`. Undefined if Redis has to be asked.
   */
  locate(interest: Interest, offset: Offset, mayRead?: MayRead): Start | undefined {
    if (!this.#has(offset)) return undefined;
    if (isPattern(interest) && this.#options.rules.keepsNothing) return undefined;
    return isPattern(interest)
      ? this.#locatePattern(interest, offset, mayRead)
      : this.#locateTopic(interest, offset);
  }

  /**
   * The same for a topic that certainly keeps messages, so that it exists and is no unused name. Thousands of
   * clients resume at once.
   */
  resume(topic: Topic, offset: Offset): Start | undefined {
    const { keep } = this.#options.rules.of(topic);
    const run = this.#topics.get(topic);
    // The newest message is never dropped for its bytes.
    const newest = run?.at(run.after(Infinity) - 1);
    if (keep === 'none' || newest === undefined || !this.#isYoung(newest, keep.ageMs)) return undefined;
    return this.locate(topic, offset);
  }

  #locateTopic(topic: Topic, offset: Offset): Start | undefined {
    if (this.#options.rules.of(topic).keep === 'none' || !this.#isWhole(topic, offset.sequence))
      return undefined;
    const run = this.#topics.get(topic);
    const at = run?.after(offset.sequence) ?? 0;
    const due = run?.countFrom(at) ?? 0;
    const ordinal = due > 0 ? this.#ordinalOf(run?.at(at), -1) : this.#ordinalOf(run?.at(at - 1));
    const place = due === 0 ? this.#place : offset;
    return {
      position: { epoch: place.epoch, sequence: place.sequence, ...(ordinal !== undefined && { ordinal }) },
      recovered: true,
      due,
    };
  }

  #locatePattern(interest: Interest, offset: Offset, mayRead: MayRead | undefined): Start | undefined {
    const scan = this.#scan(interest, offset, { recordsMax: Infinity, bytesMax: Infinity }, mayRead);
    if (!scan?.isAtHead) return undefined;
    const due = scan.records.length;
    return { position: due === 0 ? this.#place : offset, recovered: true, due };
  }

  #readTopic(topic: Topic, position: Position, { recordsMax, bytesMax }: PageLimit): Page | undefined {
    if (!this.#isWhole(topic, position.sequence)) return undefined;
    const run = this.#topics.get(topic);
    const records: LogRecord[] = [];
    let bytes = 0;
    let at = run?.after(position.sequence) ?? 0;
    for (let next = run?.at(at); next !== undefined; next = run?.at(++at)) {
      bytes += run?.bytesAt(at) ?? 0;
      if (records.length > 0 && (records.length >= recordsMax || bytes > bytesMax)) break;
      records.push(this.#recordAt(next));
    }
    const isAtHead = run?.at(at) === undefined;
    const last = records.at(-1);
    const { epoch, sequence } = isAtHead ? this.#place : (last ?? position);
    const ordinal = last?.ordinal ?? position.ordinal;
    const end = { epoch, sequence, ...(ordinal !== undefined && { ordinal }) };
    return { records, position: end, isAtHead, dropped: 0 };
  }

  #readPattern(
    interest: Interest,
    position: Position,
    limit: PageLimit,
    mayRead: MayRead | undefined,
  ): Page | undefined {
    const scan = this.#scan(interest, position, limit, mayRead);
    if (!scan) return undefined;
    const { records, sequence, isAtHead } = scan;
    const epoch = isAtHead ? this.#place.epoch : this.#epochAt(sequence);
    const { changes } = position;
    const end = { epoch, sequence, ...(changes !== undefined && { changes }) };
    return { records, position: end, isAtHead, dropped: 0 };
  }

  /** The records of a pattern after a place. Undefined if some of them may be removed. */
  #scan(
    interest: Interest,
    { sequence: after }: Offset,
    { recordsMax, bytesMax }: PageLimit,
    mayRead: MayRead = () => true,
  ): { records: readonly LogRecord[]; sequence: number; isAtHead: boolean } | undefined {
    for (const [topic, head] of this.#deletions) {
      if (head > after && matches(interest, topic) && mayRead(topic)) return undefined;
    }
    const wanted = new Map<Topic, boolean>();
    const records: LogRecord[] = [];
    let bytes = 0;
    const end = Math.min(this.#head, after + scannedMax);
    for (let sequence = after + 1; sequence <= end; sequence++) {
      const { topic } = this.#runs[this.#first + sequence - this.#start - 1] as TopicRun;
      if (!wanted.has(topic)) {
        const isWanted = matches(interest, topic) && mayRead(topic);
        if (isWanted && !this.#isWhole(topic, after)) return undefined;
        wanted.set(topic, isWanted);
      }
      if (!wanted.get(topic)) continue;
      const record = this.#recordAt(sequence);
      bytes += Buffer.byteLength(record.messageJson);
      if (records.length > 0 && (records.length >= recordsMax || bytes > bytesMax)) {
        return { records, sequence: sequence - 1, isAtHead: false };
      }
      records.push(record);
    }
    return { records, sequence: end, isAtHead: end === this.#head };
  }

  get #place(): Offset {
    return { epoch: this.#epochs.at(-1)?.epoch ?? '', sequence: this.#head };
  }

  /** Whether everything after a place is here. */
  #has({ epoch, sequence }: Offset): boolean {
    if (sequence < this.#start) return false;
    const at = this.#epochs.findLastIndex((each) => each.epoch === epoch);
    return at >= 0 && sequence <= (this.#epochs[at + 1]?.from ?? this.#head);
  }

  #epochAt(sequence: number): string {
    const started = this.#epochs.findLast(({ from }) => from < sequence) ?? this.#epochs[0];
    return started?.epoch ?? '';
  }

  /** Whether no message of a topic after a sequence can have been removed. */
  #isWhole(topic: Topic, after: number): boolean {
    if ((this.#deletions.get(topic) ?? 0) > after) return false;
    const { keep } = this.#options.rules.of(topic);
    const run = this.#topics.get(topic);
    if (keep === 'none' || !run) return true;
    const first = run.after(after);
    const oldest = run.at(first);
    if (oldest === undefined) return true;
    return (
      this.#isYoung(oldest, keep.ageMs) &&
      run.countFrom(first) <= keep.count &&
      run.bytesFrom(first) <= keep.bytes
    );
  }

  #isYoung(sequence: number, ageMs: number): boolean {
    return this.#records.timeAt(sequence - this.#start - 1) + ageMs - ageMarginMs > this.#options.clock();
  }

  #push(record: LogRecord): void {
    const bytes = Buffer.byteLength(record.messageJson);
    let run = this.#topics.get(record.topic);
    if (!run) this.#topics.set(record.topic, (run = new TopicRun(record.topic)));
    run.add(record.sequence, bytes);
    this.#records.push(record, bytes);
    this.#runs.push(run);
    this.#head = record.sequence;
    this.#bytes += bytes + recordBytes;
  }

  #dropOldest(): void {
    const run = this.#runs[this.#first] as TopicRun;
    this.#records.dropOldest();
    this.#bytes -= run.dropOldest() + recordBytes;
    if (run.isEmpty) this.#topics.delete(run.topic);
    this.#start++;
    this.#first++;
    if (this.#first >= 4_096 && this.#first * 2 >= this.#runs.length) {
      this.#runs.splice(0, this.#first);
      this.#first = 0;
    }
    while ((this.#epochs[1]?.from ?? Infinity) < this.#start) this.#epochs.shift();
  }

  #recordAt(sequence: number): LogRecord {
    const { topic } = this.#runs[this.#first + sequence - this.#start - 1] as TopicRun;
    return this.#records.at(sequence - this.#start - 1, { topic, epoch: this.#epochAt(sequence) });
  }

  #ordinalOf(sequence: number | undefined, more = 0): number | undefined {
    if (sequence === undefined) return undefined;
    return this.#records.ordinalAt(sequence - this.#start - 1) + more;
  }
}
