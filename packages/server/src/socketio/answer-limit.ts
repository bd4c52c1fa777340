import type { IncomingMessage } from 'node:http';
import type { Socket } from 'socket.io';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { TurnTaking } from '../limits/turn-taking.ts';
import { packetTurns } from './packet-turns.ts';
import { isDivisible, PollingTurns, type PollingTransport } from './polling-turns.ts';

/** The parts of an Engine.IO connection that this file uses; its transport and buffer are no documented ones. */
interface EngineConnection {
  readonly readyState: string;
  readonly protocol: number;
  readonly request: IncomingMessage;
  /** What was not given to the transport yet. */
  readonly writeBuffer: readonly unknown[];
  readonly transport: Transport;
  on(event: 'packet', listener: PacketListener): void;
  on(event: 'drain', listener: () => void): void;
  once(event: 'close', listener: () => void): void;
  off(event: 'packet', listener: PacketListener): void;
  listeners(event: 'packet'): readonly unknown[];
  off(event: 'drain' | 'close', listener: () => void): void;
  close(discard: boolean): void;
}

type Transport =
  | { readonly name: 'websocket'; readonly socket: WebSocketReading }
  | (PollingTransport & { readonly name: 'polling'; readonly socket?: undefined });

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

/** One that polls may leave with its last request, and poll no more. */
const pollingAnswersMax = 10 * answersMax;

/** So many of all together before one that polls may have no more than others. */
const totalMax = 10 * pollingAnswersMax;

/**
 * Has clients that do not read what they are sent send no more: nearly every packet has an answer, Socket.IO's own to a
 * namespace that there is not among them. And those that send without end take turns with others.
 */
export class AnswerLimit {
  /** Of those for whom something waits, how many packets have come since. */
  readonly #waiting = new Map<EngineConnection, number>();
  /** Of all of them. */
  #total = 0;
  readonly #turns = new TurnTaking<EngineConnection>({
    ...packetTurns,
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
  readonly #polling = new PollingTurns();
  /** One for all: one for each would cost every idle connection some hundred bytes. */
  readonly #onPacket: PacketListener;

  constructor() {
    const count = (connection: EngineConnection): void => this.#count(connection);
    const turns = this.#turns;
    this.#onPacket = function () {
      if (this.transport.name === 'websocket') turns.count(this);
      // None of those that come in one turn is answered before the last has come.
      if (this.writeBuffer.length > 0 || this.transport.name === 'polling') count(this);
    };
  }

  /** Once a client was let in; before, it may not send as much. */
  begin(socket: Socket): void {
    const connection = connectionOf(socket);
    // One that asks to be let in many times at once is let in as often, until it is cut off for that.
    if (connection.listeners('packet').includes(this.#onPacket)) return;
    if (connection.transport.name === 'polling' && isDivisible(connection))
      this.#polling.begin(connection.transport);
    connection.on('packet', this.#onPacket);
  }

  end(socket: Socket): void {
    connectionOf(socket).off('packet', this.#onPacket);
  }

  #count(connection: EngineConnection): void {
    const before = this.#waiting.get(connection);
    if (before === undefined) this.#watch(connection);
    const waiting = (before ?? 0) + 1;
    this.#waiting.set(connection, waiting);
    this.#total++;
    const { transport } = connection;
    if (transport.name === 'websocket') {
      if (waiting >= answersMax) transport.socket.pause();
    } else if (waiting >= (this.#total > totalMax ? answersMax : pollingAnswersMax)) {
      // What cannot be divided cannot be held up.
      if (!this.#polling.hold(transport)) connection.close(true);
    }
  }

  #watch(connection: EngineConnection): void {
    let isOver = false;
    const { transport: first } = connection;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      this.#total -= this.#waiting.get(connection) ?? 0;
      this.#waiting.delete(connection);
      connection.off('drain', onDrain);
      connection.off('close', end);
      if (first.name === 'polling') this.#polling.release(first);
      // It may have become one meanwhile, which was paused then.
      connection.transport.socket?.resume();
    };
    const endIfFewer = (count: number): void => {
      if (connection.writeBuffer.length < count) end();
    };
    const onDrain = (): void => {
      if (connection.transport.name === 'websocket') end();
      // A poll may take a part of them only, and the others are put back in this turn.
      else setImmediate(endIfFewer, answersMax);
    };
    connection.on('drain', onDrain);
    connection.once('close', end);
    if (connection.transport.name === 'polling') setImmediate(endIfFewer, 1);
  }
}

/** @param takesAll - whether ws tells all messages that were read in one turn; else one in each */
function setTakesAllAtOnce(socket: WebSocketReading | undefined, takesAll: boolean): void {
  if (socket?._receiver) socket._receiver._allowSynchronousEvents = takesAll;
}

function connectionOf({ conn }: Socket): EngineConnection {
  return conn as unknown as EngineConnection;
}
