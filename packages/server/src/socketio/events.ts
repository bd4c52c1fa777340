import { FanfareError, fieldsOf, type Refused, type TokenRenewed } from '@fanfare/protocol';
import type { Server, Socket } from 'socket.io';
import type { Access } from '../access/access.ts';
import type { ClientAddresses } from '../access/client-address.ts';
import type { Rights } from '../access/rights.ts';
import type { LiveIdentity } from '../access/live-identities.ts';
import type { Source } from '../limits/rate-limits.ts';
import type { Connection } from '../message-path/connection.ts';
import type { Connections } from '../message-path/connections.ts';
import type { MessagePath } from '../message-path/message-path.ts';
import { isNotJson } from '../message-path/refusals.ts';
import type { ClientRefusalLog } from '../observability/client-refusal-log.ts';
import type { Logger } from '../observability/logger.ts';
import { asRefusal } from '../observability/unexpected-failure.ts';
import { RefusedArgument, refusedEvent, TextArgument, UnreadablePacketError } from './event-decoder.ts';
import type { PollingResponses } from './polling-responses.ts';
import { watchDrained } from './room-fan-out.ts';
import { UnreadAnswers, type SocketInsides } from './unread-answers.ts';
import { SignIn } from './sign-in.ts';
import { SocketPeer } from './socket-peer.ts';

export interface EventParts {
  readonly path: MessagePath;
  readonly access: Access;
  readonly addresses: ClientAddresses;
  readonly polling: PollingResponses;
  readonly logger: Logger;
  readonly refusalLog: ClientRefusalLog;
  readonly insides: SocketInsides;
  /** Whether unknown events are refused. On an app's own server, they can be events of the app. */
  readonly refuseUnknown: boolean;
}

type Ack = (result: object) => void;

const commands: readonly string[] = ['subscribe', 'unsubscribe', 'publish'];

/** The event with which a client sends its next token, before the current one expires. */
const renewal = 'token';

/**
 * A listener that all clients share. One for each client would cost every idle connection some hundred bytes.
 */
type SharedListener = (this: Socket, ...args: unknown[]) => void;

/**
 * Listens to the clients of the main namespace.
 *
 * @returns a function that stops listening, and leaves the clients connected
 */
