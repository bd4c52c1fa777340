import type { From, Offset, Topic } from '@fanfare/protocol';
import type { PageLimit, Position, TopicQuery } from '../../topic-log.ts';
import type { OpenCall, ReadingLibrary, Run } from '../library.ts';

/**
 * Asks equal reads once while they are on their way: many clients come again at the same place, in the same
 * turn.
 */
export class SharedReads implements ReadingLibrary {
  readonly #reading: ReadingLibrary;
  #asked = new Map<string, Promise<unknown>>();

  constructor(reading: ReadingLibrary) {
    this.#reading = reading;
  }

  /** The log has changed: later reads do not share the answers of earlier ones. */
  noteChange(): void {
    if (this.#asked.size > 0) this.#asked = new Map();
  }

  open(topic: Topic, from: From, call: OpenCall): ReturnType<ReadingLibrary['open']> {
    return this.#reading.open(topic, from, call);
  }

  locate(topic: Topic, from: From): ReturnType<ReadingLibrary['locate']> {
    // Where the log ends now, no earlier question tells.
    if (from.kind === 'new') return this.#reading.locate(topic, from);
    return this.#share(['locate', topic, from], () => this.#reading.locate(topic, from));
  }

  page(topic: Topic, position: Position, limit: PageLimit): ReturnType<ReadingLibrary['page']> {
    return this.#share(['page', topic, position, limit], () => this.#reading.page(topic, position, limit));
  }

  before(topic: Topic, before: Offset, limit: PageLimit): ReturnType<ReadingLibrary['before']> {
    return this.#share(['before', topic, before, limit], () => this.#reading.before(topic, before, limit));
  }

  runs(position: Position): ReturnType<ReadingLibrary['runs']> {
    return this.#share(['runs', position], () => this.#reading.runs(position));
  }

  records(epoch: string, runs: readonly Run[], bytesMax: number): ReturnType<ReadingLibrary['records']> {
    return this.#share(['records', epoch, runs, bytesMax], () =>
      this.#reading.records(epoch, runs, bytesMax),
    );
  }

  patternStart(from: From): ReturnType<ReadingLibrary['patternStart']> {
    if (from.kind === 'new') return this.#reading.patternStart(from);
    return this.#share(['patternStart', from], () => this.#reading.patternStart(from));
  }

  survey(from: From, sequence: number, topics: readonly Topic[]): ReturnType<ReadingLibrary['survey']> {
    return this.#share(['survey', from, sequence, topics], () =>
      this.#reading.survey(from, sequence, topics),
    );
  }

  names(query: TopicQuery): ReturnType<ReadingLibrary['names']> {
    return this.#share(['names', query], () => this.#reading.names(query));
  }

  #share<T>(question: unknown, ask: () => Promise<T>): Promise<T> {
    const key = JSON.stringify(question);
    const asked = this.#asked;
    const known = asked.get(key);
    if (known) return known as Promise<T>;
    const answer = ask().finally(() => asked.delete(key));
    asked.set(key, answer);
    return answer;
  }
}
