import type { BatchEvents, BatchPublisher, BatchWire } from './batches.ts';
import { decimalBefore } from './bytes.ts';
import { Connection, cutFrames } from './connection.ts';
import { command, elementEnd } from './redis.ts';

/** Streams of Redis. The `XADD`s of a batch are sent together, and each has its answer. */
export const redisBatchWire: BatchWire = {
  isStored: true,
  open: (port, events) => new RedisBatchPublisher(port, events),
  // XADD creates the topic.
  createTopic: async () => {},
  count: (port, topic) =>
    new Promise((resolve, reject) => {
      const connection = new Connection(
        port,
        cutFrames(elementEnd, (bytes, start, end) => {
          resolve(decimalBefore(bytes, start + 1, end - 2));
          connection.close();
        }),
        (reason) => reject(new Error(reason)),
      );
      connection.write(command('XLEN', topic));
    }),
};

const bulkString = 0x24;

class RedisBatchPublisher implements BatchPublisher {
  readonly #connection: Connection;
  readonly #events: BatchEvents;
  #missing = 0;

  constructor(port: number, events: BatchEvents) {
    this.#events = events;
    this.#connection = new Connection(
      port,
      cutFrames(elementEnd, (bytes, start, end) => this.#takeElement(bytes, start, end)),
      events.onFailure,
    );
  }

  publish(topic: string, messages: readonly string[]): void {
    this.#missing = messages.length;
    this.#connection.write(
      Buffer.concat(messages.map((message) => command('XADD', topic, '*', 'm', message))),
    );
  }

  close(): void {
    this.#connection.close();
  }

  #takeElement(bytes: Buffer, start: number, end: number): void {
    if (bytes[start] !== bulkString) {
      this.#events.onFailure(`the server answered ${bytes.toString('latin1', start, end).trim()}`);
    } else if (--this.#missing === 0) {
      this.#events.onAnswer({ sequences: undefined });
    }
  }
}
