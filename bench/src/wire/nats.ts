import { Answers } from './answers.ts';
import { decimalBefore, lineEnd } from './bytes.ts';
import type { Client, ClientEvents, Wire } from './client.ts';
import { Connection } from './connection.ts';

/**
 * The protocol of NATS. A PING follows each publish, and its PONG is the acknowledgement: the server takes what comes
 * over one connection in order. A subscription's id is its topic, so that a delivery is the same for all subscribers.
 */
export const natsWire: Wire = {
  open: (port, events) => NatsClient.open(port, events),
  delivery: (topic, message) => Buffer.from(`MSG ${topic} ${topic} ${message.length}\r\n${message}\r\n`),
  bytesAfterMessage: '\r\n'.length,
};

/** The first letters of what the server says. */
const letterM = 0x4d;
const letterP = 0x50;
const letterI = 0x49;

class NatsClient implements Client {
  readonly #connection: Connection;
  readonly #events: ClientEvents;
  readonly #answers: Answers;

  static async open(port: number, events: ClientEvents): Promise<Client> {
    const client = new NatsClient(port, events);
    client.#connection.write('CONNECT {"verbose":false,"pedantic":false,"tls_required":false}\r\nPING\r\n');
    await client.#answers.next(1);
    return client;
  }

  private constructor(port: number, events: ClientEvents) {
    this.#events = events;
    this.#answers = new Answers(events.onFailure);
    this.#connection = new Connection(
      port,
      (bytes) => this.#take(bytes),
      (reason) => this.#answers.fail(reason),
    );
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    this.#connection.write(`${topics.map((topic) => `SUB ${topic} ${topic}\r\n`).join('')}PING\r\n`);
    await this.#answers.next(1);
  }

  publish(topic: string, message: string): void {
    this.#connection.write(`PUB ${topic} ${message.length}\r\n${message}\r\nPING\r\n`);
  }

  close(): void {
    this.#connection.close();
  }

  #take(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length) {
      let end = lineEnd(bytes, at);
      if (end === -1) break;
      if (bytes[at] === letterM) {
        end += decimalBefore(bytes, at, end - 2) + 2;
        if (end > bytes.length) break;
        this.#events.onDelivery(bytes, at, end);
      } else {
        this.#takeLine(bytes, at, end);
      }
      at = end;
    }
    return at;
  }

  #takeLine(bytes: Buffer, start: number, end: number): void {
    if (bytes[start] === letterI) return;
    if (bytes[start] !== letterP) {
      this.#answers.fail(`the server said ${bytes.toString('latin1', start, end).trim()}`);
    } else if (bytes[start + 1] === letterI) {
      this.#connection.write('PONG\r\n');
    } else if (!this.#answers.take()) {
      this.#events.onAck();
    }
  }
}
