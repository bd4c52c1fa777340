import type { HostPort } from '../../nodes/host-port.ts';
import { LogClosedError, LogUnreachableError } from '../topic-log.ts';
import { ConnectionLostError } from './redis-errors.ts';
import type { RedisLink } from './redis-link.ts';
import type { RedisServers } from './redis-url.ts';

export interface LastingLinkOptions {
  readonly servers: RedisServers;
  /** Connects to a server, see redis-link.ts. */
  readonly open: (servers: RedisServers, node?: HostPort) => Promise<RedisLink>;
  /** Prepares a new connection. If it rejects, another connection is tried. */
  readonly prepare: (link: RedisLink) => Promise<void>;
  /** Called when a new connection is prepared. */
  readonly onUp: () => void;
  /** Called when a prepared connection has ended, and for each failed attempt. */
  readonly onDown: (error: unknown) => void;
  readonly random: () => number;
}

/** The pause before the second attempt, in milliseconds. It doubles with each attempt. */
const firstPauseMs = 50;

/** While Redis is away, publishes fail. So it must be found soon after it is back or replaced. */
const pauseMsMax = 250;

/** The first connection must be there after this time, in milliseconds. */
const startTimeoutMs = 10_000;

/** Keeps a connection to the log's server. After it ends, it connects again, without an end. */
export class LastingLink {
  readonly #options: LastingLinkOptions;
  #link: RedisLink | undefined;
  #isUp = false;
  #isClosed = false;
  #attempts = 0;
  /** The number of answers MOVED in a row. */
  #moves = 0;
  /** The node of a cluster that has the log, as far as it is known. */
  #node: HostPort | undefined;
  #seeds = 0;
  #endPause: () => void = () => {};
  #loop: Promise<void> | undefined;

  constructor(options: LastingLinkOptions) {
    this.#options = options;
  }

  /** The present connection, which may still be in preparation. */
  get link(): RedisLink | undefined {
    return this.#link;
  }

  /** Whether the present connection is prepared. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /**
   * Resolves after the first connection is prepared.
   *
   * @throws the last LogUnreachableError after 10 s; any other error at once
   */
  async start(): Promise<void> {
    const endsAt = performance.now() + startTimeoutMs;
    for (;;) {
      try {
        await this.#connect();
        break;
      } catch (error) {
        const isOver = !(error instanceof LogUnreachableError) || performance.now() > endsAt;
        if (isOver || this.#isClosed) throw error;
        await this.#pause(error);
      }
    }
    this.#loop = this.#run();
  }

  /** Replaces the present connection. */
  replace(reason: string): void {
    this.#link?.end(new ConnectionLostError(reason, { isAnswerLost: true }));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#isUp = false;
    this.#endPause();
    this.replace(new LogClosedError().message);
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const link = this.#link;
      try {
        if (!link) await this.#connect();
        else {
          const reason = await link.ended;
          this.#forget(reason);
          throw reason;
        }
      } catch (error) {
        if (this.#isClosed) return;
        this.#options.onDown(error);
        await this.#pause(error);
      }
    }
  }

  async #connect(): Promise<void> {
    const { open, prepare, servers, onUp } = this.#options;
    try {
      const link = await open(servers, this.#node ?? servers.hosts[this.#seeds % servers.hosts.length]);
      this.#link = link;
      await (this.#isClosed ? Promise.reject(new LogClosedError()) : prepare(link));
    } catch (error) {
      const end = new ConnectionLostError('The connection was not prepared.', {
        isAnswerLost: true,
        cause: error,
      });
      this.#link?.end(end);
      this.#forget(error);
      if (!isMoved(error)) this.#seeds++;
      throw error;
    }
    this.#attempts = 0;
    this.#moves = 0;
    this.#isUp = true;
    onUp();
  }

  /** Only the answer MOVED names a node: after any other end, the nodes of the URL are asked. */
  #forget(reason: unknown): void {
    this.#link = undefined;
    this.#isUp = false;
    this.#node = reason instanceof ConnectionLostError ? reason.movedTo : undefined;
  }

  /** Backs off, so that thousands of servers do not all connect at the same moment. */
  async #pause(error: unknown): Promise<void> {
    this.#moves = isMoved(error) ? this.#moves + 1 : 0;
    if (this.#moves === 1) return;
    const pauseMs = Math.min(pauseMsMax, firstPauseMs * 2 ** this.#attempts++);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pauseMs * (0.5 + this.#options.random() / 2));
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function isMoved(error: unknown): boolean {
  return error instanceof ConnectionLostError && error.movedTo !== undefined;
}
