import { Deadlines } from './deadlines.ts';
import type { EngineOptions } from './options.ts';

/** A session whose client has not logged in. */
export interface PendingLogin {
  close(reason: string, closeReason: string): void;
  /** Ends the session at once: a client that breaks a limit gets no time to answer. */
  cut(reason: string): void;
}

/** What a client has sent before its login. */
interface Sent {
  readonly bytes?: number;
  readonly frames?: number;
  readonly packets?: number;
}

/** Limits what clients can do before their login: everyone can connect. */
export class Logins<T extends PendingLogin> {
  readonly #options: EngineOptions;
  /** What each has sent, in the order in which they began. */
  readonly #pending = new Map<T, Record<keyof Sent, number>>();
  readonly #deadlines: Deadlines<T>;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(
      () => options.loginTimeoutMs,
      (session) => session.close('login timeout', 'The login took too long.'),
    );
  }

  get pending(): number {
    return this.#pending.size;
  }

  begin(session: T): void {
    this.#pending.set(session, { bytes: 0, frames: 0, packets: 0 });
    this.#deadlines.add(session);
    const [oldest] = this.#pending.size > this.#options.loginsPendingMax ? this.#pending.keys() : [];
    oldest?.cut('too many logins');
  }

  has(session: T): boolean {
    return this.#pending.has(session);
  }

  /** @returns false if the client has sent too much before its login */
  allow(session: T, { bytes = 0, frames = 0, packets = 0 }: Sent): boolean {
    const count = this.#pending.get(session);
    if (!count) return true;
    count.bytes += bytes;
    count.frames += frames;
    count.packets += packets;
    const { loginBytesMax, loginFramesMax, loginPacketsMax } = this.#options;
    return count.bytes <= loginBytesMax && count.frames <= loginFramesMax && count.packets <= loginPacketsMax;
  }

  /** The client has logged in, or has gone. */
  end(session: T): void {
    this.#pending.delete(session);
    this.#deadlines.delete(session);
  }
}
