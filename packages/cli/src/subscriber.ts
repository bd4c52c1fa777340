import { io, type Socket } from 'socket.io-client';
import type { CommandError } from './exit-codes.ts';
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

  /** @throws CommandError `unreachable`, with the reason as a sentence */
  static async connect(target: Target, listener: SubscriberListener): Promise<Subscriber> {
    const socket = io(target.origin, { path: target.socketPath, timeout: connectTimeoutMs, forceNew: true });
    const failure = await new Promise<CommandError | undefined>((resolve) => {
      socket.once('connect', () => resolve(undefined));
      socket.once('connect_error', ({ message }) => {
        if (!socket.connected) resolve(explainNoConnection(target, message));
      });
    });
    if (failure) {
      socket.close();
      throw failure;
    }
    return new Subscriber(socket, target, listener);
  }

  private constructor(socket: Socket, target: Target, listener: SubscriberListener) {
    this.#socket = socket;
    this.#target = target;
    this.#listener = listener;
    socket.onAny((event: string, argument: unknown) => this.#receive(event, argument));
    socket.on('disconnect', (reason) => this.#onDisconnect(reason));
    socket.on('connect', () => void this.#onReconnect());
  }

  get topics(): readonly string[] {
    return [...this.#topics];
  }

  /** Returns undefined when the server took it, else its reason for not taking it. */
  async subscribe(topic: string): Promise<string | undefined> {
    // Before the answer: a server that does not acknowledge may deliver at once.
    const isNew = !this.#topics.has(topic);
    this.#topics.add(topic);
    const reason = await this.#ask('subscribe', { topic, envelope: true });
    if (reason !== undefined && isNew) this.#topics.delete(topic);
    return reason;
  }

  /** Returns undefined when the server took it, else its reason for not taking it. */
  async unsubscribe(topic: string): Promise<string | undefined> {
    this.#topics.delete(topic);
    return this.#ask('unsubscribe', { topic });
  }

  close(): void {
    this.#socket.close();
  }

  async #ask(event: string, argument: object): Promise<string | undefined> {
    try {
      return refusalIn(await this.#socket.timeout(ackTimeoutMs).emitWithAck(event, argument));
    } catch {
      // No acknowledgement is not a refusal; and when the connection went, the reconnect asks again.
      return undefined;
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
    if (reason === 'io server disconnect') setTimeout(() => this.#socket.connect(), reconnectDelayMs);
  }

  async #onReconnect(): Promise<void> {
    this.#listener.onNotice(
      `Connected to ${this.#target.name} again. Messages that were published in between did not arrive.`,
    );
    for (const topic of this.#topics) {
      const reason = await this.subscribe(topic);
      if (reason === undefined) continue;
      this.#topics.delete(topic);
      this.#listener.onRefused(topic, reason);
    }
  }
}

/** The reason in Fanfare's refusal. A lab server acknowledges with nothing, or with whatever it likes. */
function refusalIn(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined;
  const { ok, error } = answer as { ok?: unknown; error?: { detail?: unknown } };
  if (ok !== false) return undefined;
  return typeof error?.detail === 'string' ? error.detail : 'the server refused.';
}
