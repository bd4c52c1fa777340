import type { Socket } from 'socket.io';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { TurnTaking } from '../limits/turn-taking.ts';

/** The parts of an Engine.IO connection that this file uses; its transport and buffer are no documented ones. */
interface EngineConnection {
  readonly readyState: string;
  /** What was not given to the transport yet. */
  readonly writeBuffer: readonly unknown[];
  readonly transport: { readonly name: string; readonly socket?: WebSocketReading };
  on(event: 'packet', listener: PacketListener): void;
  once(event: 'drain' | 'close', listener: () => void): void;
  off(event: 'packet', listener: PacketListener): void;
  off(event: 'drain' | 'close', listener: () => void): void;
  close(discard: boolean): void;
}

type PacketListener = (this: EngineConnection) => void;

/** The part of ws's WebSocket that has it read no further, and on again; its receiver is no documented one. */
interface WebSocketReading {
  pause(): void;
  resume(): void;
  readonly _receiver?: {
    /** What was read, and not told yet. */
    readonly writableLength: number;
    /** The option `allowSynchronousEvents`, which counts for each message anew. */
    _allowSynchronousEvents?: boolean;
  };
}

const { value: answersMax } = fixedLimits.answersWaitingMax;

const { value: packetsPerTurnMax } = fixedLimits.packetsPerTurnMax;

/** How many more may wait for a client that polls: its requests cannot be held up. */
const pollingFactor = 10;

/**
 * Has clients that do not read what they are sent send no more: nearly every packet has an answer, Socket.IO's own to a
 * namespace that there is not among them. And those that send without end take turns with others.
 */
export class AnswerLimit {
  /** Of those for whom something waits, how many packets have come since. */
  readonly #waiting = new Map<EngineConnection, number>();
  readonly #turns = new TurnTaking<EngineConnection>({
    perTurnMax: packetsPerTurnMax,
    totalPerTurnMax: 2 * packetsPerTurnMax,
    leastPerTurn: 4,
    pause: ({ transport: { socket } }) => {
      socket?.pause();
      setTakesAllAtOnce(socket, false);
    },
    resume: (connection) => {
      const { readyState, transport } = connection;
      const { socket } = transport;
      setTakesAllAtOnce(socket, true);
      // Else it would be told that the client has gone before it has told what came from it.
      if (readyState === 'open' && socket?._receiver && socket._receiver.writableLength > 0) return false;
      if ((this.#waiting.get(connection) ?? 0) < answersMax) socket?.resume();
      return true;
    },
  });
  /** One for all: one for each would cost every idle connection some hundred bytes. */
  readonly #onPacket: PacketListener;

  constructor() {
    const count = (connection: EngineConnection): void => this.#count(connection);
    const turns = this.#turns;
    this.#onPacket = function () {
      turns.count(this);
      // None of those that come in one turn is answered before the last has come.
      if (this.writeBuffer.length > 0 || this.transport.name === 'polling') count(this);
    };
  }

  /** Once a client was let in; before, it may not send as much. */
  begin(socket: Socket): void {
    connectionOf(socket).on('packet', this.#onPacket);
  }

  end(socket: Socket): void {
    connectionOf(socket).off('packet', this.#onPacket);
  }

  #count(connection: EngineConnection): void {
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
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      this.#waiting.delete(connection);
      connection.off('drain', end);
      connection.off('close', end);
      // Not the one of before: the connection may have become a websocket meanwhile, which was paused then.
      connection.transport.socket?.resume();
    };
    connection.once('drain', end);
    connection.once('close', end);
    if (connection.transport.name === 'polling')
      setImmediate(() => {
        if (connection.writeBuffer.length === 0) end();
      });
  }
}

/** @param takesAll - whether ws tells all messages that were read in one turn; else one in each */
function setTakesAllAtOnce(socket: WebSocketReading | undefined, takesAll: boolean): void {
  if (socket?._receiver) socket._receiver._allowSynchronousEvents = takesAll;
}

function connectionOf({ conn }: Socket): EngineConnection {
  return conn as unknown as EngineConnection;
}
