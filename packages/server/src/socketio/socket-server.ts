import { fanoutAdapter, type FanoutOptions } from '@fanfare/fanout';
import { Server } from 'socket.io';
import type { WsEngine } from './answer-pings.ts';
import { PassingEncoder } from './encoded-argument.ts';
import type { ClientRefusalLog } from '../observability/client-refusal-log.ts';
import { eventDecoder } from './event-decoder.ts';
import { HandshakeTurns, type HandshakeTurnsOptions } from './handshake-turns.ts';

export interface SocketServerOptions extends HandshakeTurnsOptions {
  /** The most bytes that one Engine.IO packet may have. */
  readonly packetBytesMax: number;
  /** The most that a publish may have. */
  readonly publishBytesMax: number;
  readonly refusalLog: ClientRefusalLog;
  /** How long a client that has opened a connection may take to be let in. */
  readonly loginTimeoutMs: number;
  readonly fanout: FanoutOptions;
  /** What makes the websockets: `webSocketEngine`. */
  readonly wsEngine: WsEngine | undefined;
}

/** Makes Fanfare's own Socket.IO server; it serves once it is attached to an HTTP server. */
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
    // Compression costs a broadcast more than everything else together.
    perMessageDeflate: false,
    allowEIO3: false,
    allowRequest: (request, decide) => {
      handshakes.take(request, (refusal) => decide(refusal ?? null, refusal === undefined));
    },
  });
}
