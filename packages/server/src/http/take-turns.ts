import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { isOfHttp, type NodeInside } from '../insides/node-inside.ts';
import { isClosing } from './close-in-stages.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { TurnTaking, TurnTotal } from '../limits/turn-taking.ts';

const { value: requestsPerTurnMax } = fixedLimits.requestsPerTurnMax;

/** One for all servers of this process: they have one event loop. */
const together = new TurnTotal(8 * requestsPerTurnMax);

/** The most requests that may wait on a connection that cannot be paused. */
const unpausedMax = 1_000;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/**
 * Has connections that send request after request, and wait for no answer, take turns with all others. To be called once the
 * server has its listeners.
 */
export function takeTurns(server: Server, { order, seesUpgrades }: NodeInside): void {
  const listeners = server.rawListeners('request') as RequestListener[];
  /** What was read, and has to wait. */
  const waiting = new Map<Socket, Exchange[]>();
  const turns = new TurnTaking<Socket>({
    perTurnMax: requestsPerTurnMax,
    leastPerTurn: 1,
    together,
    // An upgraded connection must not be paused.
    pause: seesUpgrades ? pause : () => {},
    resume: goOn,
  });

  function take(exchange: Exchange): void {
    const { socket } = exchange.request;
    if (isClosing(socket)) return;
    const before = waiting.get(socket);
    if (before && !seesUpgrades && before.length >= unpausedMax) socket.destroy();
    else if (before) before.push(exchange);
    else if (turns.count(socket)) handOver(exchange);
    else waiting.set(socket, [exchange]);
  }

  function handOver({ request, response }: Exchange): void {
    for (const listener of listeners) listener.call(server, request, response);
  }

  function goOn(socket: Socket): boolean {
    const exchanges = (!socket.destroyed && waiting.get(socket)) || [];
    while (exchanges.length > 0 && !isClosing(socket)) {
      if (!turns.count(socket)) return false;
      handOver(exchanges.shift() as Exchange);
    }
    waiting.delete(socket);
    if (!socket.destroyed) resume(socket);
    return true;
  }

  server.removeAllListeners('request').on('request', (request, response) => {
    // What an app makes itself came over no connection.
    const isConnected = seesUpgrades ? isOfHttp(request.socket) : request.socket instanceof Duplex;
    if (isConnected) take({ request, response });
    else handOver({ request, response });
  });
  order.watch(server);
}

function pause(socket: Socket): void {
  if (!isOfHttp(socket)) return;
  // Node has it go on as soon as somebody asks for the body of a request.
  if (!isPaused(socket)) socket.on('resume', pauseAgain);
  socket.pause();
}

function pauseAgain(this: Socket): void {
  if (isOfHttp(this)) this.pause();
  else letGo(this);
}

function resume(socket: Socket): void {
  if (!isPaused(socket)) return;
  if (isOfHttp(socket)) socket.off('resume', pauseAgain).resume();
  else letGo(socket);
}

function isPaused(socket: Socket): boolean {
  return socket.listeners('resume').includes(pauseAgain);
}

/** Node stopped to read for HTTP, and does not begin again by itself once that has nothing to do with the connection. */
function letGo(socket: Socket): void {
  socket.off('resume', pauseAgain).push('');
}
