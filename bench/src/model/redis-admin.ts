import { Connection, cutFrames } from '../wire/connection.ts';
import { command, elementEnd } from '../wire/redis.ts';

/** The counters of Redis that the model needs. */
export interface RedisCounters {
  readonly bytesOut: number;
  readonly bytesUsed: number;
}

/** Asks Redis, one question at a time, and follows channels. */
export class RedisAdmin {
  readonly #port: number;
  readonly #connection: Connection;
  readonly #followers: Connection[] = [];
  #settle: { readonly resolve: (reply: string) => void; readonly reject: (error: Error) => void } | undefined;
  #isClosed = false;

  constructor(port: number) {
    this.#port = port;
    this.#connection = new Connection(
      port,
      cutFrames(elementEnd, (bytes, start, end) => {
        const reply = bytes.toString('latin1', start, end);
        if (reply.startsWith('-')) this.#settle?.reject(new Error(reply.trim()));
        else this.#settle?.resolve(reply);
      }),
      (reason) => this.#settle?.reject(new Error(reason)),
    );
  }

  ask(...words: readonly string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#connection.write(command(...words));
    });
  }

  async counters(): Promise<RedisCounters> {
    const info = await this.ask('INFO');
    const number = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
    return { bytesOut: number('total_net_output_bytes'), bytesUsed: number('used_memory') };
  }

  /** The name of a function of the log, which has a digest of its code. */
  async functionName(name: string): Promise<string> {
    const library = /fanfare_[0-9a-f]{8}/.exec(await this.ask('FUNCTION', 'LIST'))?.[0];
    if (library === undefined) throw new Error('Redis has no functions of Fanfare.');
    return `${library}_${name}`;
  }

  /** Opens connections that get every frame of the log, like nodes, and drop it. Resolves once they do. */
  async follow(count: number): Promise<void> {
    for (let at = 0; at < count; at++) {
      await new Promise<void>((resolve, reject) => {
        const follower = new Connection(
          this.#port,
          (bytes) => {
            resolve();
            return bytes.length;
          },
          (reason) => {
            if (!this.#isClosed) reject(new Error(reason));
          },
        );
        follower.write(command('SUBSCRIBE', '{fanfare}:frames'));
        this.#followers.push(follower);
      });
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of [this.#connection, ...this.#followers]) connection.close();
  }
}
