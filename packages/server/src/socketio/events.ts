import { FanfareError, type Problem } from '@fanfare/protocol';
import type { Server, Socket } from 'socket.io';
import type { Connection } from '../message-path/accept.ts';
import type { MessagePath } from '../message-path/message-path.ts';
import type { Logger } from '../observability/logger.ts';
import { asRefusal } from '../observability/refusal.ts';
import { SocketPeer } from './rooms.ts';

export interface EventParts {
  readonly path: MessagePath;
  /** Who is connected, and as what. */
  readonly connections: Map<Socket, Connection>;
  readonly logger: Logger;
  /** Whether events that Fanfare does not know are refused; on an embedding app's server they are the app's. */
  readonly refuseUnknown: boolean;
}

type Ack = (answer: object) => void;
type Refused = { readonly ok: false; readonly error: Problem };

const commands: readonly string[] = ['subscribe', 'unsubscribe', 'publish'];

/** A listener that all clients share: one for each would cost every idle connection some hundred bytes. */
type SharedListener = (this: Socket, ...args: unknown[]) => void;

/** Listens to the clients of the main namespace. The function returned stops that, and leaves them connected. */
export function listenToClients(io: Server, parts: EventParts): () => void {
  const { path, connections, refuseUnknown } = parts;
  const forget = (socket: Socket): void => {
    for (const [event, listener] of listeners) socket.off(event, listener);
    connections.get(socket)?.close();
    connections.delete(socket);
  };
  const listeners = listenersFor(parts, forget);
  const onAny = listenerForUnknown(parts);
  const onConnection = (socket: Socket): void => {
    const peer = new SocketPeer(socket, () => connections.get(socket)?.drained());
    if (socket.recovered) peer.leaveRestored();
    connections.set(socket, path.accept(peer));
    for (const [event, listener] of listeners) socket.on(event, listener);
    if (refuseUnknown) socket.onAny(onAny);
  };
  io.on('connection', onConnection);
  for (const socket of io.sockets.sockets.values()) onConnection(socket);
  return () => {
    io.off('connection', onConnection);
    for (const socket of connections.keys()) forget(socket);
  };
}

function listenersFor(
  { path, connections, logger }: EventParts,
  forget: (socket: Socket) => void,
): readonly (readonly [event: string, SharedListener])[] {
  return [
    [
      'subscribe',
      function (...args) {
        const connection = connections.get(this);
        if (connection) void answer(this, args, (input) => connection.subscribe(input), logger);
      },
    ],
    [
      'unsubscribe',
      function (...args) {
        const connection = connections.get(this);
        if (connection) void answer(this, args, (input) => connection.unsubscribe(input), logger);
      },
    ],
    [
      'publish',
      function (...args) {
        const connection = connections.get(this);
        const publish = (input: unknown): object | Promise<object> =>
          connection ? connection.afterCommands(() => path.publishValue(input)) : path.publishValue(input);
        void answer(this, args, publish, logger);
      },
    ],
    [
      'disconnect',
      function () {
        forget(this);
      },
    ],
  ];
}

function listenerForUnknown({ logger }: EventParts): SharedListener {
  return function (event, ...args) {
    const name = String(event);
    if (!isCommand(name)) void answer(this, args, () => refuseEvent(name), logger);
  };
}

/**
 * Runs a command and answers it: in the ack when the client asked for one; else only a refusal is told, in
 * the event `error`. A command that answers at once is acknowledged in the same turn, before any delivery.
 */
async function answer(
  socket: Socket,
  args: readonly unknown[],
  command: (input: unknown) => object | Promise<object>,
  logger: Logger,
): Promise<void> {
  const last = args.at(-1);
  const ack = typeof last === 'function' ? (last as Ack) : undefined;
  const input = ack && args.length === 1 ? undefined : args[0];
  try {
    const result = command(input);
    const settled = result instanceof Promise ? await result : result;
    ack?.(settled);
  } catch (error) {
    const problem = asRefusal(error, logger).toProblem();
    if (ack) ack({ ok: false, error: problem } satisfies Refused);
    else socket.emit('error', problem);
  }
}

function isCommand(event: string): boolean {
  return commands.includes(event);
}

function refuseEvent(event: string): never {
  throw new FanfareError(
    'bad_request',
    `There is no event '${event.slice(0, 100)}'; there are ${commands.join(', ')}.`,
  );
}
