import { fanoutAdapter, type FanoutOptions } from '@fanfare/fanout';
import { Server } from 'socket.io';
import type { WsEngine } from './answer-pings.ts';
import { PassingEncoder } from './encoded-argument.ts';
import type { ClientRefusalLog } from '../observability/client-refusal-log.ts';
import { eventDecoder } from './event-decoder.ts';
import { HandshakeTurns, type HandshakeTurnsOptions } from './handshake-turns.ts';

export interface SocketServerOptions extends HandshakeTurnsOptions {
  /** Maximum size of an Engine.IO packet, in bytes. */
  readonly packetBytesMax: number;
  /** Maximum size of a publish, in bytes. */
  readonly publishBytesMax: number;
  readonly refusalLog: ClientRefusalLog;
  /** The time limit from opening a connection to the login, in milliseconds. */
  readonly loginTimeoutMs: number;
  readonly fanout: FanoutOptions;
  /** The class that makes the websockets, from `webSocketEngine`. */
  readonly wsEngine: WsEngine | undefined;
}

/** Makes Fanfare's own Socket.IO server. It has no effect before it is attached to an HTTP server. */
export function createSocketServer(options: SocketServerOptions): Server {
  const { packetBytesMax, publishBytesMax, fanout, wsEngine, refusalLog } = options;
  const decoder = eventDecoder(publishBytesMax, (sentence) => refusalLog.log({}, sentence));
  const handshakes = new HandshakeTurns(options);
  return new Server({
    transports: ['polling', 'websocket'],
    connectTimeout: options.loginTimeoutMs,
    maxHttpBufferSize: packetBytesMax,
    wsEngine,
    parser: { Encoder: PassingEncoder, Decoder: decoder },
    adapter: fanoutAdapter(fanout),
    // Compression would cost more than everything else in a broadcast.
    perMessageDeflate: false,
    allowEIO3: false,
    allowRequest: (request, decide) => {
      handshakes.take(request, (refusal) => decide(refusal ?? null, refusal === undefined));
    },
  });
}
