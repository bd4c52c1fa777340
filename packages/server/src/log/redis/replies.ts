import type { Topic } from '@fanfare/protocol';
import { LogDamagedError, type LogRecord, type Start, type TopicState } from '../topic-log.ts';
import type { RemoteState, Run, Survey, TopicAfter } from './library.ts';
import { readItem } from './message-items.ts';

/** A reply of a function: the state of the log, and then values that the function names. */
export class Reply {
  readonly #values: readonly unknown[];
  #at = 5;

  /** @throws LogDamagedError */
  constructor(values: unknown) {
    if (!Array.isArray(values) || values.length < 5) throw unreadable();
    this.#values = values;
  }

  /** The state, with the part of the lineage that the function tells. */
  get state(): RemoteState {
    const [epoch, head, batch, clock, flat] = this.#values;
    const lineage = [];
    const pairs = listOf(flat);
    for (let at = 0; at < pairs.length; at += 2) {
      lineage.push({ epoch: textOf(pairs[at]), sequence: numberOf(pairs[at + 1]) });
    }
    return {
      epoch: textOf(epoch),
      head: numberOf(head),
      batch: numberOf(batch),
      clock: numberOf(clock),
      lineage,
    };
  }

  number(): number {
    return numberOf(this.#values[this.#at++]);
  }

  text(): string {
    return textOf(this.#values[this.#at++]);
  }

  bytes(): Buffer {
    return bytesOf(this.#values[this.#at++]);
  }

  list(): readonly unknown[] {
    return listOf(this.#values[this.#at++]);
  }

  topics(): readonly Topic[] {
    return this.list().map((name) => textOf(name) as Topic);
  }

  /** Messages of several topics, as runs of topic, first ordinal and messages. */
  records(): readonly LogRecord[] {
    const { state } = this;
    return this.list().flatMap((run) => {
      const [topic, ordinal, items] = listOf(run);
      return recordsOf(listOf(items), textOf(topic) as Topic, numberOf(ordinal), state);
    });
  }
}

/** Messages of a topic with ordinals from `first`. */
export function recordsOf(
  items: readonly unknown[],
  topic: Topic,
  first: number,
  state: RemoteState,
): readonly LogRecord[] {
  const epochAt = (sequence: number): string => epochOf(sequence, state);
  return items.map((item, at) => readItem(bytesOf(item), 0, { topic, ordinal: first + at, epochAt }));
}

/** The epoch in which a record was appended. */
export function epochOf(sequence: number, { epoch, lineage }: RemoteState): string {
  return lineage.find((earlier) => sequence <= earlier.sequence)?.epoch ?? epoch;
}

/** Where reading starts, from the next values of a reply. */
export function startOf(reply: Reply): Start {
  const { epoch } = reply.state;
  const sequence = reply.number();
  const ordinal = reply.number();
  const due = reply.number();
  const recovered = reply.number();
  return {
    position: { epoch, sequence, ordinal },
    ...(recovered >= 0 && { recovered: recovered === 1 }),
    due,
  };
}

export function runOf(value: unknown): Run {
  const [topic, ordinal, sequence, count] = listOf(value);
  return {
    topic: textOf(topic) as Topic,
    ordinal: numberOf(ordinal),
    sequence: numberOf(sequence),
    count: numberOf(count),
  };
}

export function topicStateOf(value: unknown): TopicState | undefined {
  const [name, messages, last, published, lastTime, epoch] = listOf(value);
  if (messages === undefined) return undefined;
  const sequence = numberOf(last);
  const state = {
    topic: textOf(name) as Topic,
    messages: numberOf(messages),
    published: numberOf(published),
  };
  return {
    ...state,
    ...(sequence > 0 && { last: { epoch: textOf(epoch), sequence } }),
    ...(state.published + state.messages > 0 && { lastTime: numberOf(lastTime) }),
  };
}

export function topicAfterOf(value: unknown): TopicAfter {
  const [topic, due, lost] = listOf(value);
  return { topic: textOf(topic) as Topic, due: numberOf(due), isLost: numberOf(lost) === 1 };
}

export function surveyOf(value: unknown): Survey {
  const [due = 0, place = -1, lost = 0] = listOf(value).map(numberOf);
  const isLost = lost === 1;
  return place < 0 ? { due, isLost } : { due, place, isLost };
}

export function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  const number = Number(textOf(value));
  if (Number.isNaN(number)) throw unreadable();
  return number;
}

export function textOf(value: unknown): string {
  return bytesOf(value).toString('utf8');
}

function bytesOf(value: unknown): Buffer {
  if (!Buffer.isBuffer(value)) throw unreadable();
  return value;
}

export function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw unreadable();
  return value;
}

function unreadable(): LogDamagedError {
  return new LogDamagedError('The log has given an answer that cannot be read.');
}
