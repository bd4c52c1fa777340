import { setImmediate as nextTurn } from 'node:timers/promises';
import { sleep, until } from '../../../../test/waits.ts';
import { subscriptionsOf, type ClientEvent } from './attribution.ts';
import type { History, Kept, Outcome, Publish } from './history.ts';

/** An attempt to publish that is under way. */
export type Attempt = Omit<Publish, 'sent' | 'answered' | 'outcome'>;

/** The time until a server serves that was killed, or has a large store. */
const upMs = 60_000;

/** Longer than any test. */
const wholeTestMs = 1_800_000;

export type Stored = 'disk' | 'memory' | 'replicated';

/**
 * The clock and the notes of a test: publishers and subscribers write what they see, and wait until the
 * server is up.
 */
export class World {
  readonly topics: readonly string[];
  readonly stored: Stored;
  readonly publishes: Publish[] = [];
  readonly #clients: { readonly name: string; readonly events: readonly ClientEvent[] }[] = [];
  #clock = 0;
  #sent = 0;
  #count = 0;
  #urls: readonly string[] = [];
  #turns = 0;
  readonly #retryMs: number;
  #credit = Infinity;
  #isEnding = false;
  #waiting: (() => void)[] = [];

  /**
   * @param stored - the level that each acknowledgement must name
   * @param retryMs - the pause of a publisher before it retries
   */
  constructor(topics: readonly string[], stored: Stored = 'disk', retryMs = 0) {
    this.topics = topics;
    this.stored = stored;
    this.#retryMs = retryMs;
  }

  get isEnding(): boolean {
    return this.#isEnding;
  }

  get isUp(): boolean {
    return this.#urls.length > 0;
  }

  /** The number of publishes that were begun. */
  get sent(): number {
    return this.#sent;
  }

  /** Whether publishes are under way. */
  get isAwaiting(): boolean {
    return this.#sent > this.publishes.length;
  }

  get acknowledged(): number {
    return this.#count;
  }

  /** The server's address, once it is up. Of several servers, each in turn. */
  async url(): Promise<string> {
    await until('the server is up', () => this.isUp, { step: () => this.changed(), ms: upMs });
    return this.#urls[this.#turns++ % this.#urls.length] ?? '';
  }

  setUp(...urls: readonly string[]): void {
    this.#urls = urls;
    this.#wake();
  }

  setDown(): void {
    this.#urls = [];
  }

  /** A publisher waits before it retries. */
  async backOff(): Promise<void> {
    // Publishers that retry at once would take the processor from the servers.
    await (this.#retryMs > 0 ? sleep(this.#retryMs) : nextTurn());
  }

  /** From now on, publishers begin only the granted number of publishes. */
  grant(count: number): void {
    this.#credit = (this.#credit === Infinity ? 0 : this.#credit) + count;
    this.#wake();
  }

  /** Whether all granted publishes were begun. */
  get isIdle(): boolean {
    return this.#credit < 1;
  }

  /** Waits until a publish is granted, as long as the test runs. The end of the test ends the world. */
  async granted(): Promise<void> {
    // A publisher takes its grant in the check itself: a grant wakes all who wait, and is for one of them.
    const takesGrant = (): boolean => {
      if (this.#credit < 1) return this.#isEnding;
      this.#credit--;
      return true;
    };
    await until('a publish is granted', takesGrant, { step: () => this.changed(), ms: wholeTestMs });
  }

  /** Publishers finish their pending publishes. */
  end(): void {
    this.#isEnding = true;
    this.#wake();
  }

  /** Waits for the next thing that happens to the server or to a publish. */
  changed(): Promise<void> {
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  /** Waits until a number of further publishes is acknowledged. */
  async acknowledges(count: number): Promise<void> {
    const enough = this.#count + count;
    await until(`${count} more publishes are acknowledged`, () => this.#count >= enough, {
      step: () => this.changed(),
      soFar: () => `${count - (enough - this.#count)} of them`,
      ms: upMs,
    });
  }

  /** Notes that an attempt was sent. The returned function notes its outcome. */
  send(attempt: Attempt): (outcome: Outcome) => void {
    const sent = this.#clock++;
    this.#sent++;
    return (outcome) => {
      this.publishes.push({ ...attempt, sent, answered: this.#clock++, outcome });
      if (outcome.kind === 'ok') this.#count++;
      this.#wake();
    };
  }

  /** Adds the notes of a client to the history. */
  follow(name: string, events: readonly ClientEvent[]): void {
    this.#clients.push({ name, events });
  }

  /** The whole history, after the log was read. Every connected client had time to get all messages. */
  history(kept: readonly Kept[]): History {
    const attributed = this.#clients.map(({ name, events }) => subscriptionsOf(name, events, true));
    return {
      publishes: this.publishes,
      kept,
      subscriptions: attributed.flatMap(({ subscriptions }) => subscriptions),
      strays: attributed.flatMap(({ strays }) => strays),
    };
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
