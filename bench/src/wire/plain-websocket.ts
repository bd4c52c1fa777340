import { Answers } from './answers.ts';
import { isAt } from './bytes.ts';
import type { Client, ClientEvents, Wire } from './client.ts';
import { WebSocketConnection } from './websocket.ts';

/** JSON texts over a WebSocket: the protocol of `servers/ws.ts`. */
export const plainWebSocketWire: Wire = {
  open: (port, events) => PlainWebSocketClient.open(port, events),
  delivery: (topic, message) => Buffer.from(`{"topic":"${topic}","message":"${message}"}`),
  bytesAfterMessage: '"}'.length,
};

const acknowledgement = Buffer.from('{"ok":true}');
const delivered = Buffer.from('{"topic":');

class PlainWebSocketClient implements Client {
  readonly #socket: WebSocketConnection;
  readonly #events: ClientEvents;
  readonly #answers: Answers;

  static async open(port: number, events: ClientEvents): Promise<Client> {
    const client = new PlainWebSocketClient(port, events);
    await client.#answers.next(1);
    return client;
  }

  private constructor(port: number, events: ClientEvents) {
    this.#events = events;
    this.#answers = new Answers(events.onFailure);
    this.#socket = new WebSocketConnection(port, '/', {
      onOpen: () => void this.#answers.take(),
      onText: (bytes, start, end) => this.#take(bytes, start, end),
      onFailure: (reason) => this.#answers.fail(reason),
    });
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    for (const topic of topics) this.#socket.sendText(`{"subscribe":"${topic}"}`);
    await this.#answers.next(topics.length);
  }

  publish(topic: string, message: string): void {
    this.#socket.sendText(`{"publish":"${topic}","message":"${message}"}`);
  }

  close(): void {
    this.#socket.close();
  }

  #take(bytes: Buffer, start: number, end: number): void {
    if (isAt(bytes, start, delivered)) this.#events.onDelivery(bytes, start, end);
    else if (!isAt(bytes, start, acknowledgement))
      this.#answers.fail(`the server sent ${bytes.toString('utf8', start, end)}`);
    else if (!this.#answers.take()) this.#events.onAck();
  }
}
