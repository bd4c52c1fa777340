import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Duplex } from 'node:stream';
import type { splitAnswer } from './split-answer.ts';
import { asCount } from './trial.ts';

/*
 * All that the server knows of the inside of engine.io is in this file and `split-answer.ts`; `engine-trial.ts` tries it at start. What engine.io
 * documents, or declares public in its types, is no inside: `transport`, `request`, `protocol`, `remoteAddress`.
 */

/** What of the inside of an engine.io can be relied on. A function that cannot is undefined. */
export interface EngineInside {
  readonly packets: PacketsWaiting;
  /** For what the event `flush` brings of a client that polls. */
  readonly splitAnswer: typeof splitAnswer | undefined;
  /** Whether the packets of a request can be taken one by one: {@link takeOver}. */
  readonly dividesRequests: boolean;
  readonly setRequestBytesMax: typeof setRequestBytesMax | undefined;
  readonly endPolling: typeof endPolling | undefined;
  readonly webSocketOf: typeof webSocketOf | undefined;
  readonly tcpSocketOf: typeof tcpSocketOf | undefined;
  /** Whether the HTTP server's requests come through `handleRequest` and `handleUpgrade` when those were replaced. */
  readonly passesRequests: boolean;
}

/** How many packets wait for a connection, because its transport cannot be given them yet. */
export interface PacketsWaiting {
  /** To be called before {@link of} says more than 0. */
  begin(connection: EventEmitter): void;
  end(connection: EventEmitter): void;
  of(connection: object): number;
}

/** As engine.io has them itself. */
export const packetsInBuffer: PacketsWaiting = {
  begin() {},
  end() {},
  of(connection) {
    const { writeBuffer } = connection as { readonly writeBuffer?: unknown };
    // What cannot be told counts as waiting.
    return Array.isArray(writeBuffer) ? writeBuffer.length : 1;
  },
};

/** As engine.io's events tell: `packetCreate` of each, `flush` of all that wait. */
export class CountedPackets implements PacketsWaiting {
  readonly #counts = new WeakMap<object, number>();
  readonly #onCreate: () => void;
  readonly #onFlush: () => void;

  constructor() {
    const counts = this.#counts;
    this.#onCreate = function (this: object) {
      counts.set(this, (counts.get(this) ?? 0) + 1);
    };
    this.#onFlush = function (this: object) {
      counts.set(this, 0);
    };
  }

  begin(connection: EventEmitter): void {
    if (!connection.listeners('flush').includes(this.#onFlush))
      connection.on('packetCreate', this.#onCreate).on('flush', this.#onFlush);
  }

  end(connection: EventEmitter): void {
    connection.off('packetCreate', this.#onCreate).off('flush', this.#onFlush);
  }

  of(connection: object): number {
    return this.#counts.get(connection) ?? 0;
  }
}

/** A transport of a client that polls. */
export interface PollingTransport {
  readonly readyState: string;
}

/** What a polling transport does with requests that bring packets. */
export interface Requests {
  /** Takes the packets of a request. */
  onData(this: PollingTransport, data: string): void;
  /** Reads a request, and answers it once its packets were taken. */
  onDataRequest(this: PollingTransport, request: IncomingMessage, response: ServerResponse): void;
}

type PollingInside = PollingTransport & Requests & { onError(reason: string): void };

/** Has requests given to these, which pass them on with {@link takePackets} and {@link readRequest}. */
export function takeOver(transport: PollingTransport, requests: Requests): void {
  Object.assign(transport, requests);
}

export function takePackets(transport: PollingTransport, data: string): void {
  inheritedBy(transport).onData.call(transport, data);
}

export function readRequest(
  transport: PollingTransport,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  inheritedBy(transport).onDataRequest.call(transport, request, response);
}

/** Ends the session of a transport with an error. */
export function fail(transport: PollingTransport, reason: string): void {
  (transport as PollingInside).onError(reason);
}

function inheritedBy(transport: PollingTransport): PollingInside {
  return Object.getPrototypeOf(transport) as PollingInside;
}

/** Sets how many bytes a request may bring. @returns whether that could be done */
export function setRequestBytesMax(transport: object, bytes: number): boolean {
  const { opts } = transport as { readonly opts?: object };
  // It is in the options from engine.io 6.6.13 on.
  for (const holder of [transport, opts] as ({ maxHttpBufferSize?: unknown } | undefined)[]) {
    if (asCount(holder?.maxHttpBufferSize) === undefined) continue;
    Object.assign(holder as object, { maxHttpBufferSize: bytes });
    return true;
  }
  return false;
}

/** Has a transport that is being closed not wait for a poll that would be told so. */
export function endPolling(transport: object): void {
  const { shouldClose } = transport as { readonly shouldClose?: (() => void) | null };
  if (typeof shouldClose === 'function') shouldClose();
}

/** The part of ws's WebSocket that is used, all of it public. */
export type ControlledWebSocket = EventEmitter & { pause(): void; resume(): void; terminate(): void };

const controls = ['pause', 'resume', 'terminate'] as const;

/** Undefined for a transport without one, or with one of another kind. */
export function webSocketOf(transport: object): ControlledWebSocket | undefined {
  const { socket } = transport as { readonly socket?: Partial<ControlledWebSocket> | null };
  const isOne = controls.every((name) => typeof socket?.[name] === 'function');
  return isOne ? (socket as ControlledWebSocket) : undefined;
}

/** The TCP connection of a websocket transport. */
export function tcpSocketOf(transport: object): Duplex | undefined {
  const { _socket: socket } = (webSocketOf(transport) ?? {}) as { readonly _socket?: unknown };
  return socket instanceof Duplex ? socket : undefined;
}

/** An engine whose listener for the end of a connection is {@link Listeners} `countsOut`. */
export interface CountingEngine {
  readonly clients: Record<string, unknown>;
  clientsCount: number;
}

/** What that listener does. */
export function countOut(engine: CountingEngine, id: string): void {
  delete engine.clients[id];
  engine.clientsCount--;
}

/** Whether the server has functions that see requests first, and may keep what they are given. */
export function hasMiddlewares(engine: object): boolean {
  const { middlewares } = engine as { readonly middlewares?: unknown };
  return !Array.isArray(middlewares) || middlewares.length > 0;
}

/** What is left of a request: Socket.IO reads these when a client connects a second time over one connection. */
export const noRequest: object = Object.freeze({
  headers: Object.freeze({}),
  connection: Object.freeze({}),
  url: '',
  _query: Object.freeze({}),
});

/** Listeners of engine.io that hold the request, as their source without its white space. */
const sources = {
  countsOut: '()=>{deletethis.clients[id];this.clientsCount--;}',
  tellsMiddleware: '()=>this.emit("close")',
} as const;

/** Recognises listeners of engine.io: each connection has its own, of the same source. */
export class Listeners {
  readonly #bare = new Map<string, string>();

  is(listener: Function & { readonly listener?: Function }, what: keyof typeof sources): boolean {
    // What `once` wraps.
    const source = String(listener.listener ?? listener);
    let bare = this.#bare.get(source);
    if (bare === undefined) this.#bare.set(source, (bare = source.replaceAll(/\s/g, '')));
    return bare === sources[what];
  }
}
