import type { HostPort } from '../../nodes/host-port.ts';
import { LastingLink } from './lasting-link.ts';
import type { RedisLink } from './redis-link.ts';
import type { RedisServers } from './redis-url.ts';

export interface SubscriberConnectionOptions {
  readonly servers: RedisServers;
  /** Connects to a server, see redis-link.ts. */
  readonly open: (servers: RedisServers, node?: HostPort) => Promise<RedisLink>;
  /** What receives the messages of each channel. */
  readonly channels: ReadonlyMap<string, (payload: Buffer) => void>;
  /** Called when a new subscription is confirmed: every later message comes. */
  readonly onSubscribed: () => void;
  readonly onDown: (error: unknown) => void;
  readonly random: () => number;
}

/** The connection that receives the log's channels. It subscribes again after each interruption. */
export class SubscriberConnection {
  readonly #lasting: LastingLink;

  constructor({ channels, onSubscribed, ...options }: SubscriberConnectionOptions) {
    this.#lasting = new LastingLink({
      ...options,
      prepare: async (link) => {
        for (const [channel, onMessage] of channels) await link.subscribe(channel, onMessage);
      },
      onUp: onSubscribed,
    });
  }

  get isUp(): boolean {
    return this.#lasting.isUp;
  }

  /** @throws the last LogUnreachableError after 10 s; any other error at once */
  async start(): Promise<void> {
    await this.#lasting.start();
  }

  /** Subscribes on a new connection. */
  replace(reason: string): void {
    this.#lasting.replace(reason);
  }

  async close(): Promise<void> {
    await this.#lasting.close();
  }
}
