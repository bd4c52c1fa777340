import { io, type Socket } from 'socket.io-client';
import { backoffMs } from './backoff.ts';
import { errorFrom, fieldsOf, textOf, type FanfareError } from './errors.ts';
import type { ServerAddress, SocketOptions } from './server-address.ts';
import type { Token } from './token.ts';
import { fetchRefusalReason } from './refusal-reason.ts';

export interface ConnectionListener {
  /** It is there, for the first time or again. What was asked for before and not answered is to be asked for again. */
  onUp(): void;
  onDown(): void;
  /** It is down, and the last attempt did not succeed; more follow. */
  onFailure(error: Error): void;
  /** The server does not want this client: there are no more attempts. */
  onRefused(error: FanfareError): void;
  onEvent(event: string, argument: unknown): void;
}

/** An attempt may take so long. After one that did not end, polling comes first: something swallows websockets. */
const attemptTimeoutMs = 10_000;

/** After a server has ended or refused the connection. */
const retryMs = { first: 1_000, max: 30_000 };

/** A Socket.IO connection that comes back by itself, whoever has ended it. */
export class Connection {
  readonly #socket: Socket;
  readonly #token: Token;
  readonly #listener: ConnectionListener;
  #isUp = false;
  readonly #fetchReason: () => Promise<FanfareError | undefined>;
  #refusals = 0;
  /** Counts what {@link fetchRefusalReason} is asked for: of an older one, the answer comes too late. */
  #attempts = 0;
  /** Why the last attempt was refused. */
  #reason: FanfareError | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(
    { origin, path }: ServerAddress,
    { transports = ['websocket', 'polling'], ...options }: SocketOptions,
    token: Token,
    listener: ConnectionListener,
  ) {
    this.#token = token;
    this.#listener = listener;
    const { path: engine = `${path}/socket.io/`, extraHeaders } = options;
    const url = new URL(engine.replace(/\/*$/, '/'), origin);
    this.#fetchReason = () => fetchRefusalReason(url, extraHeaders);
    const socket = io(origin, {
      path: `${path}/socket.io/`,
      tryAllTransports: true,
      timeout: attemptTimeoutMs,
      ...options,
      // Their order is changed below.
      transports: [...transports] as string[],
      forceNew: true,
      autoConnect: true,
      reconnection: true,
      reconnectionAttempts: Infinity,
      auth: (send) => void this.#authenticate(send),
    });
    this.#socket = socket;
    socket.on('connect', () => this.#onConnect());
    socket.on('connect_error', (error: Error) => this.#onConnectError(error));
    socket.on('disconnect', () => this.#onDisconnect());
    socket.onAny((event: string, argument: unknown) => listener.onEvent(event, argument));
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** The largest packet that the server takes, in bytes, as it says itself; undefined when it does not. */
  get packetBytesMax(): number | undefined {
    // It has no public name, and all that depends on it is how early a message is refused.
    const bytes = fieldsOf(this.#socket.io.engine)['_maxPayload'];
    return typeof bytes === 'number' && bytes > 0 ? bytes : undefined;
  }

  /**
   * Sends a command, if the connection is up.
   *
   * @param onAnswer - is called before anything that comes after the answer, and never when the connection ends first
   */
  request(event: string, argument: object, onAnswer: (answer: unknown) => void = () => {}): void {
    if (this.#isUp) this.#socket.emit(event, argument, onAnswer);
  }

  close(): void {
    this.#attempts++;
    clearTimeout(this.#retry);
    this.#token.stop();
    this.#isUp = false;
    this.#socket.off();
    this.#socket.offAny();
    this.#socket.disconnect();
  }

  async #authenticate(send: (auth: object) => void): Promise<void> {
    try {
      const token = await this.#token.fetch();
      send(token === undefined ? {} : { token });
    } catch (error) {
      this.#socket.disconnect();
      this.#listener.onFailure(error as Error);
      this.#tryAgain();
    }
  }

  #onConnect(): void {
    this.#attempts++;
    this.#reason = undefined;
    this.#isUp = true;
    this.#refusals = 0;
    this.#token.onRenewal(() => void this.#renew());
    this.#listener.onUp();
  }

  #onConnectError(error: Error & { readonly data?: unknown }): void {
    if (this.#socket.active) {
      const { opts } = this.#socket.io;
      if (error.message === 'timeout') opts.transports?.reverse();
      void this.#tellFailure(error);
      return;
    }
    const isFinal = textOf(fieldsOf(error.data)['code']) !== undefined && !errorFrom(error.data).retryable;
    if (isFinal && !this.#token.isRenewable) {
      this.#listener.onRefused(errorFrom(error.data));
      return;
    }
    this.#listener.onFailure(error.data === undefined ? error : errorFrom(error.data));
    this.#tryAgain();
  }

  /** A transport does not say why it could not be opened: a server that refuses it does, over HTTP. */
  async #tellFailure(error: Error): Promise<void> {
    const attempt = ++this.#attempts;
    this.#listener.onFailure(this.#reason ?? error);
    const reason = await this.#fetchReason();
    if (attempt !== this.#attempts) return;
    this.#reason = reason;
    if (reason) this.#listener.onFailure(reason);
  }

  #onDisconnect(): void {
    this.#isUp = false;
    // Whatever was held back for the connection is asked for again on the next one.
    this.#socket.sendBuffer.length = 0;
    this.#listener.onDown();
    if (!this.#socket.active) this.#tryAgain();
  }

  /** Socket.IO does so by itself, but not when it was the server that has ended or refused the connection. */
  #tryAgain(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#socket.connect(), backoffMs(retryMs, this.#refusals++));
  }

  async #renew(): Promise<void> {
    try {
      const token = await this.#token.fetch();
      this.request('token', { token });
    } catch (error) {
      this.#listener.onFailure(error as Error);
    }
    if (this.#isUp) this.#token.onRenewal(() => void this.#renew());
  }
}
