import { decimalBefore, lineEnd } from './bytes.ts';
import type { Wire } from './client.ts';
import { TcpClient } from './tcp-client.ts';

/**
 * The protocol of NATS. A PING follows each publish, and its PONG is the acknowledgement, because the server
 * handles the commands of one connection in order. The id of a subscription is its topic, so all subscribers
 * get the same bytes.
 */
export const natsWire: Wire = {
  open: (port, events) => new NatsClient(port, events).open(),
  delivery: (topic, message) => Buffer.from(`MSG ${topic} ${topic} ${message.length}\r\n${message}\r\n`),
  bytesAfterMessage: '\r\n'.length,
};

/** The first letters of what the server sends. */
const letterM = 0x4d;
const letterP = 0x50;
const letterI = 0x49;

class NatsClient extends TcpClient {
  protected greet(): Promise<void> {
    return this.ask('CONNECT {"verbose":false,"pedantic":false,"tls_required":false}\r\nPING\r\n', 1);
  }

  subscribe(topics: readonly string[]): Promise<void> {
    return this.ask(`${topics.map((topic) => `SUB ${topic} ${topic}\r\n`).join('')}PING\r\n`, 1);
  }

  publish(topic: string, message: string): void {
    this.connection.write(`PUB ${topic} ${message.length}\r\n${message}\r\nPING\r\n`);
  }

  protected frameEnd(bytes: Buffer, start: number): number {
    const end = lineEnd(bytes, start);
    if (end === -1 || bytes[start] !== letterM) return end;
    const messageEnd = end + decimalBefore(bytes, start, end - 2) + 2;
    return messageEnd > bytes.length ? -1 : messageEnd;
  }

  protected takeFrame(bytes: Buffer, start: number, end: number): void {
    if (bytes[start] === letterM) return this.events.onDelivery(bytes, start, end);
    if (bytes[start] === letterI) return;
    if (bytes[start] !== letterP) {
      this.answers.fail(`the server said ${bytes.toString('latin1', start, end).trim()}`);
    } else if (bytes[start + 1] === letterI) {
      this.connection.write('PONG\r\n');
    } else if (!this.answers.take()) {
      this.events.onAck();
    }
  }
}
