import type { EventEmitter } from 'node:events';
import type { Server, Socket } from 'socket.io';

/** The parts of Engine.IO's server that this file uses. Like those of its connections, they are internal ones. */
interface Engine extends EventEmitter {
  readonly clients: Record<string, EngineSocket>;
  clientsCount: number;
  readonly middlewares: readonly unknown[];
}

interface EngineSocket extends EventEmitter {
  readonly id: string;
  readonly transport: Transport;
  request: object;
}

interface Transport extends EventEmitter {
  readonly name: string;
  /** A websocket transport's WebSocket, and in that its TCP connection. */
  readonly socket?: EventEmitter & { readonly _socket?: EventEmitter };
}

/** What is left of a request: Socket.IO reads these when a client connects a second time over one connection. */
const noRequest = Object.freeze({
  headers: Object.freeze({}),
  connection: Object.freeze({}),
  url: '',
  _query: Object.freeze({}),
});

const noHandshake: Socket['handshake'] = Object.freeze({
  headers: noRequest.headers,
  query: noRequest._query,
  auth: Object.freeze({}),
  url: '',
  time: '',
  issued: 0,
  address: '',
  xdomain: false,
  secure: false,
});

/** Listeners of Engine.IO that hold the request, as their source without its white space. */
const countsClientOut = '()=>{deletethis.clients[id];this.clientsCount--;}';
const tellsMiddleware = '()=>this.emit("close")';

/**
 * Lets go of the requests that clients connected with, which Socket.IO otherwise keeps for as long as a
 * connection lasts: a fifth of what an idle one takes. It happens right after the event `connection`, or after
 * the upgrade for a client that is still polling then; from there on `handshake` and `request` are empty. What
 * is not as Engine.IO 6.6 has it is left alone, and costs no more than the memory.
 */
export function releaseHandshakes(io: Server): void {
  const engine = io.engine as unknown as Engine;
  const sourceOf = readSources();
  function countClientOut(this: EngineSocket): void {
    delete engine.clients[this.id];
    engine.clientsCount--;
  }
  // Before Socket.IO's own, so that Engine.IO's listener is still the only one.
  engine.prependListener('connection', (connection: EngineSocket) => {
    const [listener, ...others] = connection.rawListeners('close');
    if (!listener || others.length > 0 || sourceOf(listener) !== countsClientOut) return;
    connection.off('close', listener as () => void);
    connection.on('close', countClientOut);
  });
  const release = (socket: Socket): void => {
    const connection = socket.conn as unknown as EngineSocket;
    if (connection.listeners('close')[0] !== countClientOut) return;
    if (connection.transport.name === 'polling') connection.once('upgrade', () => release(socket));
    else if (connection.transport.name === 'websocket') {
      releaseTransport(connection.transport, engine.middlewares.length > 0, sourceOf);
      connection.request = noRequest;
      Object.assign(socket, { handshake: noHandshake });
    }
  };
  io.on('connection', (socket) => process.nextTick(release, socket));
}

function releaseTransport(transport: Transport, hasMiddlewares: boolean, sourceOf: SourceOf): void {
  // Only a polling transport has more headers to send.
  transport.removeAllListeners('headers');
  repack(transport);
  const webSocket = transport.socket;
  if (!webSocket) return;
  if (webSocket.listenerCount('error') > 1) off(webSocket, 'error', ({ name }) => name === 'onUpgradeError');
  repack(webSocket);
  // A middleware may wait for the end of its response.
  const { _socket: tcpSocket } = webSocket;
  if (tcpSocket && !hasMiddlewares) off(tcpSocket, 'close', (one) => sourceOf(one) === tellsMiddleware);
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

type SourceOf = (listener: Function & { readonly listener?: Function }) => string;

/** A listener's source without white space; that of what `once` wraps. Each connection has its own, of the same source. */
function readSources(): SourceOf {
  const known = new Map<string, string>();
  return (listener) => {
    const source = String(listener.listener ?? listener);
    let bare = known.get(source);
    if (bare === undefined) known.set(source, (bare = source.replaceAll(/\s/g, '')));
    return bare;
  };
}
