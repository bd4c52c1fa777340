import { FanfareError, type Problem } from '@fanfare/protocol';
import type { Server, Socket } from 'socket.io';
import type { MessagePath } from '../message-path/message-path.ts';
import type { Logger } from '../observability/logger.ts';
import { asRefusal } from '../observability/refusal.ts';
import { SocketPeer } from './rooms.ts';
import type { SlowSubscribers } from './slow-subscribers.ts';

export interface EventParts {
  readonly path: MessagePath;
  readonly slow: SlowSubscribers;
  readonly logger: Logger;
  /** Whether events that Fanfare does not know are refused; on an embedding app's server they are the app's. */
  readonly refuseUnknown: boolean;
}

type Ack = (answer: object) => void;
type Refused = { readonly ok: false; readonly error: Problem };

const commands: readonly string[] = ['subscribe', 'unsubscribe', 'publish'];

/** Listens to the clients of the main namespace. The function returned stops that, and leaves them connected. */
export function listenToClients(io: Server, parts: EventParts): () => void {
  const stops = new Set<() => void>();
  const onConnection = (socket: Socket): void => {
    const stop = listenToClient(socket, parts, () => stops.delete(stop));
    stops.add(stop);
  };
  io.on('connection', onConnection);
  for (const socket of io.sockets.sockets.values()) onConnection(socket);
  return () => {
    io.off('connection', onConnection);
    for (const stop of stops) stop();
  };
}

function listenToClient(
  socket: Socket,
  { path, slow, logger, refuseUnknown }: EventParts,
  onStop: () => void,
): () => void {
  const peer = new SocketPeer(socket);
  if (socket.recovered) peer.leaveRestored();
  const connection = path.accept(peer);
  slow.add(socket, connection);
  const listeners = {
    subscribe: (...args: unknown[]) =>
      void answer(socket, args, (input) => connection.subscribe(input), logger),
    unsubscribe: (...args: unknown[]) =>
      void answer(socket, args, (input) => connection.unsubscribe(input), logger),
    publish: (...args: unknown[]) => void answer(socket, args, (input) => path.publishValue(input), logger),
    disconnect: () => stop(),
  };
  const stop = (): void => {
    for (const [event, listener] of Object.entries(listeners)) socket.off(event, listener);
    connection.close();
    onStop();
  };
  for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener);
  if (refuseUnknown) {
    socket.onAny((event: string, ...args: unknown[]) => {
      if (!isCommand(event)) void answer(socket, args, () => refuseEvent(event), logger);
    });
  }
  return stop;
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
