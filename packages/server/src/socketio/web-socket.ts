import { WebSocket } from 'ws';
import { Arrival } from '../limits/arrival-room.ts';
import { packetRoom } from './packet-room.ts';

/** The parts of ws's WebSocket that are no documented ones. */
interface Inside {
  readonly readyState: number;
  readonly _receiver: Receiver | null;
  setSocket(socket: unknown, head: Buffer, options: unknown): void;
  emitClose(): void;
}

/** ws's reader of frames. */
interface Receiver {
  /** What was read, and not told yet. */
  readonly writableLength: number;
  /** What has come of a frame, as it came. */
  _buffers: readonly Buffer[];
  readonly _bufferedBytes: number;
  /** What has come of a message in whole frames, and how much that is. */
  _fragments: readonly Buffer[];
  readonly _messageLength: number;
  _write(chunk: Buffer, encoding: string, done: (error?: Error) => void): void;
  createError(type: ErrorConstructor, message: string, prefix: boolean, status: number, code: string): Error;
  once(event: 'close', listener: () => void): void;
}

const inherited = WebSocket.prototype as unknown as Inside;

/** The messages that have come in part, as far as they take room. */
const arrivals = new WeakMap<Receiver, Arrival>();

/** Of the status codes of a websocket: try again later. */
const tryAgainLater = 1013;

/**
 * A WebSocket whose end is told when all that came before it was done. That may take several turns of the event loop, in which
 * the client may be gone already: what is sent to it then goes nowhere, as it would a moment later, and is no error.
 * What has come of messages in part is bounded over all of them.
 */
export class PatientWebSocket extends WebSocket {
  setSocket(socket: unknown, head: Buffer, options: unknown): void {
    inherited.setSocket.call(this, socket, head, options);
    const { _receiver: receiver } = this as unknown as Inside;
    // One for all: one for each would cost every idle connection some hundred bytes.
    if (receiver) receiver._write = writeBounded;
  }

  override send(data: string | Buffer, ...rest: unknown[]): void {
    const { readyState, _receiver: receiver } = this as unknown as Inside;
    if (readyState !== WebSocket.CLOSING || !receiver || receiver.writableLength === 0)
      return super.send(data, ...(rest as [object, () => void]));
    const sent = rest.at(-1);
    if (typeof sent === 'function') process.nextTick(sent);
  }

  /** What Socket.IO was given in the last turn it tells in the next. */
  emitClose(): void {
    setImmediate(() => inherited.emitClose.call(this));
  }
}

function writeBounded(this: Receiver, chunk: Buffer, encoding: string, done: (error?: Error) => void): void {
  if (!holds(this, chunk.length, 1)) {
    // Else they would stay until the client has answered the close, or the time for that is over.
    this._buffers = [];
    this._fragments = [];
    return done(
      this.createError(Error, 'Too much is arriving', false, tryAgainLater, 'ERR_TOO_MUCH_ARRIVING'),
    );
  }
  (Object.getPrototypeOf(this) as Receiver)._write.call(this, chunk, encoding, done);
  if (arrivals.has(this)) holds(this, 0, 0);
}

/** @returns whether there is room for what has come of a message in part, and so much more */
function holds(receiver: Receiver, moreBytes: number, morePieces: number): boolean {
  const bytes = receiver._bufferedBytes + receiver._messageLength + moreBytes;
  const pieces = receiver._buffers.length + receiver._fragments.length + morePieces;
  const known = arrivals.get(receiver);
  if (known) return known.hold(bytes, pieces);
  if (!Arrival.needsRoom(bytes, pieces)) return true;
  const arrival = new Arrival(packetRoom);
  arrivals.set(receiver, arrival);
  receiver.once('close', () => arrival.end());
  return arrival.hold(bytes, pieces);
}
