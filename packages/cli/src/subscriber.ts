import { io, type Socket } from 'socket.io-client';
import type { Start } from './from.ts';
import { Subscriptions, type Subscription } from './subscriptions.ts';
import type { Target } from './target.ts';
import { explainNoConnection } from './unreachable.ts';

/** A message that came. What only Fanfare tells is absent when another server delivered it. */
export interface Delivery {
  readonly topic: string;
  readonly message: unknown;
  readonly offset?: string;
  readonly time?: number;
  readonly id?: string;
  /** There while a subscription catches up: its topic or pattern. */
  readonly replay?: string;
}

export interface SubscriberListener {
  onDelivery(delivery: Delivery): void;
  /** A sentence for people: the connection is lost, or back, or messages are missing. */
  onNotice(notice: string): void;
  /** The server has ended a subscription, or does not take it back after a reconnect. */
  onRefused(topic: string, reason: string): void;
}

/** What became of a request. It is `pending` while the connection is lost, and done when that is back. */
export type Outcome =
  { readonly kind: 'done' | 'pending' } | { readonly kind: 'refused'; readonly reason: string };

/** A server that speaks the lab contract need not acknowledge; after this time it is taken to have subscribed. */
const ackTimeoutMs = 3_000;

/** An acknowledgement that comes later than that still counts. */
const lateAckTimeoutMs = 300_000;

const connectTimeoutMs = 10_000;

/** A client disconnected by its server is not reconnected by Socket.IO; we do it, after this time. */
const reconnectDelayMs = 1_000;

/**
 * Subscriptions on any server that speaks the lab contract, kept over reconnects. On a server that keeps messages they
 * go on where they were.
 */
export class Subscriber {
  readonly #socket: Socket;
  readonly #target: Target;
  readonly #listener: SubscriberListener;
  readonly #subscriptions = new Subscriptions();
  #reconnecting: NodeJS.Timeout | undefined;

  /** @throws CommandError `unreachable`, with the reason as a sentence */
  static async connect(target: Target, listener: SubscriberListener): Promise<Subscriber> {
    const socket = io(target.origin, { path: target.socketPath, timeout: connectTimeoutMs, forceNew: true });
    const said = await new Promise<string | undefined>((resolve) => {
      socket.once('connect', () => resolve(undefined));
      socket.once('connect_error', ({ message }) => resolve(message));
    });
    socket.off('connect_error');
    if (said === undefined) return new Subscriber(socket, target, listener);
    socket.close();
    throw await explainNoConnection(target, said);
  }

  private constructor(socket: Socket, target: Target, listener: SubscriberListener) {
    this.#socket = socket;
    this.#target = target;
    this.#listener = listener;
    socket.onAny((event: string, argument: unknown) => this.#receive(event, argument));
    socket.on('disconnect', (reason) => this.#onDisconnect(reason));
    socket.on('connect', () => void this.#onReconnect());
    socket.on('connect_error', () => this.#reconnect());
  }

  get topics(): readonly string[] {
    return this.#subscriptions.topics;
  }

  /** @param from - where to start, if the server keeps messages */
  async subscribe(topic: string, from?: Start['from']): Promise<Outcome> {
    // Before the answer: a server that does not acknowledge may deliver at once.
    const subscription = this.#subscriptions.open(topic, from);
    const outcome = await this.#subscribe(subscription);
    if (outcome.kind === 'refused' && !subscription.isTaken) this.#subscriptions.delete(topic);
    return outcome;
  }

  async unsubscribe(topic: string): Promise<Outcome> {
    this.#subscriptions.delete(topic);
    return this.#ask('unsubscribe', { topic }, () => {});
  }

  close(): void {
    clearTimeout(this.#reconnecting);
    this.#socket.close();
  }

  #subscribe(subscription: Subscription): Promise<Outcome> {
    const { topic, offset, start } = subscription;
    const from = offset ?? start;
    const request = { topic, envelope: true, ...(from !== undefined && { from }) };
    return this.#ask('subscribe', request, (answer) => this.#onSubscribed(subscription, answer));
  }

  /** @param onAnswer - is called in the turn in which the answer comes, before anything else that comes in it */
  #ask(event: string, argument: object, onAnswer: (answer: unknown) => void): Promise<Outcome> {
    if (!this.#socket.connected) return Promise.resolve({ kind: 'pending' });
    return new Promise((resolve) => {
      // A server that does not acknowledge has no way to refuse either.
      const timer = setTimeout(() => resolve({ kind: 'done' }), ackTimeoutMs);
      this.#socket
        .timeout(lateAckTimeoutMs)
        .emit(event, argument, (error: Error | null, answer: unknown): void => {
          clearTimeout(timer);
          if (!error) onAnswer(answer);
          resolve(error ? { kind: this.#socket.connected ? 'done' : 'pending' } : outcomeIn(answer));
        });
    });
  }

  #onSubscribed(subscription: Subscription, answer: unknown): void {
    if (outcomeIn(answer).kind !== 'done') return;
    const { topic, start, offset: resumedFrom } = subscription;
    const { offset, state, recovered } = fieldsOf(answer);
    subscription.isTaken = true;
    if (typeof offset !== 'string') {
      if (start !== undefined && start !== 'new')
        this.#listener.onNotice(
          `${this.#target.name} keeps no messages: of topic '${topic}' come those from now on.`,
        );
      subscription.start = undefined;
      return;
    }
    subscription.offset = offset;
    subscription.start = undefined;
    subscription.isLive = state !== 'catching_up';
    if (recovered !== false) return;
    this.#listener.onNotice(
      resumedFrom === undefined
        ? `The server does not have every message of topic '${topic}' since that offset any more: they begin with the earliest that there is.`
        : `Messages of topic '${topic}' that were published in between may be missing: the server does not have all of them any more.`,
    );
  }

  #receive(event: string, argument: unknown): void {
    const fields = fieldsOf(argument);
    const { topic, message, offset, time, id, replay } = fields;
    if (event === 'message' && typeof topic === 'string') {
      const isWanted = this.#subscriptions.received(topic, asText(offset), asText(replay));
      if (!isWanted) return;
      this.#listener.onDelivery({
        topic,
        message,
        ...(typeof offset === 'string' && { offset }),
        ...(typeof time === 'number' && { time }),
        ...(typeof id === 'string' && { id }),
        ...(typeof replay === 'string' && { replay }),
      });
    } else if (!this.#isNotice(event, fields) && this.#subscriptions.get(event)) {
      this.#listener.onDelivery({ topic: event, message: 'message' in fields ? message : argument });
    }
  }

