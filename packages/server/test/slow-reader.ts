import type { Socket as TcpSocket } from 'node:net';
import type { GapEvent } from '@fanfare/protocol';
import type { Socket } from 'socket.io-client';

/** The TCP connection of a client over websocket: pause it, and the client reads nothing. */
export function tcpOf(client: Socket): TcpSocket {
  const { transport } = client.io.engine as unknown as { transport: { ws: { _socket: TcpSocket } } };
  return transport.ws._socket;
}

/** What is published to a topic with a ledger. */
type Message = readonly [number: number, padding: string];

/**
 * What a client was delivered of a topic in one form. Every message has its number, and a gap has to stand where
 * messages are missing, and for as many as are.
 */
export class Ledger {
  #next = 0;
  dropped = 0;
  readonly faults: string[] = [];

  constructor(client: Socket, topic: string, form: 'plain' | 'envelope') {
    if (form === 'plain') client.on(topic, ({ message }: { message: Message }) => this.#deliver(message));
    else {
      client.on('message', (envelope: { topic: string; message: Message }) => {
        if (envelope.topic === topic) this.#deliver(envelope.message);
      });
    }
    client.on('gap', (gap: Required<GapEvent>) => {
      if (gap.topic !== topic || gap.envelope !== (form === 'envelope')) return;
      if (!(gap.dropped > 0)) this.faults.push(`a gap of ${gap.dropped}`);
      this.dropped += gap.dropped;
      this.#next += gap.dropped;
    });
  }

  /** How many messages were delivered or told to be missing. */
  get count(): number {
    return this.#next;
  }

  #deliver([number]: Message): void {
    if (number !== this.#next) this.faults.push(`${number} instead of ${this.#next}`);
    this.#next = number + 1;
  }
}
