import type { Form } from '@fanfare/protocol';
import type { Connection } from '../message-path/connection.ts';
import type { Audience, PeerEvent } from '../message-path/peer-events.ts';
import type { Peer } from '../message-path/peer.ts';

export interface ProgramSurroundings {
  readonly join: (audience: Audience) => void;
  readonly leave: (audience: Audience) => void;
  readonly closed: () => void;
}

/**
 * A subscription of the app: a queue of events, from which the app takes. If a message does not fit, the
 * subscription catches up from the log after the app has emptied the queue.
 */
export class ProgramPeer implements Peer {
  readonly id: string;
  readonly transport = 'program';
  readonly address = '';
  readonly connection: Connection;
  readonly #bytesMax: number;
  readonly #surroundings: ProgramSurroundings;
  #queue: PeerEvent[] = [];
  /** The index of the next event in the queue. The events before it were taken. */
  #first = 0;
  #bytes = 0;
  /** Whether the connection waits for space in the queue. */
  #isBlocked = false;
  #isEnded = false;
  #wake: (() => void) | undefined;

  constructor(
    id: string,
    bytesMax: number,
    accept: (peer: Peer) => Connection,
    surroundings: ProgramSurroundings,
  ) {
    this.id = id;
    this.#bytesMax = bytesMax;
    this.#surroundings = surroundings;
    this.connection = accept(this);
  }

  get waitingBytes(): number {
    return this.#bytes;
  }

  join(audience: Audience, _form: Form): void {
    this.#surroundings.join(audience);
  }

  leave(audience: Audience, _form: Form): void {
    this.#surroundings.leave(audience);
  }

  notify(event: PeerEvent): void {
    this.#push(event);
    if (event.name === 'error') this.end();
  }

  offer(events: readonly PeerEvent[]): boolean {
    const bytes = events.reduce((sum, { argumentJson }) => sum + argumentJson.length, 0);
    if (!this.#fits(bytes)) {
      this.#isBlocked = true;
      return false;
    }
    for (const event of events) this.#push(event);
    return true;
  }

  /** Waits for the next event. @returns undefined after the end of the queue */
  async take(): Promise<PeerEvent | undefined> {
    while (this.#first === this.#queue.length && !this.#isEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const event = this.#queue[this.#first];
    if (!event) return undefined;
    this.#bytes -= event.argumentJson.length;
    if (++this.#first < this.#queue.length) return event;
    this.#queue = [];
    this.#first = 0;
    if (this.#isBlocked) {
      this.#isBlocked = false;
      this.connection.drained();
    }
    return event;
  }

  /** Ends the queue. The app can still take the events in it. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.connection.close();
    this.#surroundings.closed();
    this.#wake?.();
  }

  /** Whether the queue has space for more bytes. An empty queue has space for any message. */
  #fits(bytes: number): boolean {
    return this.#first === this.#queue.length || this.#bytes + bytes <= this.#bytesMax;
  }

  #push(event: PeerEvent): void {
    if (this.#isEnded) return;
    this.#queue.push(event);
    this.#bytes += event.argumentJson.length;
    this.#wake?.();
  }
}
