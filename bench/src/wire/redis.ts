import { Answers } from './answers.ts';
import { decimalBefore, isAt, lineEnd } from './bytes.ts';
import type { Client, ClientEvents, Wire } from './client.ts';
import { Connection } from './connection.ts';

/** RESP 2, the protocol of Redis. The number of receivers that answers a PUBLISH is its acknowledgement. */
export const redisWire: Wire = {
  open: (port, events) => RedisClient.open(port, events),
  delivery: (topic, message) => command('message', topic, message),
  bytesAfterMessage: '\r\n'.length,
};

const delivered = Buffer.from('*3\r\n$7\r\nmessage\r\n');
const array = 0x2a;
const bulkString = 0x24;
const integer = 0x3a;
const simpleString = 0x2b;

class RedisClient implements Client {
  readonly #connection: Connection;
  readonly #events: ClientEvents;
  readonly #answers: Answers;

  static async open(port: number, events: ClientEvents): Promise<Client> {
    const client = new RedisClient(port, events);
    client.#connection.write(command('PING'));
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
    this.#connection.write(command('SUBSCRIBE', ...topics));
    await this.#answers.next(topics.length);
  }

  publish(topic: string, message: string): void {
    this.#connection.write(command('PUBLISH', topic, message));
  }

  close(): void {
    this.#connection.close();
  }

  #take(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length) {
      const end = elementEnd(bytes, at);
      if (end === -1) break;
      this.#takeElement(bytes, at, end);
      at = end;
    }
    return at;
  }

  #takeElement(bytes: Buffer, start: number, end: number): void {
    if (bytes[start] === array && isAt(bytes, start, delivered)) this.#events.onDelivery(bytes, start, end);
    else if (bytes[start] === integer) this.#events.onAck();
    else if (bytes[start] === array || bytes[start] === simpleString) this.#answers.take();
    else this.#answers.fail(`the server answered ${bytes.toString('latin1', start, end).trim()}`);
  }
}

/** @param words - ASCII */
export function command(...words: readonly string[]): Buffer {
  return Buffer.from(
    `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`,
    'latin1',
  );
}

/** Where an element that begins at `start` ends; -1 when it is not all there. */
export function elementEnd(bytes: Buffer, start: number): number {
  let at = lineEnd(bytes, start);
  if (at === -1 || (bytes[start] !== array && bytes[start] !== bulkString)) return at;
  const size = decimalBefore(bytes, start + 1, at - 2);
  if (bytes[start] === bulkString) return at + size + 2 <= bytes.length ? at + size + 2 : -1;
  for (let index = 0; index < size; index++) {
    at = elementEnd(bytes, at);
    if (at === -1) return -1;
  }
  return at;
}
