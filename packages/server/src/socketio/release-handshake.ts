import type { EventEmitter } from 'node:events';
import type { Server, Socket } from 'socket.io';
import {
  countOut,
  hasMiddlewares,
  Listeners,
  noRequest,
  type CountingEngine,
  type EngineInside,
} from '../insides/engine-inside.ts';

/** The parts of an Engine.IO connection that this file uses. */
interface EngineSocket extends EventEmitter {
  readonly id: string;
  readonly transport: Transport;
  request: object;
}

interface Transport extends EventEmitter {
  readonly name: string;
}

const noHandshake: Socket['handshake'] = Object.freeze({
  headers: Object.freeze({}),
  query: Object.freeze({}),
  auth: Object.freeze({}),
  url: '',
  time: '',
  issued: 0,
  address: '',
  xdomain: false,
  secure: false,
});

/**
 * Lets go of the requests that clients connected with, which Socket.IO otherwise keeps for as long as a
 * connection lasts: a fifth of what an idle one takes. It happens right after the event `connection`, or after
 * the upgrade for a client that is still polling then; from there on `handshake` and `request` are empty. What
 * is not as Engine.IO 6.6 has it is left alone, and costs no more than the memory.
 */
export function releaseHandshakes(io: Server, inside: EngineInside): void {
  const engine = io.engine as unknown as EventEmitter & CountingEngine;
  const known = new Listeners();
  function countClientOut(this: EngineSocket): void {
    countOut(engine, this.id);
  }
  // Before Socket.IO's own, so that Engine.IO's listener is still the only one.
  engine.prependListener('connection', (connection: EngineSocket) => {
    const [listener, ...others] = connection.rawListeners('close');
    if (!listener || others.length > 0 || !known.is(listener, 'countsOut')) return;
    connection.off('close', listener as () => void);
    connection.on('close', countClientOut);
  });
  const release = (socket: Socket): void => {
    const connection = socket.conn as unknown as EngineSocket;
    if (connection.listeners('close')[0] !== countClientOut) return;
    if (connection.transport.name === 'polling') connection.once('upgrade', () => release(socket));
    else if (connection.transport.name === 'websocket') {
      releaseTransport(connection.transport, hasMiddlewares(engine), known, inside);
      connection.request = noRequest;
      Object.assign(socket, { handshake: noHandshake });
    }
  };
  io.on('connection', (socket) => process.nextTick(release, socket));
}

function releaseTransport(
  transport: Transport,
  isWatched: boolean,
  known: Listeners,
  { webSocketOf, tcpSocketOf }: EngineInside,
): void {
  // Only a polling transport has more headers to send.
  transport.removeAllListeners('headers');
  repack(transport);
  const webSocket = webSocketOf?.(transport);
  if (!webSocket) return;
  if (webSocket.listenerCount('error') > 1) off(webSocket, 'error', ({ name }) => name === 'onUpgradeError');
  repack(webSocket);
  // A middleware may wait for the end of its response.
  const tcpSocket = tcpSocketOf?.(transport);
  if (tcpSocket && !isWatched) off(tcpSocket, 'close', (one) => known.is(one, 'tellsMiddleware'));
}

/**
 * Adds an emitter's listeners anew, which leaves behind the room that earlier ones took, and what `once` wraps:
 * here that is for `close` and `error`, after which none of these emitters is used again.
 */
function repack(emitter: EventEmitter): void {
  const listeners = emitter.eventNames().map((event) => ({ event, all: emitter.listeners(event) }));
  emitter.removeAllListeners();
  for (const { event, all } of listeners) for (const one of all) emitter.on(event, one as () => void);
}

function off(emitter: EventEmitter, event: string, isMeant: (listener: Function) => boolean): void {
  for (const listener of emitter.listeners(event)) {
    if (isMeant(listener)) emitter.off(event, listener as () => void);
  }
}
