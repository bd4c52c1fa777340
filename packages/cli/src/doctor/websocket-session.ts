import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import type { Deployment } from './deployment.ts';
import { answerMs } from './http-probe.ts';
import { tlsOptionsOf } from './tls-options.ts';
import { withoutTokens } from './without-tokens.ts';

/** How long the first packet can take after a websocket has opened. */
const promptMs = 3_000;

/** How a websocket failed. */
export type WebSocketFailure =
  /** The server responded to the request with another status than 101. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly headers: IncomingMessage['headers'];
      readonly body: string;
    }
  /** Nothing came in response to the request. */
  | { readonly kind: 'no answer' }
  /** The websocket opened, and no packet came. */
  | { readonly kind: 'silent' }
  /** The websocket opened, and was closed at once. */
  | { readonly kind: 'cut'; readonly closeCode: number }
  | { readonly kind: 'error'; readonly reason: string };

export class WebSocketError extends Error {
  readonly failure: WebSocketFailure;

  constructor(failure: WebSocketFailure) {
    super(failure.kind);
    this.name = 'WebSocketError';
    this.failure = failure;
  }
}

export interface WebSocketOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Offers the compression of messages, as browsers do. */
  readonly offersCompression?: boolean;
  /** The session of a client that upgrades from polling. */
  readonly sid?: string;
}

/** A websocket to a server of Engine.IO. */
export class WebSocketSession {
  readonly #socket: WebSocket;
  readonly #token: string | undefined;
  readonly #received: string[] = [];
  #failure: WebSocketFailure | undefined;
  #isOpen = false;
  #wake = (): void => {};

  constructor(
    deployment: Deployment,
    { headers = {}, offersCompression = false, sid }: WebSocketOptions = {},
  ) {
    const url = deployment.socketUrl('websocket', sid === undefined ? {} : { sid });
    this.#token = deployment.target.token;
    this.#socket = new WebSocket(url.replace(/^http/, 'ws'), {
      headers: { ...headers },
      perMessageDeflate: offersCompression,
      ...tlsOptionsOf(deployment.target),
    });
    this.#socket.on('open', () => {
      this.#isOpen = true;
      this.#wake();
    });
    this.#socket.on('message', (data: Buffer) => {
      this.#received.push(data.toString());
      this.#wake();
    });
    this.#socket.on('unexpected-response', (_request, response) => this.#onResponse(response));
    this.#socket.on('error', ({ message }) => this.#fail({ kind: 'error', reason: message }));
    this.#socket.on('close', (closeCode) => this.#fail({ kind: 'cut', closeCode }));
  }

  /** The extensions that both ends use, such as `permessage-deflate`. */
  get extensions(): string {
    return this.#socket.extensions;
  }

  send(packet: string): void {
    this.#socket.send(packet);
  }

  /** Resolves when the websocket is open. @throws WebSocketError */
  async opened(): Promise<void> {
    if (!(await this.#until(() => this.#isOpen, answerMs))) throw this.#error({ kind: 'no answer' });
  }

  /** The next packet. @throws WebSocketError */
  async next(timeoutMs: number = promptMs): Promise<string> {
    await this.opened();
    if (!(await this.#until(() => this.#received.length > 0, timeoutMs)))
      throw this.#error({ kind: 'silent' });
    return this.#received.shift() ?? '';
  }

  close(): void {
    this.#socket.terminate();
  }

  /** @returns false if it does not hold in time, or the websocket has failed */
  async #until(holds: () => boolean, timeoutMs: number): Promise<boolean> {
    const endsMs = performance.now() + timeoutMs;
    const timer = setTimeout(() => this.#wake(), timeoutMs + 1);
    while (!holds() && !this.#failure && performance.now() < endsMs)
      await new Promise<void>((resolve) => (this.#wake = resolve));
    clearTimeout(timer);
    return holds();
  }

  #onResponse(response: IncomingMessage): void {
    let body = '';
    response.setEncoding('utf8');
    response.on('data', (piece: string) => (body = (body + piece).slice(0, 4_096)));
    const { statusCode: status = 0, headers } = response;
    const end = (): void => {
      this.#fail({ kind: 'refused', status, headers, body: withoutTokens(body, this.#token) });
      response.destroy();
    };
    response.on('end', end);
    response.on('error', end);
    setTimeout(end, promptMs).unref();
  }

  #fail(failure: WebSocketFailure): void {
    this.#failure ??= failure;
    this.#wake();
  }

  #error(otherwise: WebSocketFailure): WebSocketError {
    return new WebSocketError(this.#failure ?? otherwise);
  }
}
