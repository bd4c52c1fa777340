import type { Offset, Topic } from '@fanfare/protocol';
import type { AppendOutcome, LogRecord, NewRecord } from '../../../src/log/topic-log.ts';
import type {
  AppendCall,
  AppendReply,
  CallFunction,
  Frame,
  LogLibrary,
  RemoteState,
  Since,
} from '../../../src/log/redis/library.ts';

/** A batch that was applied: records, or the beginning of an epoch. */
export interface AppliedBatch {
  readonly batch: number;
  readonly records: readonly LogRecord[];
}

interface LogData {
  epoch: string;
  head: number;
  batch: number;
  lineage: Offset[];
  history: AppliedBatch[];
  results: Map<string, { last: number; outcomes: Map<number, readonly AppendOutcome[]> }>;
  writer: number;
}

const resultsMax = 16;

/** Topics with this beginning keep nothing. */
export const unstoredPrefix = 'live/';

/** The log in a Redis of memory: it behaves like the functions of the library. */
export class FakeRedis {
  readonly #clock: () => number;
  readonly onFrame: (frame: Frame) => void;
  /** Every message that was ever applied, also in logs that are lost. */
  readonly applied: string[] = [];
  #data: LogData | undefined;
  #process = 1;
  #announced = 0;
  #epochs = 0;
  #copies: LogData[] = [];

  constructor(clock: () => number, onFrame: (frame: Frame) => void) {
    this.#clock = clock;
    this.onFrame = onFrame;
  }

  get history(): readonly AppliedBatch[] {
    return this.#data?.history ?? [];
  }

  get place(): Offset {
    const { epoch, head } = this.#log();
    return { epoch, sequence: head };
  }

  get clock(): number {
    return this.#clock();
  }

  /** Another process of Redis has the same data. */
  restart(): void {
    this.#process++;
    this.#announced = 0;
  }

  /** Another process has an older copy, without so many of the newest batches. */
  promoteOlder(lag: number): void {
    this.restart();
    const at = Math.max(0, this.#copies.length - 1 - lag);
    this.#data = copyOf(this.#copies[at]);
    this.#copies = this.#copies.slice(0, at + 1);
  }

  /** The keys of an older copy are restored under the running process. */
  restoreOlder(lag: number): void {
    const announced = this.#announced;
    this.promoteOlder(lag);
    this.#process--;
    this.#announced = announced;
  }

  empty(): void {
    this.#data = undefined;
    this.#copies = [];
  }

  hello(_node: string, seen: Offset | undefined): RemoteState {
    this.#write(seen);
    return this.#state();
  }

  state(): RemoteState {
    this.#write();
    return this.#state();
  }

  append({ node, number, seen, validUntil, records }: AppendCall): AppendReply {
    if (this.#write(seen)) return { kind: 'adopted' };
    const log = this.#log();
    const results = log.results.get(node) ?? {
      last: 0,
      outcomes: new Map<number, readonly AppendOutcome[]>(),
    };
    if (number <= results.last) {
      const outcomes = results.outcomes.get(number);
      return outcomes ? { kind: 'done', outcomes } : { kind: 'superseded' };
    }
    if (this.#clock() > validUntil) return { kind: 'late' };
    const headBefore = log.head;
    const made = records.map((record) => this.#record(record));
    const outcomes = made.map((record): AppendOutcome => ({
      kind: 'appended',
      epoch: record.epoch,
      sequence: record.sequence,
      time: record.time,
      stored: record.ordinal === 0 ? 'none' : 'memory',
    }));
    this.applied.push(...records.map(({ messageJson }) => messageJson));
    results.last = number;
    results.outcomes.set(number, outcomes);
    results.outcomes.delete(number - resultsMax);
    log.results.set(node, results);
    this.#announce(headBefore, made);
    return { kind: 'done', outcomes };
  }

  since(after: Offset, recordsMax: number): Since {
    const { head, epoch, lineage, history } = this.#log();
    const state = this.#state();
    const cut =
      after.epoch === epoch ? head : (lineage.find((each) => each.epoch === after.epoch)?.sequence ?? -1);
    if (after.sequence > cut) return { records: [], through: head, isComplete: true, state, hasGap: true };
    const stored = history.flatMap(({ records }) => records.filter(({ ordinal }) => ordinal > 0));
    const rest = stored.filter(({ sequence }) => sequence > after.sequence);
    const records = rest.slice(0, recordsMax);
    const isComplete = records.length === rest.length;
    const through = isComplete ? head : (records.at(-1)?.sequence ?? head);
    return { records, through, isComplete, state, hasGap: false };
  }

  #state(): RemoteState {
    const { epoch, head, batch, lineage } = this.#log();
    return { epoch, head, batch, lineage: [...lineage], clock: this.#clock() };
  }

  #log(): LogData {
    if (!this.#data) this.#write();
    return this.#data as LogData;
  }

  /** @returns whether the log has begun, or has a new epoch */
  #write(seen?: Offset): boolean {
    const log = this.#data;
    if (!log) {
      this.#data = {
        epoch: this.#newEpoch(),
        head: 0,
        batch: 0,
        lineage: [],
        history: [],
        results: new Map(),
        writer: this.#process,
      };
      this.#announced = 0;
      this.#announce(0, []);
      return true;
    }
    const isOther = log.writer !== this.#process || log.batch < this.#announced;
    if (!isOther && !(seen && seen.epoch === log.epoch && seen.sequence > log.head)) return false;
    log.lineage.push({ epoch: log.epoch, sequence: log.head });
    log.epoch = this.#newEpoch();
    log.writer = this.#process;
    this.#announce(log.head, []);
    return true;
  }

  #newEpoch(): string {
    return `E${++this.#epochs}`;
  }

  #record(record: NewRecord): LogRecord {
    const log = this.#log();
    const isStored = !record.topic.startsWith(unstoredPrefix);
    if (isStored) log.head++;
    return {
      ...record,
      epoch: log.epoch,
      sequence: log.head,
      ordinal: isStored ? log.head : 0,
      time: this.#clock(),
    };
  }

