import { WebSocket } from 'ws';

/** The parts of ws's WebSocket that are no documented ones. */
interface Inside {
  readonly readyState: number;
  readonly _receiver: { readonly writableLength: number } | null;
  emitClose(): void;
}

/**
 * A WebSocket whose end is told when all that came before it was done. That may take several turns of the event loop, in which
 * the client may be gone already: what is sent to it then goes nowhere, as it would a moment later, and is no error.
 */
export class PatientWebSocket extends WebSocket {
  override send(data: string | Buffer, ...rest: unknown[]): void {
    const { readyState, _receiver: receiver } = this as unknown as Inside;
    if (readyState !== WebSocket.CLOSING || !receiver || receiver.writableLength === 0)
      return super.send(data, ...(rest as [object, () => void]));
    const sent = rest.at(-1);
    if (typeof sent === 'function') process.nextTick(sent);
  }

  /** What Socket.IO was given in the last turn it tells in the next. */
  emitClose(): void {
    setImmediate(() => (WebSocket.prototype as unknown as Inside).emitClose.call(this));
  }
}
