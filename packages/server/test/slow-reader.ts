import type { Socket as TcpSocket } from 'node:net';
import type { GapEvent } from '@fanfare/protocol';
import type { Socket } from 'socket.io-client';

/** The TCP connection of a client's websocket: while it is paused, the client reads nothing. */
export function tcpOf(client: Socket): TcpSocket {
  const { transport } = client.io.engine as unknown as { transport: { ws: { _socket: TcpSocket } } };
  return transport.ws._socket;
}

/** A message of a topic with a ledger. */
type Message = readonly [number: number, padding: string];

/**
 * The deliveries of a topic to a client in one form. Messages are numbered. Where messages are missing, a gap
 * with their exact number must come.
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

  /** The number of messages that were delivered or reported as missing. */
  get count(): number {
    return this.#next;
  }

  #deliver([number]: Message): void {
    if (number !== this.#next) this.faults.push(`${number} instead of ${this.#next}`);
    this.#next = number + 1;
  }
}
