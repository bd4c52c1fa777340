import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Duplex } from 'node:stream';
import type { splitAnswer } from './split-answer.ts';
import { asCount } from './trial.ts';

/*
 * Everything that the server uses of engine.io and that engine.io neither documents nor declares public in its types,
 * beside `split-answer.ts`. `engine-trial.ts` tries each use at start. (`transport`, `request`, `protocol` and
 * `remoteAddress` of a connection are public.)
 */

/** The uses that passed their trial. A function that did not is undefined. */
export interface EngineInside {
  readonly packets: PacketsWaiting;
  /** For the list of the event `flush` of a client that polls. */
  readonly splitAnswer: typeof splitAnswer | undefined;
  /** Whether {@link takeOver}, {@link takePackets}, {@link readRequest} and {@link fail} work. */
  readonly dividesRequests: boolean;
  readonly setRequestBytesMax: typeof setRequestBytesMax | undefined;
  readonly endPolling: typeof endPolling | undefined;
  readonly webSocketOf: typeof webSocketOf | undefined;
  readonly tcpSocketOf: typeof tcpSocketOf | undefined;
  /** Whether requests pass `handleRequest` and `handleUpgrade` when a program replaces these. */
  readonly passesRequests: boolean;
}

/** The number of packets that wait because the transport of their connection is busy. */
export interface PacketsWaiting {
  /** Starts counting the packets of a connection. */
  begin(connection: EventEmitter): void;
  end(connection: EventEmitter): void;
  /** 0 for a connection whose packets are not counted. */
  of(connection: object): number;
}

/** Reads the number from engine.io's own buffer, for every connection. */
export const packetsInBuffer: PacketsWaiting = {
  begin() {},
  end() {},
  of(connection) {
    const { writeBuffer } = connection as { readonly writeBuffer?: unknown };
    // When unknown, it is safer to assume that something waits.
    return Array.isArray(writeBuffer) ? writeBuffer.length : 1;
  },
};

/** Counts engine.io's events: `packetCreate` for each packet, `flush` when the transport gets all that wait. */
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

/** How a polling transport takes requests with packets. */
export interface Requests {
  /** Takes the body of a request. */
  onData(this: PollingTransport, data: string): void;
  /** Reads a request, and answers it after its body was taken. */
  onDataRequest(this: PollingTransport, request: IncomingMessage, response: ServerResponse): void;
}

type PollingInside = PollingTransport & Requests & { onError(reason: string): void };

/** Replaces how a transport takes requests. The new functions use {@link takePackets} and {@link readRequest}. */
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

/** Closes the session of a transport with an error. */
export function fail(transport: PollingTransport, reason: string): void {
  (transport as PollingInside).onError(reason);
}

function inheritedBy(transport: PollingTransport): PollingInside {
  return Object.getPrototypeOf(transport) as PollingInside;
}

/** Limits the bytes of a request. @returns false when the transport has no such limit */
export function setRequestBytesMax(transport: object, bytes: number): boolean {
  const { opts } = transport as { readonly opts?: object };
  // From engine.io 6.6.13 on, the limit is in the options of the transport.
  for (const holder of [transport, opts] as ({ maxHttpBufferSize?: unknown } | undefined)[]) {
    if (asCount(holder?.maxHttpBufferSize) === undefined) continue;
    Object.assign(holder as object, { maxHttpBufferSize: bytes });
    return true;
  }
  return false;
}

/** Closes a transport that waits for one more poll before it closes. */
export function endPolling(transport: object): void {
  const { shouldClose } = transport as { readonly shouldClose?: (() => void) | null };
  if (typeof shouldClose === 'function') shouldClose();
}

/** The public part of ws's WebSocket that is used. */
export type ControlledWebSocket = EventEmitter & { pause(): void; resume(): void; terminate(): void };

const controls = ['pause', 'resume', 'terminate'] as const;

/** Undefined for a transport without a websocket, and for a websocket without these functions. */
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

/** An engine whose listener `countsOut` was recognised. */
export interface CountingEngine {
  readonly clients: Record<string, unknown>;
  clientsCount: number;
}

/** Does what the listener `countsOut` does. */
export function countOut(engine: CountingEngine, id: string): void {
  delete engine.clients[id];
  engine.clientsCount--;
}

/** Whether the server has middlewares. These may keep the requests and responses that they get. */
export function hasMiddlewares(engine: object): boolean {
  const { middlewares } = engine as { readonly middlewares?: unknown };
  return !Array.isArray(middlewares) || middlewares.length > 0;
}

/** Replaces a request. Socket.IO reads these fields when a client connects for a second time over the same connection. */
export const noRequest: object = Object.freeze({
  headers: Object.freeze({}),
  connection: Object.freeze({}),
  url: '',
  _query: Object.freeze({}),
});

/** The source of listeners of engine.io that keep the request in memory, without white space. */
const sources = {
  countsOut: '()=>{deletethis.clients[id];this.clientsCount--;}',
  tellsMiddleware: '()=>this.emit("close")',
} as const;

/** Recognises listeners of engine.io by their source: each connection has its own functions. */
export class Listeners {
  readonly #bare = new Map<string, string>();

  is(listener: Function & { readonly listener?: Function }, what: keyof typeof sources): boolean {
    // `once` wraps the listener.
    const source = String(listener.listener ?? listener);
    let bare = this.#bare.get(source);
    if (bare === undefined) this.#bare.set(source, (bare = source.replaceAll(/\s/g, '')));
    return bare === sources[what];
  }
}
