import type { Socket } from 'socket.io';
import { fixedLimits } from '../limits/fixed-limits.ts';

/** The parts of an Engine.IO connection that this file uses; its transport and buffer are no documented ones. */
interface EngineConnection {
  /** What was not given to the transport yet. */
  readonly writeBuffer: readonly unknown[];
  readonly transport: { readonly name: string; readonly socket?: WebSocketReading };
  once(event: 'drain' | 'close', listener: () => void): void;
  off(event: 'drain' | 'close', listener: () => void): void;
  close(discard: boolean): void;
}

/** The part of ws's WebSocket that has it read no further, and on again. */
interface WebSocketReading {
  pause(): void;
  resume(): void;
}

const { value: answersMax } = fixedLimits.answersWaitingMax;

/** How many more may wait for a client that polls: its requests cannot be held up. */
const pollingFactor = 10;

/** Has clients that do not read their answers send no more commands. */
export class AnswerLimit {
  /** Of those for whom something waits, how many answers. */
  readonly #waiting = new Map<EngineConnection, number>();

  /** An answer was sent. */
  answered(socket: Socket): void {
    const connection = socket.conn as unknown as EngineConnection;
    if (connection.writeBuffer.length === 0) return;
    const before = this.#waiting.get(connection);
    if (before === undefined) this.#watch(connection);
    const waiting = (before ?? 0) + 1;
    this.#waiting.set(connection, waiting);
    const { name, socket: webSocket } = connection.transport;
    if (name === 'websocket') {
      if (waiting === answersMax) webSocket?.pause();
    } else if (waiting >= answersMax * pollingFactor) connection.close(true);
  }

  #watch(connection: EngineConnection): void {
    const { transport } = connection;
    const end = (): void => {
      this.#waiting.delete(connection);
      connection.off('drain', end);
      connection.off('close', end);
      transport.socket?.resume();
    };
    connection.once('drain', end);
    connection.once('close', end);
  }
}
