import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'socket.io';
import type { ControlledWebSocket, EngineInside, PollingTransport } from '../insides/engine-inside.ts';
import { setPace, type PacedReceivers } from '../insides/ws-inside.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { FairTurns } from '../limits/fair-turns.ts';
import { packetTurns } from './packet-turns.ts';
import { isDivisible, PollingTurns } from './polling-turns.ts';

/** The parts of an Engine.IO connection that this file uses. */
interface EngineConnection extends EventEmitter {
  readonly readyState: string;
  readonly protocol: number;
  readonly request: IncomingMessage;
  readonly transport: PollingTransport & { readonly name: string };
  close(discard: boolean): void;
}

type PacketListener = (this: EngineConnection) => void;

/** The private parts of engine.io and ws that are used. */
export interface SocketInsides {
  readonly engine: EngineInside;
  readonly paced: PacedReceivers;
}

const { value: answersMax } = fixedLimits.answersWaitingMax;

/**
 * The limit for a polling client. It is higher, because the client may leave after its last request and never
 * poll again.
 */
const pollingAnswersMax = 10 * answersMax;

/** The total of all clients above which polling clients have the same limit as others. */
const totalMax = 10 * pollingAnswersMax;

/**
 * Backpressure for clients that send but do not read. Nearly every packet has an answer. Socket.IO itself
 * answers packets to an unknown namespace. Clients that send without a pause take turns with others.
 */
export class UnreadAnswers {
  /** The number of packets that each client has sent while it has unread answers. */
  readonly #waiting = new Map<EngineConnection, number>();
  /** The total of these numbers. */
  #total = 0;
  readonly #engine: EngineInside;
  readonly #paced: PacedReceivers;
  readonly #turns = new FairTurns<EngineConnection>({
    ...packetTurns,
    pause: ({ transport }) => this.#pause(transport),
    resume: (connection) => this.#resume(connection),
  });
  readonly #polling = new PollingTurns();
  /** Shared by all connections: a listener of its own would cost every idle connection some hundred bytes. */
  readonly #onPacket: PacketListener;

  constructor({ engine, paced }: SocketInsides) {
    this.#engine = engine;
    this.#paced = paced;
    const count = (connection: EngineConnection): void => this.#count(connection);
    const turns = this.#turns;
    this.#onPacket = function () {
      if (this.transport.name === 'websocket') turns.count(this);
      // The packets of one polling request are all handled before the first answer is sent.
      if (this.transport.name === 'polling' || engine.packets.of(this) > 0) count(this);
    };
  }

  /** Begins after the login of a client; before it, other limits hold. */
  begin(socket: Socket): void {
    const connection = connectionOf(socket);
    // A client that logs in many times at once is accepted each time, until it is disconnected for that.
    if (connection.listeners('packet').includes(this.#onPacket)) return;
    const { packets, dividesRequests } = this.#engine;
    if (connection.transport.name === 'polling' && dividesRequests && isDivisible(connection))
      this.#polling.begin(connection.transport);
    packets.begin(connection);
    connection.on('packet', this.#onPacket);
  }

  end(socket: Socket): void {
    const connection = connectionOf(socket);
    connection.off('packet', this.#onPacket);
    this.#engine.packets.end(connection);
  }

  #webSocketOf(transport: object): ControlledWebSocket | undefined {
    return this.#engine.webSocketOf?.(transport);
  }

  #pause(transport: object): void {
    const webSocket = this.#webSocketOf(transport);
    if (!webSocket) return;
    webSocket.pause();
    const receiver = this.#paced.of(webSocket);
    if (receiver) setPace(receiver, true);
  }

  #resume(connection: EngineConnection): boolean {
    const webSocket = this.#webSocketOf(connection.transport);
    if (!webSocket) return true;
    const receiver = this.#paced.of(webSocket);
    if (receiver) setPace(receiver, false);
    // Otherwise the close would be reported before the packets that the client has sent.
    if (receiver && connection.readyState === 'open' && receiver.writableLength > 0) return false;
    if ((this.#waiting.get(connection) ?? 0) < answersMax) webSocket.resume();
    return true;
  }

  #count(connection: EngineConnection): void {
    const before = this.#waiting.get(connection);
    if (before === undefined) this.#watch(connection);
    const waiting = (before ?? 0) + 1;
    this.#waiting.set(connection, waiting);
    this.#total++;
    const { transport } = connection;
    if (transport.name === 'websocket') {
      if (waiting < answersMax) return;
      const webSocket = this.#webSocketOf(transport);
      // A websocket that cannot be paused is closed.
      if (webSocket) webSocket.pause();
      else connection.close(true);
    } else if (waiting >= (this.#total > totalMax ? answersMax : pollingAnswersMax)) {
      // A request that cannot be divided cannot be held back. Its client is disconnected.
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
      // A polling connection may have been upgraded meanwhile, and its websocket paused.
      this.#webSocketOf(connection.transport)?.resume();
    };
    const endIfFewer = (count: number): void => {
      if (this.#engine.packets.of(connection) < count) end();
    };
    const onDrain = (): void => {
      if (connection.transport.name === 'websocket') end();
      // A poll may take only a part of the packets; the others are put back in this turn.
      else setImmediate(endIfFewer, answersMax);
    };
    connection.on('drain', onDrain);
    connection.once('close', end);
    if (connection.transport.name === 'polling') setImmediate(endIfFewer, 1);
  }
}

function connectionOf({ conn }: Socket): EngineConnection {
  return conn;
}
