import { Answers } from './answers.ts';
import { isAt } from './bytes.ts';
import type { Client, ClientEvents, Wire } from './client.ts';
import { benchToken } from './token.ts';
import { WebSocketConnection } from './websocket.ts';

/** Socket.IO 5 in Engine.IO 4 over a WebSocket, without polling first. */
export const socketIoWire: Wire = {
  open: (port, events) => SocketIoClient.open(port, events),
  delivery: (topic, message) => Buffer.from(`42["${topic}",{"message":"${message}"}]`),
  bytesAfterMessage: '"}]'.length,
};

/** The same, for a server that requires tokens. */
export const guardedSocketIoWire: Wire = {
  ...socketIoWire,
  open: (port, events) => SocketIoClient.open(port, events, benchToken),
  token: benchToken,
};

const path = '/socket.io/?EIO=4&transport=websocket';
/**
 * Packet types, as digits in ASCII. The first three are Engine.IO's, the others Socket.IO's inside a message.
 */
const openPacket = 0x30;
const pingPacket = 0x32;
const messagePacket = 0x34;
const connectPacket = 0x30;
const eventPacket = 0x32;
const ackPacket = 0x33;
const accepted = Buffer.from('[{"ok":true');

/** A client of Socket.IO. With Fanfare it can also subscribe to stored messages. */
export class SocketIoClient implements Client {
  readonly #socket: WebSocketConnection;
  readonly #events: ClientEvents;
  readonly #answers: Answers;
  readonly #connectPacket: string;
  #nextId = 0;

  static async open(port: number, events: ClientEvents, token?: string): Promise<SocketIoClient> {
    const client = new SocketIoClient(port, events, token);
    await client.#answers.next(1);
    return client;
  }

  private constructor(port: number, events: ClientEvents, token: string | undefined) {
    this.#events = events;
    this.#connectPacket = token === undefined ? '40' : `40${JSON.stringify({ token })}`;
    this.#answers = new Answers(events.onFailure);
    this.#socket = new WebSocketConnection(port, path, {
      onOpen: () => undefined,
      onText: (bytes, start, end) => this.#take(bytes, start, end),
      onFailure: (reason) => this.#answers.fail(reason),
    });
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    for (const topic of topics)
      this.#socket.sendText(`42${this.#nextId++}["subscribe",{"topic":"${topic}"}]`);
    await this.#answers.next(topics.length);
  }

  /**
   * Subscribes in envelope form. All events of the subscription count as deliveries, `state` too.
   *
   * @param from - where to start, as JSON
   */
  async subscribeFrom(topic: string, from: string): Promise<void> {
    const argument = `{"topic":"${topic}","envelope":true,"from":${from}}`;
    this.#socket.sendText(`42${this.#nextId++}["subscribe",${argument}]`);
    await this.#answers.next(1);
  }

  publish(topic: string, message: string): void {
    this.#socket.sendText(`42${this.#nextId++}["publish",{"topic":"${topic}","message":"${message}"}]`);
  }

  close(): void {
    this.#socket.close();
  }

  #take(bytes: Buffer, start: number, end: number): void {
    const engineType = bytes[start];
    const socketType = end > start + 1 ? bytes[start + 1] : undefined;
    if (engineType === messagePacket && socketType === eventPacket) {
      this.#events.onDelivery(bytes, start, end);
    } else if (engineType === messagePacket && socketType === ackPacket) {
      this.#takeAnswer(bytes, start, end);
    } else if (engineType === messagePacket && socketType === connectPacket) {
      this.#answers.take();
    } else if (engineType === openPacket) {
      this.#socket.sendText(this.#connectPacket);
    } else if (engineType === pingPacket) {
      this.#socket.sendText('3');
    } else {
      this.#answers.fail(`the server sent ${bytes.toString('utf8', start, Math.min(end, start + 200))}`);
    }
  }

  #takeAnswer(bytes: Buffer, start: number, end: number): void {
    if (!isAt(bytes, bytes.indexOf(0x5b, start), accepted))
      return this.#answers.fail(
        `the server refused: ${bytes.toString('utf8', start, Math.min(end, start + 500))}`,
      );
    if (!this.#answers.take()) this.#events.onAck();
  }
}
