import type { Offset } from '@fanfare/protocol';
import type { Invariants } from '../../observability/invariants.ts';
import type { Logger } from '../../observability/logger.ts';
import { suppressRepeats } from '../../observability/repeat-suppression.ts';
import type { Rules } from '../../rules/rule.ts';
import type { LogFigures } from '../log-figures.ts';
import type { AppendOutcome, NewRecord, PageLimit, TailListener } from '../topic-log.ts';
import { nodeIdOf } from '../../nodes/node-directory.ts';
import { AppendPipeline } from './append-pipeline.ts';
import { CommandConnection } from './command-connection.ts';
import type { Argument, CallFunction, Frame, LogLibrary, RemoteState } from './library.ts';
import { PositionCheck } from './position-check.ts';
import { RecentRecords } from './recent-records.ts';
import { RedisClock } from './redis-clock.ts';
import type { LogNode } from './redis-topic-log.ts';
import { RefusedForNowError } from './redis-errors.ts';
import { openLink } from './redis-link.ts';
import { RedisTail } from './redis-tail.ts';
import { describeServers, type RedisServers } from './redis-url.ts';
import { ReplicaConfirmation } from './replica-confirmation.ts';
import type { RedisStored } from './server-check.ts';
import { SubscriberConnection } from './subscriber-connection.ts';
import type { AwaitedPlace } from './tail-waiters.ts';

/** How the functions of the log are called. */
export interface LogFunctionsPort<Library extends LogLibrary> {
  /** The code for `FUNCTION LOAD`. */
  readonly code: string;
  readonly decodeFrame: (payload: Buffer) => Frame;
  /** @param onState - receives the state of the log with each answer */
  readonly create: (
    call: CallFunction,
    level: () => RedisStored,
    onState: (state: Pick<RemoteState, 'epoch' | 'batch'>) => void,
  ) => Library;
}

export interface RedisNodeOptions<Library extends LogLibrary> {
  readonly servers: RedisServers;
  /** What all keys of the log begin with, with a hash tag: `{fanfare}:`. */
  readonly prefix: string;
  /** Identifies this run of this server, and no other one. */
  readonly node: string;
  /** The number of replicas that must confirm each append; 0 for none. */
  readonly replicas: number;
  /** The level at which Redis stores, if its user may not read its configuration. */
  readonly stored?: RedisStored | undefined;
  readonly functions: LogFunctionsPort<Library>;
  readonly rules: Rules;
  /** Receives the texts that other nodes send to this one. */
  readonly onText: (text: string) => void;
  readonly invariants: Invariants;
  readonly logger: Logger;
  /** Connects to a server. */
  readonly open?: typeof openLink;
  readonly random?: () => number;
}

/** Sentences for operators. They have no addresses and names. */
const troubles = {
  unreachable: 'Redis cannot be reached.',
  silent: 'Redis does not answer.',
  behind: 'New messages do not come from Redis.',
} as const;

/** Without an answer for so long, in milliseconds, Redis counts as silent. It is asked each second. */
const silentMs = 2_000;

/**
 * How long a refusal counts, in milliseconds. Redis is asked each second for something that it refuses if it
 * refuses writes. That it answers a read says nothing.
 */
const refusedMs = 2_000;