  #announce(headBefore: number, records: readonly LogRecord[]): void {
    const log = this.#log();
    const batch = ++log.batch;
    this.#announced = batch;
    log.history.push({ batch, records });
    this.#copies.push(copyOf(log) as LogData);
    this.onFrame({
      epoch: log.epoch,
      batch,
      headBefore,
      head: log.head,
      time: this.#clock(),
      records,
      deleted: [],
    });
  }
}

function copyOf(data: LogData | undefined): LogData | undefined {
  if (!data) return undefined;
  const results = [...data.results].map(([node, { last, outcomes }]) => {
    return [node, { last, outcomes: new Map(outcomes) }] as const;
  });
  return { ...data, lineage: [...data.lineage], history: [...data.history], results: new Map(results) };
}

/** The library of a node, over calls of the link. Arguments and answers are JSON. */
export function fakeLibrary(call: CallFunction): LogLibrary {
  const ask = async (name: string, ...args: readonly unknown[]): Promise<unknown> => {
    return JSON.parse(String(await call(name, [JSON.stringify(args)]))) as unknown;
  };
  return {
    hello: async (node: string, seen: Offset | undefined) =>
      (await ask('hello', node, seen ?? null)) as RemoteState,
    state: async () => (await ask('state')) as RemoteState,
    append: async (append: AppendCall) => (await ask('append', append)) as AppendReply,
    since: async (after: Offset, { recordsMax }: { recordsMax: number }) => {
      return (await ask('since', after, recordsMax)) as Since;
    },
  } as Partial<LogLibrary> as LogLibrary;
}

/** Carries out a call of {@link fakeLibrary}. */
export function carryOut(redis: FakeRedis, name: string, json: string): string {
  const [first, second] = JSON.parse(json) as [never, never];
  switch (name) {
    case 'hello':
      return JSON.stringify(redis.hello(first, second ?? undefined));
    case 'state':
      return JSON.stringify(redis.state());
    case 'append':
      return JSON.stringify(redis.append(first));
    case 'since':
      return JSON.stringify(redis.since(first, second));
    default:
      throw new Error(`There is no function ${name}.`);
  }
}

export function newRecord(message: number, isStored = true): NewRecord {
  return { topic: (isStored ? 'stored' : `${unstoredPrefix}x`) as Topic, messageJson: String(message) };
}
