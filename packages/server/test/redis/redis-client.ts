import { connect, type Socket } from 'node:net';
import { nextEvent, soonMs, until, within } from '../../../../test/waits.ts';
import { atEnd } from './at-end.ts';
import { encodeCommand, RedisError, RespParser, textsOf, type RespValue } from './resp.ts';

export interface Login {
  readonly user?: string;
  readonly password: string;
}

interface Waiting {
  readonly resolve: (value: RespValue) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A client of Redis for tests, over RESP 3: it has no queue, and it never reconnects. Closed when the test
 * ends.
 */
export class RedisClient {
  readonly socket: Socket;
  /** What came without being asked for, oldest first: `['message', channel, payload]`. */
  readonly pushes: RespValue[][] = [];
  /** The messages of channels, oldest first, as bytes. */
  readonly payloads: Buffer[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #parser = new RespParser();
  #wake = (): void => {};

  private constructor(socket: Socket) {
    this.socket = socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', () => {});
    socket.once('close', () => {
      const closed = new Error('Redis, or something before it, closed the connection');
      for (const { reject } of this.#waiting.splice(0)) reject(closed);
    });
    atEnd(() => socket.destroy());
  }

  static async connect(port: number, login?: Login, host = '127.0.0.1'): Promise<RedisClient> {
    const socket = connect(port, host);
    const failed = new Promise<never>((_resolve, reject) => void socket.once('error', reject));
    const connected = nextEvent(socket, 'connect', `a client connects to port ${port}`);
    await within(soonMs, `a client connects to port ${port}`, Promise.race([connected, failed]));
    const client = new RedisClient(socket);
    const auth = login ? ['AUTH', login.user ?? 'default', login.password] : [];
    await client.command('HELLO', 3, ...auth);
    return client;
  }

  /** The reply, with texts. Rejects with a `RedisError` if the reply is one. */
  async command(...words: readonly (string | number | Buffer)[]): Promise<RespValue> {
    return textsOf(await this.binary(...words));
  }

  /** The reply, with the bytes of its bulk strings. */
  async binary(...words: readonly (string | number | Buffer)[]): Promise<RespValue> {
    return within(soonMs, `Redis replies to ${words.slice(0, 3).join(' ')}`, this.send(...words));
  }

  /** Sends a command. The promise is settled by its reply, or by the end of the connection. */
  send(...words: readonly (string | number | Buffer)[]): Promise<RespValue> {
    if (this.socket.destroyed) return Promise.reject(new Error('the connection is closed'));
    this.socket.write(encodeCommand(words));
    const reply = new Promise<RespValue>((resolve, reject) => void this.#waiting.push({ resolve, reject }));
    // A test may end without waiting for it.
    reply.catch(() => {});
    return reply;
  }

  /** Subscribes to a channel, and waits until Redis confirms it. */
  async subscribe(channel: string, how: 'SUBSCRIBE' | 'SSUBSCRIBE' = 'SUBSCRIBE'): Promise<void> {
    this.socket.write(encodeCommand([how, channel]));
    await this.push(([kind, name]) => kind === how.toLowerCase() && name === channel);
  }

  /** Waits for a push, also one that came before. */
  async push(isIt: (push: RespValue[]) => boolean): Promise<RespValue[]> {
    const step = async (): Promise<void> => new Promise((resolve) => (this.#wake = resolve));
    const soFar = (): unknown => this.pushes;
    await until('Redis sends a push', () => this.pushes.some(isIt), { step, soFar });
    return this.pushes.find(isIt) ?? [];
  }

  close(): void {
    this.socket.destroy();
  }

  #take(chunk: Buffer): void {
    for (const { value, isPush } of this.#parser.parse(chunk)) {
      if (isPush) this.#takePush(value as RespValue[]);
      else if (value instanceof RedisError) this.#waiting.shift()?.reject(value);
      else this.#waiting.shift()?.resolve(value);
    }
    this.#wake();
  }

  #takePush(push: RespValue[]): void {
    this.pushes.push(textsOf(push) as RespValue[]);
    const payload = push[2];
    if (Buffer.isBuffer(payload)) this.payloads.push(payload);
  }
}
