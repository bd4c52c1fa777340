import { decimalBefore, isAt, lineEnd } from './bytes.ts';
import type { Wire } from './client.ts';
import { Connection, cutFrames } from './connection.ts';
import { TcpClient } from './tcp-client.ts';

/**
 * RESP 2, the protocol of Redis. The answer to a PUBLISH, the number of receivers, is its acknowledgement.
 */
export const redisWire: Wire = {
  open: (port, events) => new RedisClient(port, events).open(),
  delivery: (topic, message) => command('message', topic, message),
  bytesAfterMessage: '\r\n'.length,
};

const delivered = Buffer.from('*3\r\n$7\r\nmessage\r\n');
const array = 0x2a;
const bulkString = 0x24;
const integer = 0x3a;
const simpleString = 0x2b;
const failure = 0x2d;

class RedisClient extends TcpClient {
  protected greet(): Promise<void> {
    return this.ask(command('PING'), 1);
  }

  subscribe(topics: readonly string[]): Promise<void> {
    return this.ask(command('SUBSCRIBE', ...topics), topics.length);
  }

  publish(topic: string, message: string): void {
    this.connection.write(command('PUBLISH', topic, message));
  }

  protected frameEnd(bytes: Buffer, start: number): number {
    return elementEnd(bytes, start);
  }

  protected takeFrame(bytes: Buffer, start: number, end: number): void {
    if (bytes[start] === array && isAt(bytes, start, delivered)) this.events.onDelivery(bytes, start, end);
    else if (bytes[start] === integer) this.events.onAck();
    else if (bytes[start] === array || bytes[start] === simpleString) this.answers.take();
    else this.answers.fail(`the server answered ${bytes.toString('latin1', start, end).trim()}`);
  }
}

/** @param words - ASCII */
export function command(...words: readonly string[]): Buffer {
  return Buffer.from(
    `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`,
    'latin1',
  );
}

/** The end of the element that begins at `start`; -1 if it is not complete. */
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

/** Sends one command over a connection of its own. Resolves to the reply as its bytes are, in RESP 2. */
export function askRedis(port: number, ...words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const connection = new Connection(
      port,
      cutFrames(elementEnd, (bytes, start, end) => {
        const reply = bytes.toString('latin1', start, end);
        if (bytes[start] === failure) reject(new Error(`Redis answered ${reply.trim()}`));
        else resolve(reply);
        connection.close();
      }),
      (reason) => reject(new Error(`Redis: ${reason}`)),
    );
    connection.write(command(...words));
  });
}
