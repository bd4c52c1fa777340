import type { Topic } from '@fanfare/protocol';
import { LogDamagedError, type LogRecord } from '../topic-log.ts';
import type { Frame } from './library.ts';
import { itemLength, readItem } from './message-items.ts';

const frameVersion = 1;

/**
 * Decodes an announcement: version, epoch, counter, head before and after, time, topics that are gone, and
 * runs. A run is a topic, the number of its messages, the ordinal of the first one (0: not stored), and its
 * messages as items.
 *
 * @throws LogDamagedError
 */
export function decodeFrame(payload: Buffer): Frame {
  try {
    return decode(payload);
  } catch (cause) {
    throw new LogDamagedError('An announcement of the log cannot be read.', { cause });
  }
}

function decode(payload: Buffer): Frame {
  if (payload[0] !== frameVersion) throw new RangeError(`An announcement has version ${payload[0]}.`);
  const reading = new Reading(payload);
  const epoch = reading.name();
  const [batch, headBefore, head, time] = [
    reading.double(),
    reading.double(),
    reading.double(),
    reading.double(),
  ];
  const deletedCount = reading.count();
  const runCount = reading.count();
  const deleted = Array.from({ length: deletedCount }, () => reading.name() as Topic);
  const records: LogRecord[] = [];
  const epochAt = (): string => epoch;
  for (let run = 0; run < runCount; run++) {
    const topic = reading.name() as Topic;
    const count = reading.count();
    const first = reading.double();
    for (let at = 0; at < count; at++) {
      const start = reading.skip(itemLength(payload, reading.at));
      records.push(readItem(payload, start, { topic, ordinal: first === 0 ? 0 : first + at, epochAt }));
    }
  }
  if (reading.at !== payload.length) throw new RangeError('An announcement is longer than its runs.');
  return { epoch, batch, headBefore, head, time, records, deleted };
}

class Reading {
  readonly #payload: Buffer;
  /** After the version. */
  #at = 1;

  constructor(payload: Buffer) {
    this.#payload = payload;
  }

  get at(): number {
    return this.#at;
  }

  /** @returns the position before */
  skip(bytes: number): number {
    const start = this.#at;
    this.#at += bytes;
    return start;
  }

  name(): string {
    const size = this.#payload.readUInt8(this.skip(1));
    const start = this.skip(size);
    return this.#payload.toString('utf8', start, start + size);
  }

  count(): number {
    return this.#payload.readUInt32LE(this.skip(4));
  }

  double(): number {
    return this.#payload.readDoubleLE(this.skip(8));
  }
}
