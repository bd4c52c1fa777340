import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { FairTurns, TurnBudget } from '../limits/fair-turns.ts';
import { isClosing } from './lingering-close.ts';

const { value: requestsPerTurnMax } = fixedLimits.requestsPerTurnMax;
const { value: unansweredTotalMax } = fixedLimits.requestsUnansweredMax;

/** Shared by all servers of this process: they have one event loop and one memory. */
const together = new TurnBudget(8 * requestsPerTurnMax);
let unansweredTotal = 0;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** A connection that sends requests. */
interface Sender {
  readonly socket: Socket;
  unanswered: number;
  /** The requests that wait for their turn. */
  readonly waiting: Exchange[];
}

/**
 * Limits pipelined requests after Node has parsed them, if `request-reader.ts` cannot be used. They take
 * turns with the requests of other connections. A connection with too many unanswered requests is closed.
 */
export function handleRequestsInTurns(server: Server, unansweredMax: number): void {
  const listeners = server.rawListeners('request') as RequestListener[];
  const senders = new WeakMap<Socket, Sender>();
  const turns = new FairTurns<Sender>({
    perTurnMax: requestsPerTurnMax,
    leastPerTurn: 1,
    together,
    pause: () => {},
    resume: goOn,
  });

  function senderOf(socket: Socket): Sender {
    const known = senders.get(socket);
    if (known) return known;
    const sender: Sender = { socket, unanswered: 0, waiting: [] };
    senders.set(socket, sender);
    socket.once('close', () => {
      unansweredTotal -= sender.unanswered;
      sender.unanswered = 0;
    });
    return sender;
  }

  function take(sender: Sender, exchange: Exchange): void {
    const { socket, unanswered, waiting } = sender;
    if (socket.destroyed || isClosing(socket)) return;
    if (unanswered > 0 && (unanswered >= unansweredMax || unansweredTotal >= unansweredTotalMax))
      return void socket.destroy();
    sender.unanswered++;
    unansweredTotal++;
    exchange.response.once('close', () => {
      if (sender.unanswered === 0) return;
      sender.unanswered--;
      unansweredTotal--;
    });
    if (waiting.length === 0 && turns.count(sender)) handOver(exchange);
    else waiting.push(exchange);
  }

  function handOver({ request, response }: Exchange): void {
    for (const listener of listeners) listener.call(server, request, response);
  }

  function goOn(sender: Sender): boolean {
    const { socket, waiting } = sender;
    while (waiting.length > 0 && !socket.destroyed && !isClosing(socket)) {
      if (!turns.count(sender)) return false;
      handOver(waiting.shift() as Exchange);
    }
    waiting.length = 0;
    return true;
  }

  server.removeAllListeners('request').on('request', (request: IncomingMessage, response: ServerResponse) => {
    const exchange = { request, response };
    // A request that an app has made up has no connection.
    if (request.socket as Socket | undefined) take(senderOf(request.socket), exchange);
    else handOver(exchange);
  });
}
