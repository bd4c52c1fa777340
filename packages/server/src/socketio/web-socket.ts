import { WebSocket } from 'ws';
import {
  arrivedOf,
  forgetArrived,
  readOn,
  readThrough,
  receiverOf,
  refusal,
  type Receiver,
  type Write,
} from '../insides/ws-inside.ts';
import { Arrival } from '../limits/arrival-budget.ts';
import { packetBudget } from './packet-budget.ts';

/** The messages that have come in part, as far as they take room. */
const arrivals = new WeakMap<Receiver, Arrival>();

/** Of the status codes of a websocket: try again later. */
const tryAgainLater = 1013;

/**
 * A WebSocket whose end is told when all that came before it was done. That may take several turns of the event loop, in which
 * the client may be gone already: what is sent to it then goes nowhere, as it would a moment later, and is no error.
 */
export class PatientWebSocket extends WebSocket {
  #isEndTold = false;

  override send(data: string | Buffer, ...rest: unknown[]): void {
    if (this.readyState === WebSocket.OPEN || this.#isEndTold)
      return super.send(data, ...(rest as [object, () => void]));
    const sent = rest.at(-1);
    if (typeof sent === 'function') process.nextTick(sent);
  }

  /** What Socket.IO was given in the last turn it tells in the next. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event !== 'close') return super.emit(event, ...args);
    setImmediate(() => {
      this.#isEndTold = true;
      super.emit(event, ...args);
    });
    return true;
  }
}

/** Limits the memory of incomplete messages, of all websockets together. */
export function boundArrivals(webSocket: WebSocket): void {
  const receiver = receiverOf(webSocket);
  // One for all: one for each would cost every idle connection some hundred bytes.
  if (receiver) readThrough(receiver, readItself);
}

function readItself(this: Receiver, ...piece: Parameters<Write>): void {
  readBounded(this, ...piece);
}

/** Parses a chunk when there is room for it. */
export function readBounded(receiver: Receiver, ...[chunk, encoding, done]: Parameters<Write>): void {
  if (!holds(receiver, chunk.length, 1)) {
    // Else they would stay until the client has answered the close, or the time for that is over.
    forgetArrived(receiver);
    return done(refusal(receiver, 'Too much is arriving', tryAgainLater, 'ERR_TOO_MUCH_ARRIVING'));
  }
  readOn(receiver, chunk, encoding, done);
  if (arrivals.has(receiver)) holds(receiver, 0, 0);
}

/** @returns whether there is room for what has come of a message in part, and so much more */
function holds(receiver: Receiver, moreBytes: number, morePieces: number): boolean {
  const arrived = arrivedOf(receiver);
  // A limit that cannot be checked is taken for exceeded.
  if (!arrived) return false;
  const bytes = arrived.bytes + moreBytes;
  const pieces = arrived.pieces + morePieces;
  const known = arrivals.get(receiver);
  if (known) return known.hold(bytes, pieces);
  if (!Arrival.needsBudget(bytes, pieces)) return true;
  const arrival = new Arrival(packetBudget);
  arrivals.set(receiver, arrival);
  receiver.once('close', () => arrival.end());
  return arrival.hold(bytes, pieces);
}
