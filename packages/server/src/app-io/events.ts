import type { FanfareError, Refused } from '@fanfare/protocol';
import type { Server, Socket } from 'socket.io';
import type { Access } from '../access/access.ts';
import type { ClientAddresses } from '../access/client-address.ts';
import type { Rights } from '../access/rights.ts';
import { commandNames, Commands, renewal } from '../clients/commands.ts';
import type { MessagePath } from '../message-path/message-path.ts';
import { asRefusal, type RequestLogger } from '../observability/unexpected-failure.ts';
import { PacketsWaiting } from './packets-waiting.ts';
import { watchDrained } from './room-fan-out.ts';
import { SignIn } from './sign-in.ts';
import { SocketPeer } from './socket-peer.ts';

export interface AppIoParts {
  readonly access: Access;
  readonly addresses: ClientAddresses;
  readonly requestLogger: RequestLogger;
  readonly path: () => MessagePath;
}

type Ack = (result: object) => void;

/**
 * A listener that all clients share. One for each client would cost every idle connection some hundred bytes.
 */
type SharedListener = (this: Socket, ...args: unknown[]) => void;

/**
 * Listens to the clients of the main namespace of an app's Socket.IO server.
 *
 * @returns a function that stops listening, and leaves the clients connected
 */
export function listenToClients(io: Server, parts: AppIoParts): () => void {
  const { access, addresses, requestLogger: logger } = parts;
  const { connections } = parts.path();
  const unwatch = watchDrained(io, ({ id }) => connections.of(id));
  const signIn = new SignIn(io, access, logger);
  const packets = new PacketsWaiting();
  const peers = new Map<Socket, SocketPeer>();
  const forget = (socket: Socket): void => {
    for (const [event, listener] of listeners) socket.off(event, listener);
    peers.get(socket)?.close();
    peers.delete(socket);
  };
  const end = (socket: Socket, error: FanfareError, isForGood = error.code !== 'token_expired'): void => {
    peers.get(socket)?.connection.expire(error);
    forget(socket);
    disconnect(socket, error, isForGood);
  };
  const listeners = listenersFor(parts, peers, forget);
  const trackIdentity = (socket: Socket, peer: SocketPeer, rights: Rights): void => {
    peer.identity = access.trackIdentity(rights, (error) => end(socket, error));
  };
  const accept = (socket: Socket, rights: Rights): SocketPeer => {
    const address = addresses.of(socket.request) ?? '';
    const peer = new SocketPeer(socket, address, packets, (one) => connections.accept(one, rights));
    peers.set(socket, peer);
    trackIdentity(socket, peer, rights);
    for (const [event, listener] of listeners) socket.on(event, listener);
    return peer;
  };
  /** Accepts a client whose token is not verified yet. Its commands wait for the verification. */
  const acceptUnknown = async (socket: Socket, onRefused: (error: FanfareError) => void): Promise<void> => {
    const peer = accept(socket, access.noRights);
    const { connection } = peer;
    try {
      await connection.renew(async () => {
        const rights = await signIn.ask(socket);
        if (!connection.isClosed) trackIdentity(socket, peer, rights);
        return rights;
      });
    } catch (error) {
      if (!connection.isClosed) onRefused(asRefusal(error, logger));
    }
  };
  const onConnection = (socket: Socket): void => {
    // A listener of the app may have disconnected it.
    if (!socket.connected) return;
    const rights = signIn.rightsOf(socket);
    if (rights) accept(socket, rights);
    // Socket.IO does not run its middleware for clients that it recovers.
    else if (socket.recovered) void acceptUnknown(socket, (error) => end(socket, error, true));
  };
  io.on('connection', onConnection);
  for (const socket of io.sockets.sockets.values()) {
    if (access.isOpen) accept(socket, access.fullRights);
    // A client whose token is refused stays a client of the app, without any rights in Fanfare.
    else void acceptUnknown(socket, () => {});
  }
  return () => {
    signIn.stop();
    unwatch();
    io.off('connection', onConnection);
    for (const socket of peers.keys()) forget(socket);
  };
}

/**
 * Standard clients do not reconnect after a packet DISCONNECT. After a close, they reconnect with a fresh
 * token.
 */
function disconnect(socket: Socket, error: FanfareError, isForGood: boolean): void {
  socket.emit('error', error.toProblem());
  if (isForGood) socket.disconnect(true);
  else socket.conn.close();
}

function listenersFor(
  { path, access, requestLogger: logger }: AppIoParts,
  peers: ReadonlyMap<Socket, SocketPeer>,
  forget: (socket: Socket) => void,
): readonly (readonly [event: string, SharedListener])[] {
  const commands = new Commands(path, access);
  // An app that verifies clients itself may have an event of the name `token`.
  const names = access.isOpen ? commandNames : [...commandNames, renewal];
  const ofCommands = names.map((name): readonly [string, SharedListener] => [
    name,
    function (...args) {
      const peer = peers.get(this);
      if (!peer) return;
      void acknowledge(this, args, (value) => commands.carryOut(peer, name, { value }), logger);
    },
  ]);
  return [
    ...ofCommands,
    [
      // This happens before Socket.IO saves the rooms of a connection for recovery. A recovered client is
      // verified again.
      'disconnecting',
      function () {
        forget(this);
      },
    ],
  ];
}

/**
 * Runs a command and acknowledges it, if the client asked for an acknowledgement. Otherwise only a refusal is
 * sent, as the event `error`. A command that is done at once is acknowledged in the same turn, before any
 * delivery.
 */
async function acknowledge(
  socket: Socket,
  args: readonly unknown[],
  command: (input: unknown) => object | Promise<object>,
  logger: RequestLogger,
): Promise<void> {
  const last = args.at(-1);
  const ack = typeof last === 'function' ? (last as Ack) : undefined;
  const input = ack && args.length === 1 ? undefined : args[0];
  try {
    const result = command(input);
    ack?.(result instanceof Promise ? await result : result);
  } catch (error) {
    const problem = asRefusal(error, logger).toProblem();
    if (ack) ack({ ok: false, error: problem } satisfies Refused);
    else socket.emit('error', problem);
  }
}
