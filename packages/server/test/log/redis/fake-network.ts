import { ConnectionLostError } from '../../../src/log/redis/redis-errors.ts';
import type { Argument } from '../../../src/log/redis/library.ts';
import type { RedisLink } from '../../../src/log/redis/redis-link.ts';
import type { Frame } from '../../../src/log/redis/library.ts';
import { carryOut, FakeRedis } from './fake-redis.ts';

const info = 'redis_version:7.0.15\r\nrole:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:0\r\n';

interface Request {
  readonly carryOut: () => unknown;
  readonly resolve: (answer: unknown) => void;
  answer?: unknown;
}

/** The connections of one node to a {@link FakeRedis}, of which a test decides everything. */
export class FakeNetwork {
  readonly redis: FakeRedis;
  commands: FakeLink | undefined;
  subscriber: FakeLink | undefined;
  isReachable = true;
  /** Called when the node reads what it has missed. */
  onSince: () => void = () => {};
  /** Requests of ended connections that Redis may still carry out. */
  readonly strays: Request[] = [];

  constructor(clock: () => number) {
    this.redis = new FakeRedis(clock, (frame) => this.subscriber?.publish(frame));
  }

  /** For RedisNode. */
  readonly open = async (): Promise<RedisLink> => {
    await Promise.resolve();
    if (!this.isReachable) throw new ConnectionLostError('Redis cannot be reached.', { isAnswerLost: false });
    return new FakeLink(this);
  };

  /** Carries out, answers and delivers one thing each. @returns whether there was anything */
  pump(): boolean {
    const isAny = this.commands?.carryOutNext() === true;
    const isAnswered = this.commands?.answerNext() === true;
    const isFrame = this.subscriber?.deliverFrame() === true;
    return isAny || isAnswered || isFrame;
  }
}

export class FakeLink implements RedisLink {
  readonly server = 'fake';
  readonly ended: Promise<ConnectionLostError>;
  readonly #network: FakeNetwork;
  /** Not carried out yet. */
  readonly #sent: Request[] = [];
  /** Carried out, not answered. */
  readonly #answers: Request[] = [];
  readonly #rejects = new Set<(error: Error) => void>();
  readonly frames: Frame[] = [];
  /** Whether it is open and gets nothing. */
  isSilent = false;
  #onMessage: ((payload: Buffer) => void) | undefined;
  #hasEnded: (reason: ConnectionLostError) => void = () => {};
  #reason: ConnectionLostError | undefined;

  constructor(network: FakeNetwork) {
    this.#network = network;
    this.ended = new Promise((resolve) => (this.#hasEnded = resolve));
  }

  send(command: string, args: readonly Argument[]): Promise<unknown> {
    const reason = this.#reason;
    if (reason) return Promise.reject(new ConnectionLostError(reason.message, { isAnswerLost: false }));
    if (command === 'INFO') {
      this.#network.commands = this;
      return Promise.resolve(Buffer.from(info));
    }
    const [name, , , json] = args.map(String);
    return new Promise((resolve, reject) => {
      const settled = { resolve: (answer: unknown) => (this.#rejects.delete(reject), resolve(answer)) };
      this.#rejects.add(reject);
      if (name === 'since') this.#network.onSince();
      this.#sent.push({ carryOut: () => carryOut(this.#network.redis, name ?? '', json ?? ''), ...settled });
    });
  }

  async subscribe(channel: string, onMessage: (payload: Buffer) => void): Promise<void> {
    await Promise.resolve();
    if (!channel.endsWith('frames')) return;
    this.#onMessage = onMessage;
    this.#network.subscriber = this;
  }

  publish(frame: Frame): void {
    if (!this.isSilent) this.frames.push(frame);
  }

  carryOutNext(): boolean {
    const request = this.#sent.shift();
    if (!request) return false;
    request.answer = request.carryOut();
    this.#answers.push(request);
    return true;
  }

  answerNext(): boolean {
    const request = this.#answers.shift();
    request?.resolve(request.answer);
    return request !== undefined;
  }

  deliverFrame(): boolean {
    const frame = this.frames.shift();
    if (frame) this.#onMessage?.(Buffer.from(JSON.stringify(frame)));
    return frame !== undefined;
  }

  /** Ends it. Requests that are on their way may still arrive. */
  cut(): void {
    this.#network.strays.push(...this.#sent);
    this.end(new ConnectionLostError('The connection was cut.', { isAnswerLost: true }));
  }

  end(reason: ConnectionLostError): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#hasEnded(reason);
    this.#sent.length = 0;
    for (const reject of this.#rejects) reject(reason);
    this.#onMessage = undefined;
    if (this.#network.commands === this) this.#network.commands = undefined;
    if (this.#network.subscriber === this) this.#network.subscriber = undefined;
  }
}
