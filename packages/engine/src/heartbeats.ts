import { Deadlines } from './deadlines.ts';
import type { EngineOptions } from './options.ts';

/** A session that is pinged. */
export interface Pinged {
  ping(): void;
  fail(reason: string): void;
}

/** Pings all sessions, and ends those that do not answer. Only the server pings in Engine.IO 4. */
export class Heartbeats<T extends Pinged> {
  readonly #pings: Deadlines<T>;
  readonly #pongs: Deadlines<T>;
  /** Sessions from which something else has come while an answer was due. This counts once. */
  readonly #heard = new Set<T>();

  constructor({ pingIntervalMs, pingTimeoutMs }: EngineOptions) {
    this.#pings = new Deadlines(pingIntervalMs, (session) => {
      this.#pongs.add(session);
      session.ping();
    });
    this.#pongs = new Deadlines(pingTimeoutMs, (session) => {
      this.#heard.delete(session);
      session.fail('ping timeout');
    });
  }

  begin(session: T): void {
    this.#pings.add(session);
  }

  /** Any packet has come. A client that is busy sending may answer late. */
  hear(session: T): void {
    if (!this.#pongs.has(session) || this.#heard.has(session)) return;
    this.#heard.add(session);
    this.#pongs.add(session);
  }

  /** The answer to a ping has come. */
  pong(session: T): void {
    this.#heard.delete(session);
    this.#pongs.delete(session);
    this.#pings.add(session);
  }

  end(session: T): void {
    this.#heard.delete(session);
    this.#pongs.delete(session);
    this.#pings.delete(session);
  }
}
