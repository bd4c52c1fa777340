import type { Duplex } from 'node:stream';
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws';
import type { WsInside } from '../insides/ws-inside.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { boundAtTcp } from './tcp-arrivals.ts';
import { boundArrivals, PatientWebSocket } from './web-socket.ts';

/** The class for Engine.IO's option `wsEngine`. */
export type WsEngine = new (options: ServerOptions) => WebSocketServer;

/** The private parts of ws that can be used. */
export type WsUses = Omit<WsInside, 'paced'>;

/** Used when the pieces of a message cannot be counted. So many pieces take 64 KiB, which every connection may take. */
const fragmentsMax = 512;

/**
 * Engine.IO's `wsEngine`: ws with a limit for incomplete messages, with ends that are told in order, and with other answers to pings.
 * ws writes an answer to each ping, and would keep all of them for a client that does not read. Here one answer is written at a time.
 * Of the pings that arrive meanwhile only the last is answered, as RFC 6455 5.5.3 allows.
 *
 * @param onOpen - is called before anything that the client has sent is parsed
 */
export function webSocketEngine(
  { tellsArrived, isPaced }: WsUses,
  onOpen?: (webSocket: WebSocket, socket: Duplex) => void,
): WsEngine {
  return class extends WebSocketServer {
    constructor(options: ServerOptions) {
      // The types lack `closeTimeout` and `maxFragments`.
      const ours = {
        autoPong: false,
        closeTimeout: fixedLimits.closeAnswerMs.value,
        WebSocket: PatientWebSocket,
        ...(!tellsArrived && { maxFragments: fragmentsMax }),
        ...(!isPaced && { allowSynchronousEvents: false }),
      };
      super({ ...options, ...ours });
    }

    override handleUpgrade(
      ...[request, socket, head, callback]: Parameters<WebSocketServer['handleUpgrade']>
    ): void {
      super.handleUpgrade(request, socket, head, (webSocket, ...rest) => {
        webSocket.on('ping', answer);
        if (tellsArrived) boundArrivals(webSocket);
        else boundAtTcp(webSocket, socket);
        onOpen?.(webSocket, socket);
        callback(webSocket, ...rest);
      });
    }
  };
}

/** Of those to whom an answer is being written: the ping that came last since. */
const unanswered = new WeakMap<WebSocket, Uint8Array | undefined>();

/** One listener for all: one for each would cost every idle connection some hundred bytes. */
function answer(this: WebSocket, data: Uint8Array): void {
  // Copied: it is a part of all that was read with it.
  const copy = Uint8Array.from(data);
  if (unanswered.has(this)) unanswered.set(this, copy);
  else write(this, copy);
}

function write(webSocket: WebSocket, data: Uint8Array): void {
  unanswered.set(webSocket, undefined);
  webSocket.pong(data, false, () => {
    const next = unanswered.get(webSocket);
    unanswered.delete(webSocket);
    if (next) write(webSocket, next);
  });
}
