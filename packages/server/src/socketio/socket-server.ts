import { fanoutAdapter, type FanoutOptions } from '@fanfare/fanout';
import type { IncomingMessage } from 'node:http';
import { Server } from 'socket.io';
import type { WsEngine } from './answer-pings.ts';
import { PassingEncoder } from './encoded-argument.ts';
import type { ClientFaults } from '../observability/client-faults.ts';
import { eventDecoder } from './event-decoder.ts';

export interface SocketServerOptions {
  /** The most bytes that one Engine.IO packet may have. */
  readonly packetBytesMax: number;
  /** The most that a publish may have. */
  readonly publishBytesMax: number;
  readonly faults: ClientFaults;
  /** How long a client that has opened a connection may take to be let in. */
  readonly loginTimeoutMs: number;
  /** Undefined lets a connection in; a text refuses it and says why. */
  readonly refuse: (request: IncomingMessage) => string | undefined;
  readonly fanout: FanoutOptions;
  /** What makes the websockets: `webSocketEngine`. */
  readonly wsEngine: WsEngine | undefined;
}

/** Makes Fanfare's own Socket.IO server; it serves once it is attached to an HTTP server. */
export function createSocketServer(options: SocketServerOptions): Server {
  const { packetBytesMax, publishBytesMax, refuse, fanout, wsEngine, faults } = options;
  const decoder = eventDecoder(publishBytesMax, (sentence) => faults.tell({}, sentence));
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
      const reason = refuse(request);
      decide(reason ?? null, reason === undefined);
    },
  });
}
