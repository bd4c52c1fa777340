import type { HostPort } from '../../nodes/host-port.ts';
import { LogClosedError } from '../topic-log.ts';
import { FunctionCalls } from './function-calls.ts';
import { LastingLink } from './lasting-link.ts';
import type { Argument } from './library.ts';
import { ConnectionLostError } from './redis-errors.ts';
import type { RedisLink } from './redis-link.ts';
import type { RedisServers } from './redis-url.ts';
import { checkServer, type RedisStored, type StoredSettings } from './server-check.ts';

export interface CommandConnectionOptions extends StoredSettings {
  readonly servers: RedisServers;
  /** Connects to a server, see redis-link.ts. */
  readonly open: (servers: RedisServers, node?: HostPort) => Promise<RedisLink>;
  /** The code of our functions, and the key that they get. */
  readonly code: string;
  readonly key: string;
  /** Greets the log over a new connection. Its calls are the first ones there. */
  readonly greet: () => Promise<void>;
  readonly onUp: () => void;
  readonly onDown: (error: unknown) => void;
  /** Called if the regular check of the server fails. */
  readonly onTrouble: (error: unknown) => void;
  readonly random: () => number;
}

/** The interval of the check of the server's settings, in milliseconds. */
const checkIntervalMs = 60_000;

/** The connection for everything but the channel: it calls functions and waits for replicas. */
export class CommandConnection {
  readonly #options: CommandConnectionOptions;
  readonly #lasting: LastingLink;
  #calls: FunctionCalls | undefined;
  #stored: RedisStored = 'memory';
  #checks: NodeJS.Timeout | undefined;
  #isClosed = false;
  #downReason = 'Redis is not connected yet.';

  constructor(options: CommandConnectionOptions) {
    this.#options = options;
    const { servers, open, random } = options;
    this.#lasting = new LastingLink({
      servers,
      open,
      random,
      prepare: (link) => this.#prepare(link),
      onUp: options.onUp,
      onDown: (error) => {
        this.#calls = undefined;
        this.#downReason = error instanceof Error ? error.message : String(error);
        options.onDown(error);
      },
    });
  }

  /** The level at which the server stores what it acknowledges. */
  get stored(): RedisStored {
    return this.#stored;
  }

  /** Whether a connection is greeted. */
  get isUp(): boolean {
    return this.#lasting.isUp;
  }

  /** @throws the last LogUnreachableError after 10 s; any other error at once */
  async start(): Promise<void> {
    await this.#lasting.start();
    this.#checks = setInterval(() => this.#check(), checkIntervalMs);
    this.#checks.unref();
  }

  /** Calls a function. It is sent in this turn, or it rejects. */
  call(name: string, args: readonly Argument[]): Promise<unknown> {
    const calls = this.#lasting.link && this.#calls;
    if (calls) return calls.call(name, args);
    if (this.#isClosed) return Promise.reject(new LogClosedError());
    return Promise.reject(new ConnectionLostError(this.#downReason, { isAnswerLost: false }));
  }

  /**
   * Waits until the replicas have everything that Redis has answered before. Since Redis 7.2, they only need
   * to have what Redis has written until the last write of this connection. An append is such a write, and so
   * is the greeting of a new connection, before appends are sent again.
   *
   * @returns the number of replicas that have it
   */
  async wait(timeoutMs: number): Promise<number> {
    const { link } = this.#lasting;
    if (!link) throw new ConnectionLostError(this.#downReason, { isAnswerLost: false });
    return Number(await link.send('WAIT', [this.#options.replicas, timeoutMs]));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#checks);
    await this.#lasting.close();
    this.#calls = undefined;
  }

  async #prepare(link: RedisLink): Promise<void> {
    const { code, key, greet } = this.#options;
    this.#stored = await checkServer(link, this.#options);
    this.#calls = new FunctionCalls(link, code, key);
    await greet();
  }

  #check(): void {
    const { link } = this.#lasting;
    if (!link) return;
    checkServer(link, this.#options).then(
      (stored) => (this.#stored = stored),
      (error: unknown) => this.#options.onTrouble(error),
    );
  }
}