  /** Takes what the server tells of a subscription. @returns whether it was that, and no message */
  #isNotice(event: string, { topic, state, offset, dropped, envelope, code, detail }: Fields): boolean {
    if (event === 'state' && typeof topic === 'string' && typeof state === 'string') {
      const subscription = this.#subscriptions.get(topic);
      if (!subscription) return true;
      subscription.isLive = state === 'live';
      subscription.offset = asText(offset) ?? subscription.offset;
      return true;
    }
    if (event === 'gap' && typeof topic === 'string' && typeof envelope === 'boolean') {
      const many =
        typeof dropped !== 'number' ? 'Messages' : dropped === 1 ? '1 message' : `${dropped} messages`;
      const are = dropped === 1 ? 'is' : 'are';
      this.#listener.onNotice(
        `${many} of topic '${topic}' ${are} missing here: the server could not keep ${dropped === 1 ? 'it' : 'them'} until ${dropped === 1 ? 'it' : 'they'} could be sent.`,
      );
      return true;
    }
    if (event !== 'error' || typeof code !== 'string') return false;
    const reason = asText(detail) ?? 'the server failed.';
    if (typeof topic !== 'string') this.#listener.onNotice(`The server says: ${reason}`);
    else {
      this.#subscriptions.delete(topic);
      this.#listener.onRefused(topic, reason);
    }
    return true;
  }

  #onDisconnect(reason: Socket.DisconnectReason): void {
    if (reason === 'io client disconnect') return;
    this.#listener.onNotice(`Lost the connection to ${this.#target.name}; trying to get it back …`);
    this.#reconnect();
  }

  /** Socket.IO tries again by itself, but not when it was the server that ended or refused the connection. */
  #reconnect(): void {
    if (this.#socket.active) return;
    this.#reconnecting = setTimeout(() => this.#socket.connect(), reconnectDelayMs);
  }

  async #onReconnect(): Promise<void> {
    const all = this.topics.flatMap((topic) => this.#subscriptions.get(topic) ?? []);
    const resumes = all.every(({ offset, isTaken }) => offset !== undefined || !isTaken);
    const what = resumes
      ? 'Going on after the last message that came.'
      : 'Messages that were published in between did not arrive.';
    this.#listener.onNotice(`Connected to ${this.#target.name} again. ${what}`);
    await Promise.all(all.map((subscription) => this.#resubscribe(subscription)));
  }

  async #resubscribe(subscription: Subscription): Promise<void> {
    const outcome = await this.#subscribe(subscription);
    if (outcome.kind !== 'refused') return;
    this.#subscriptions.delete(subscription.topic);
    this.#listener.onRefused(subscription.topic, outcome.reason);
  }
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(argument: unknown): Fields {
  return typeof argument === 'object' && argument !== null ? (argument as Fields) : {};
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A lab server acknowledges with nothing, or with whatever it likes; only Fanfare's refusal is one. */
function outcomeIn(answer: unknown): Outcome {
  const { ok, error } = fieldsOf(answer);
  if (ok !== false) return { kind: 'done' };
  return { kind: 'refused', reason: asText(fieldsOf(error)['detail']) ?? 'the server refused.' };
}