/** This server's part of a log on Redis: its connections, its appends, its tail, and the recent records. */
export class RedisNode<Library extends LogLibrary> implements LogNode {
  readonly library: Library;
  /**
   * Reads recent records without Redis, while the tail has everything that Redis has answered: a client that
   * publishes or deletes here and then reads must see the result.
   */
  readonly recent: LogNode['recent'] = {
    read: (...args) => (this.#isTailAtAnswers() ? this.#recent.read(...args) : undefined),
    locate: (...args) => (this.#isTailAtAnswers() ? this.#recent.locate(...args) : undefined),
    resume: (...args) => (this.#isTailAtAnswers() ? this.#recent.resume(...args) : undefined),
  };
  readonly #options: RedisNodeOptions<Library>;
  readonly #logger: Logger;
  readonly #clock = new RedisClock();
  readonly #commands: CommandConnection;
  readonly #subscriber: SubscriberConnection;
  readonly #pipeline: AppendPipeline;
  readonly #recent: RecentRecords;
  #tail: RedisTail | undefined;
  #lostConnections = 0;
  /** The newest state of the log in any answer. */
  #known: Pick<RemoteState, 'epoch' | 'batch'> = { epoch: '', batch: 0 };
  #check: PositionCheck | undefined;
  /** When Redis has last answered. The position check asks it each second. */
  #answeredAt = performance.now();
  /** The last answer that something is refused for now. */
  #refusal: { readonly at: number; readonly reason: string } | undefined;

  /**
   * Connects to Redis, and begins or joins the log.
   *
   * @throws a LogUnreachableError after 10 s; a RedisRefusedError if Redis cannot carry the log with its
   *   settings; a LogDamagedError
   */
  static async open<Library extends LogLibrary>(
    options: RedisNodeOptions<Library>,
  ): Promise<RedisNode<Library>> {
    const node = new RedisNode(options);
    try {
      await node.#commands.start();
      await node.#subscriber.start();
      await node.#joined.catchUp();
      return node;
    } catch (error) {
      await node.close();
      throw error;
    }
  }

  private constructor(options: RedisNodeOptions<Library>) {
    const { servers, prefix, replicas, functions, node } = options;
    const logger = suppressRepeats(options.logger, () => performance.now());
    this.#logger = logger;
    const common = { servers, open: options.open ?? openLink, random: options.random ?? Math.random };
    this.#options = options;
    this.#recent = new RecentRecords({ rules: options.rules, clock: () => this.#clock.latest });
    this.#commands = new CommandConnection({
      ...common,
      replicas,
      stored: options.stored,
      code: functions.code,
      key: prefix,
      greet: () => this.#greet(),
      onUp: () => this.#pipeline.resume(),
      onDown: (err) => {
        this.#pipeline.pause();
        this.#lostConnections++;
        logger.warn({ err }, `Redis (${describeServers(servers)}) cannot be used. Connecting again.`);
      },
      onTrouble: (err) => logger.error({ err }, 'Redis has settings with which messages can be lost.'),
    });
    this.#subscriber = new SubscriberConnection({
      ...common,
      channels: new Map([
        [`${prefix}frames`, (payload) => this.#receive(payload)],
        [`${prefix}node:${nodeIdOf(node)}`, (payload) => options.onText(payload.toString())],
      ]),
      onSubscribed: () => void this.#tail?.catchUp(),
      onDown: (err) => {
        this.#lostConnections++;
        logger.warn({ err }, 'New messages do not come from Redis. Connecting again.');
      },
    });
    this.library = functions.create(
      (name, args) => this.#call(name, args),
      () => this.#commands.stored,
      (state) => this.#note(state),
    );
    const confirmation = new ReplicaConfirmation(replicas, (timeoutMs) => this.#commands.wait(timeoutMs));
    this.#pipeline = new AppendPipeline({
      library: this.library,
      node,
      seen: () => this.#joined.place,
      clock: () => this.#clock.earliest,
      learnEpoch: () => this.#joined.catchUp(),
      ...(replicas > 0 && { confirm: () => confirmation.confirm() }),
    });
  }

  get epoch(): string {
    return this.#joined.epoch;
  }

  get head(): number {
    return this.#joined.head;
  }

  get tail(): RedisTail {
    return this.#joined;
  }

  /** The level at which Redis stores what it acknowledges. */
  get stored(): RedisStored {
    return this.#commands.stored;
  }

  get figures(): LogFigures {
    const { figures: commits, waitingBytes } = this.#pipeline;
    const redis = { isUp: this.outage === undefined, lostConnections: this.#lostConnections };
    return { commits, waitingBytes, redis };
  }

  /**
   * Why publishes fail, or new messages would be late: a sentence for operators, without addresses and names.
   * Undefined while all is well.
   */
  get trouble(): string | undefined {
    const isRefused = this.#refusal && performance.now() - this.#refusal.at < refusedMs;
    return isRefused ? this.#refusal?.reason : this.outage;
  }

  /** Why Redis cannot be used at all: a sentence as that of {@link trouble}. */
  get outage(): string | undefined {
    if (!this.#commands.isUp) return troubles.unreachable;
    if (performance.now() - this.#answeredAt >= silentMs) return troubles.silent;
    return !this.#subscriber.isUp || this.#check?.isBehind !== false ? troubles.behind : undefined;
  }

  /** See {@link AppendPipeline.append}. */
  append(records: readonly NewRecord[]): Promise<readonly AppendOutcome[]> {
    return this.#pipeline.append(records);
  }

  listen(listener: TailListener): void {
    this.#joined.listen(listener);
  }

  /** See {@link RedisTail.reached}. */
  reached(place: AwaitedPlace): Promise<void> {
    return this.#joined.reached(place);
  }

  /** Settles all appends, and disconnects. */
  async close(): Promise<void> {
    this.#check?.stop();
    await this.#pipeline.close();
    this.#tail?.close();
    await Promise.all([this.#commands.close(), this.#subscriber.close()]);
  }

  get #joined(): RedisTail {
    if (!this.#tail) throw new Error('The log on Redis is not open yet.');
    return this.#tail;
  }

  /** Begins or joins the log over a new connection, and compares the tail with it. */
  async #greet(): Promise<void> {
    const { node } = this.#options;
    const state = await this.#clock.learn(() => this.library.hello(node, this.#tail?.place));
    if (this.#tail) void this.#tail.catchUp();
    else this.#begin(state);
  }

  #begin(state: RemoteState): void {
    const { node, invariants } = this.#options;
    const logger = this.#logger;
    const recent = this.#recent;
    const library = {
      hello: (id: string, seen: Offset | undefined) => this.#clock.learn(() => this.library.hello(id, seen)),
      state: () => this.#clock.learn(() => this.library.state()),
      since: (after: Offset, limit: PageLimit) => this.library.since(after, limit),
    };
    const tail = new RedisTail({
      library,
      node,
      state,
      recent,
      invariants,
      onFailure: (err) => logger.warn({ err }, 'The newest messages cannot be read from Redis yet.'),
    });
    this.#tail = tail;
    recent.restart(tail.place);
    this.#check = new PositionCheck({
      library,
      tail,
      resubscribe: (reason) => this.#subscriber.replace(reason),
    });
  }

  async #call(name: string, args: readonly Argument[]): Promise<unknown> {
    try {
      return await this.#commands.call(name, args);
    } catch (error) {
      if (error instanceof RefusedForNowError)
        this.#refusal = { at: performance.now(), reason: error.reason };
      throw error;
    }
  }

  #isTailAtAnswers(): boolean {
    const { epoch, batch } = this.#joined;
    return epoch === this.#known.epoch && batch >= this.#known.batch;
  }

  #note(state: Pick<RemoteState, 'epoch' | 'batch'>): void {
    this.#answeredAt = performance.now();
    if (state.epoch !== this.#known.epoch || state.batch > this.#known.batch) this.#known = state;
  }

  #receive(payload: Buffer): void {
    try {
      this.#tail?.receive(this.#options.functions.decodeFrame(payload), payload.length);
    } catch (err) {
      // The tail misses this frame, and reads its records instead.
      this.#logger.error({ err }, 'A message of the channel of Redis cannot be read.');
    }
  }
}
