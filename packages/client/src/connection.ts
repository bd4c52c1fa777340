import { io, type Socket } from 'socket.io-client';
import { backoffMs } from './backoff.ts';
import { errorFrom, fieldsOf, textOf, type FanfareError } from './errors.ts';
import type { ServerAddress, SocketOptions } from './server-address.ts';
import type { Token } from './token.ts';
import { fetchRefusalReason } from './refusal-reason.ts';

export interface ConnectionListener {
  /**
   * The connection is up, for the first time or again. The listener must repeat requests without
   * acknowledgement.
   */
  onUp(): void;
  onDown(): void;
  /** The connection is down, and the last attempt has failed. The next attempt follows. */
  onFailure(error: Error): void;
  /** The server has refused the client permanently. There are no more attempts. */
  onRefused(error: FanfareError): void;
  onEvent(event: string, argument: unknown): void;
}

/** Timeout of an attempt. After a timeout, polling is tried first, because a proxy may swallow websockets. */
const attemptTimeoutMs = 10_000;

/** Backoff after the server has closed or refused the connection. */
const retryMs = { first: 1_000, max: 30_000 };

/** A Socket.IO connection that reconnects by itself, even if the server has closed it. */
export class Connection {
  readonly #socket: Socket;
  readonly #token: Token;
  readonly #listener: ConnectionListener;
  #isUp = false;
  readonly #fetchReason: () => Promise<FanfareError | undefined>;
  #refusals = 0;
  /** The number of attempts. A reason from {@link fetchRefusalReason} for an older attempt is ignored. */
  #attempts = 0;
  /** The reason why the server refused the last attempt. */
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
      // A copy, because timeouts reverse it.
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

  /** The maximum packet size in bytes that the server has announced; undefined if it has not. */
  get packetBytesMax(): number | undefined {
    // This field is private. Without it, a message that is too large is only refused later.
    const bytes = fieldsOf(this.#socket.io.engine)['_maxPayload'];
    return typeof bytes === 'number' && bytes > 0 ? bytes : undefined;
  }

  /**
   * Sends a command if the connection is up.
   *
   * @param onAnswer - called with the acknowledgement, before later events; never called if the connection is
   *   lost first
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

  /** Asks the server over HTTP why it refused the transport, because a failed transport has no reason. */
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
    // Everything in the buffer is requested again on the next connection.
    this.#socket.sendBuffer.length = 0;
    this.#listener.onDown();
    if (!this.#socket.active) this.#tryAgain();
  }

  /**
   * Schedules an attempt. Socket.IO does not reconnect by itself after the server has closed or refused the
   * connection.
   */
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
