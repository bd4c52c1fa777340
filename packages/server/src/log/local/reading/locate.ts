import {
  isPattern,
  matches,
  type From,
  type Interest,
  type Offset,
  type Pattern,
  type Topic,
} from '@fanfare/protocol';
import { locatePattern } from './pattern-start.ts';
import { readPattern } from './pattern-page.ts';
import type { LogState, Store } from '../../store/store.ts';
import type { MayRead, Page, PageBefore, PageLimit, Position, Start } from '../../topic-log.ts';
import { readTopicBefore } from './backward-page.ts';
import { locateTopic, readTopic } from './topic-page.ts';
import type { TopicTable } from '../topic-table.ts';

/** What reading needs. It sees what was committed and given to the tail, whatever more the store has by then. */
export interface ReaderParts {
  readonly store: Store;
  readonly topics: TopicTable;
  readonly state: () => LogState;
}

/** What somebody reads who reads a pattern. */
export interface Wanting {
  readonly pattern: Pattern;
  /** Whether a topic is one of the pattern's, and may be read. */
  readonly isWanted: MayRead;
  /** Whether not all of the pattern may be read. */
  readonly isRestricted: boolean;
}

/** Finds and reads what is kept of topics and patterns. */
export class LogReader {
  readonly #parts: ReaderParts;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
  }

  async locate(interest: Interest, from: From, mayRead?: MayRead): Promise<Start> {
    if (from.kind === 'offset' && !this.#isOurs(from.offset)) {
      const start = await this.locate(interest, { kind: 'earliest' }, mayRead);
      return { ...start, recovered: false };
    }
    return isPattern(interest)
      ? locatePattern(this.#parts, wanting(interest, mayRead), from)
      : locateTopic(this.#parts, interest, from);
  }

  /** @throws LogDamagedError */
  async read(interest: Interest, position: Position, limit: PageLimit, mayRead?: MayRead): Promise<Page> {
    return isPattern(interest)
      ? readPattern(this.#parts, wanting(interest, mayRead), position, limit)
      : readTopic(this.#parts, interest, position, limit);
  }

  /** @throws LogDamagedError */
  async readBefore(topic: Topic, sequence: number, limit: PageLimit): Promise<PageBefore> {
    return readTopicBefore(this.#parts, topic, sequence, limit);
  }

  #isOurs({ epoch, sequence }: Offset): boolean {
    const { epoch: ours, head } = this.#parts.state();
    return epoch === ours && sequence <= head;
  }
}

function wanting(pattern: Pattern, mayRead: MayRead | undefined): Wanting {
  const isWanted: MayRead = mayRead
    ? (topic) => matches(pattern, topic) && mayRead(topic)
    : (topic) => matches(pattern, topic);
  return { pattern, isWanted, isRestricted: mayRead !== undefined };
}
