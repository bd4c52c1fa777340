import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws';
import type { WsInside } from '../insides/ws-inside.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { boundAtTcp } from './tcp-arrivals.ts';
import { boundArrivals, PatientWebSocket } from './web-socket.ts';

/** What Engine.IO makes its server of websockets with. */
export type WsEngine = new (options: ServerOptions) => WebSocketServer;

/** Without knowing what a message takes in memory, so many pieces of it are no more than what nobody is refused for. */
const fragmentsMax = 512;

/**
 * Engine.IO's `wsEngine`: ws, but for how its ends are told, for what may come in part, and for the answers to pings. ws writes one to
 * each, and would keep all of them for a client that sends pings and reads nothing. Here one is written at a time, and of the pings that
 * come meanwhile the last is answered once that has gone, as RFC 6455 5.5.3 has it.
 */
export function webSocketEngine({ tellsArrived, isPaced }: Omit<WsInside, 'paced'>): WsEngine {
  return class extends WebSocketServer {
    constructor(options: ServerOptions) {
      // The types know nothing of the time to close, and of fragments.
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
