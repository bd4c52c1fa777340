import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { PatientWebSocket } from './web-socket.ts';

/**
 * Engine.IO's `wsEngine`: ws, but for how its ends are told, and for the answers to pings. ws writes one to each, and would keep all of them for a client
 * that sends pings and reads nothing. Here one is written at a time, and of the pings that come meanwhile the last is
 * answered once that has gone, as RFC 6455 5.5.3 has it.
 */
export class WebSocketEngine extends WebSocketServer {
  constructor(options: ServerOptions) {
    // The types know nothing of the time to close.
    const ours = {
      autoPong: false,
      closeTimeout: fixedLimits.closeAnswerMs.value,
      WebSocket: PatientWebSocket,
    };
    super({ ...options, ...ours });
  }

  override handleUpgrade(
    ...[request, socket, head, callback]: Parameters<WebSocketServer['handleUpgrade']>
  ): void {
    super.handleUpgrade(request, socket, head, (webSocket, ...rest) => {
      webSocket.on('ping', answer);
      callback(webSocket, ...rest);
    });
  }
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
