import { io, type Socket } from 'socket.io-client';
import type { Target } from './target.ts';
import { explainNoConnection } from './unreachable.ts';

/** A message that came. What only Fanfare tells is absent when another server delivered it. */
export interface Delivery {
  readonly topic: string;
  readonly message: unknown;
  readonly time?: number;
  readonly id?: string;
}

export interface SubscriberListener {
  onDelivery(delivery: Delivery): void;
  /** A sentence for people: the connection is lost, or back. */
  onNotice(notice: string): void;
  /** After a reconnect the server does not take back a subscription that it had taken before. */
  onRefused(topic: string, reason: string): void;
}

/** What became of a request. It is `pending` while the connection is lost, and done when that is back. */
export type Outcome =
  { readonly kind: 'done' | 'pending' } | { readonly kind: 'refused'; readonly reason: string };

/** A server that speaks the lab contract need not acknowledge; after this time it is taken to have subscribed. */
const ackTimeoutMs = 3_000;

const connectTimeoutMs = 10_000;

/** A client disconnected by its server is not reconnected by Socket.IO; we do it, after this time. */
const reconnectDelayMs = 1_000;

/** Subscriptions on any server that speaks the lab contract, kept over reconnects. */
export class Subscriber {
  readonly #socket: Socket;
  readonly #target: Target;
  readonly #listener: SubscriberListener;
  readonly #topics = new Set<string>();
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
    return [...this.#topics];
  }

  async subscribe(topic: string): Promise<Outcome> {
    // Before the answer: a server that does not acknowledge may deliver at once.
    const isNew = !this.#topics.has(topic);
    this.#topics.add(topic);
    const outcome = await this.#ask('subscribe', { topic, envelope: true });
    if (outcome.kind === 'refused' && isNew) this.#topics.delete(topic);
    return outcome;
  }

  async unsubscribe(topic: string): Promise<Outcome> {
    this.#topics.delete(topic);
    return this.#ask('unsubscribe', { topic });
  }

  close(): void {
    clearTimeout(this.#reconnecting);
    this.#socket.close();
  }

  async #ask(event: string, argument: object): Promise<Outcome> {
    if (!this.#socket.connected) return { kind: 'pending' };
    try {
      return outcomeIn(await this.#socket.timeout(ackTimeoutMs).emitWithAck(event, argument));
    } catch {
      // A server that does not acknowledge has no way to refuse either.
      return { kind: this.#socket.connected ? 'done' : 'pending' };
    }
  }

  #receive(event: string, argument: unknown): void {
    const fields =
      typeof argument === 'object' && argument !== null ? (argument as Record<string, unknown>) : {};
    const { topic, message, time, id } = fields;
    if (event === 'message' && typeof topic === 'string' && this.#topics.has(topic)) {
      this.#listener.onDelivery({
        topic,
        message,
        ...(typeof time === 'number' && { time }),
        ...(typeof id === 'string' && { id }),
      });
    } else if (this.#topics.has(event)) {
      this.#listener.onDelivery({ topic: event, message: 'message' in fields ? message : argument });
    }
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
    this.#listener.onNotice(
      `Connected to ${this.#target.name} again. Messages that were published in between did not arrive.`,
    );
    await Promise.all(this.topics.map((topic) => this.#resubscribe(topic)));
  }

  async #resubscribe(topic: string): Promise<void> {
    const outcome = await this.subscribe(topic);
    if (outcome.kind !== 'refused') return;
    this.#topics.delete(topic);
    this.#listener.onRefused(topic, outcome.reason);
  }
}

/** A lab server acknowledges with nothing, or with whatever it likes; only Fanfare's refusal is one. */
function outcomeIn(answer: unknown): Outcome {
  if (typeof answer !== 'object' || answer === null) return { kind: 'done' };
  const { ok, error } = answer as { ok?: unknown; error?: { detail?: unknown } };
  if (ok !== false) return { kind: 'done' };
  return {
    kind: 'refused',
    reason: typeof error?.detail === 'string' ? error.detail : 'the server refused.',
  };
}