export function listenToClients(io: Server, parts: EventParts): () => void {
  const { path, access, addresses, polling, logger, insides, refuseUnknown } = parts;
  const { connections } = path;
  const unwatch = watchDrained(io, ({ id }) => connections.of(id));
  const signIn = new SignIn(io, access, logger);
  const identities = new Map<Socket, LiveIdentity>();
  const forget = (socket: Socket): void => {
    for (const [event, listener] of listeners) socket.off(event, listener);
    answers.end(socket);
    identities.get(socket)?.close();
    identities.delete(socket);
    connections.of(socket.id)?.close();
  };
  const answers = new UnreadAnswers(insides);
  const end = (socket: Socket, error: FanfareError, isForGood = error.code !== 'token_expired'): void => {
    connections.of(socket.id)?.expire(error);
    forget(socket);
    disconnect(socket, error, isForGood);
  };
  const listeners = listenersFor(parts, identities, forget);
  const onAny = listenerForUnknown(logger);
  const trackIdentity = (socket: Socket, rights: Rights): void => {
    const identity = access.trackIdentity(rights, (error) => end(socket, error));
    if (identity) identities.set(socket, identity);
  };
  const accept = (socket: Socket, rights: Rights): Connection => {
    polling.begin(socket.conn);
    addresses.tell(socket.conn);
    const { connection } = new SocketPeer(socket, polling, insides.engine, (peer) =>
      connections.accept(peer, rights),
    );
    trackIdentity(socket, rights);
    for (const [event, listener] of listeners) socket.on(event, listener);
    answers.begin(socket);
    if (refuseUnknown) socket.onAny(onAny);
    return connection;
  };
  /** Accepts a client whose token is not verified yet. Its commands wait for the verification. */
  const acceptUnknown = async (socket: Socket, onRefused: (error: FanfareError) => void): Promise<void> => {
    const connection = accept(socket, access.noRights);
    try {
      await connection.renew(async () => {
        const rights = await signIn.ask(socket);
        if (!connection.isClosed) trackIdentity(socket, rights);
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
    // An app's Socket.IO server does not run its middleware for clients that it recovers.
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
    for (const socket of clientsOf(io, connections)) {
      forget(socket);
      polling.end(socket.conn);
    }
  };
}

/** The sockets that have a connection of Fanfare. */
function clientsOf(io: Server, connections: Connections): readonly Socket[] {
  return [...io.sockets.sockets.values()].filter(({ id }) => connections.of(id));
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
  { path, access, logger, refusalLog, refuseUnknown }: EventParts,
  identities: ReadonlyMap<Socket, LiveIdentity>,
  forget: (socket: Socket) => void,
): readonly (readonly [event: string, SharedListener])[] {
  /** A listener that carries out a command, if the client has a connection. */
  const command = (
    event: string,
    carryOut: (connection: Connection, input: unknown, socket: Socket) => object | Promise<object>,
  ): readonly [string, SharedListener] => [
    event,
    function (...args) {
      const connection = path.connections.of(this.id);
      if (connection) void acknowledge(this, args, (input) => carryOut(connection, input, this), logger);
    },
  ];
  const renew = async (connection: Connection, input: unknown, socket: Socket): Promise<TokenRenewed> => {
    const token = fieldsOf(input, renewal, '{"token": "…"}')('token');
    if (typeof token !== 'string') throw new FanfareError('bad_request', 'The token must be a string.');
    // An open server accepts the event too, so that clients need not know whether the server requires tokens.
    if (access.isOpen) return { ok: true };
    await connection.renew(async () => {
      const { request, handshake } = socket;
      const rights = await access.authenticate(token, { request, auth: { ...handshake.auth, token } });
      if (rights.identity.subject !== connection.rights.identity.subject)
        throw new FanfareError('not_authorized', 'The token must be for the same subject as the connection.');
      identities.get(socket)?.renew(rights.identity);
      return rights;
    });
    const { endsAt } = connection.rights.identity;
    return { ok: true, ...(endsAt !== Infinity && { exp: endsAt / 1_000 }) };
  };
  const refusePublish = (error: unknown): never => {
    if (isNotJson(error)) refusalLog.log({}, refusedEvent);
    throw error;
  };
  return [
    command('subscribe', (connection, input, socket) =>
      connection.subscribe(input, sourceOf(socket, connection)),
    ),
    command('unsubscribe', (connection, input) => connection.unsubscribe(input)),
    command('publish', (connection, input, socket) => {
      const publish = input instanceof TextArgument ? { json: input.json } : { value: input };
      return connection.afterCommands(() =>
        path.publish(connection.rights, publish, sourceOf(socket, connection)).catch(refusePublish),
      );
    }),
    ...(takesTokens({ access, refuseUnknown }) ? [command(renewal, renew)] : []),
    ['error', tellUnreadable],
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

/** The event directly before Socket.IO closes a connection. Clients can also send events of this name. */
function tellUnreadable(this: Socket, error: unknown): void {
  if (error instanceof UnreadablePacketError) this.emit('error', error.refusal.toProblem());
}

/** An app that verifies clients itself may have an event of this name. */
function takesTokens({ access, refuseUnknown }: Pick<EventParts, 'access' | 'refuseUnknown'>): boolean {
  return refuseUnknown || !access.isOpen;
}

function listenerForUnknown(logger: Logger): SharedListener {
  const known = new Set([...commands, renewal]);
  return function (...event) {
    // A packet without a name and arguments may still have an acknowledgement.
    const [name, args] = typeof event[0] === 'string' ? [event[0], event.slice(1)] : ['', event];
    if (!known.has(name)) void acknowledge(this, args, () => refuseEvent(name), logger);
  };
}

/**
 * The source of a command, for the rate limits. For the client's address see {@link ClientAddresses.tell}.
 */
function sourceOf({ conn }: Socket, connection: Connection): Source {
  const { remoteAddress: address } = conn as { readonly remoteAddress?: string };
  return { connection, subject: connection.rights.identity.subject, address };
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
  logger: Logger,
): Promise<void> {
  const last = args.at(-1);
  const ack = typeof last === 'function' ? (last as Ack) : undefined;
  const input = ack && args.length === 1 ? undefined : args[0];
  try {
    if (input instanceof RefusedArgument) throw input.reason;
    const result = command(input);
    const settled = result instanceof Promise ? await result : result;
    ack?.(settled);
  } catch (error) {
    const problem = asRefusal(error, logger).toProblem();
    if (ack) ack({ ok: false, error: problem } satisfies Refused);
    else socket.emit('error', problem);
  }
}

function refuseEvent(event: string): never {
  throw new FanfareError(
    'bad_request',
    `Unknown event '${event.slice(0, 100)}'. The known events are ${commands.join(', ')}.`,
  );
}
