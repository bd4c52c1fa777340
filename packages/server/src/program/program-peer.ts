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
 * One subscription of the program: a queue of events that the program takes. Messages that do not fit stay in the log
 * until the program has emptied the queue.
 */
export class ProgramPeer implements Peer {
  readonly id: string;
  readonly transport = 'program';
  readonly address = '';
  readonly connection: Connection;
  readonly #bytesMax: number;
  readonly #surroundings: ProgramSurroundings;
  #queue: PeerEvent[] = [];
  /** The next event. Those before it were taken. */
  #first = 0;
  #bytes = 0;
  /** Whether the connection waits until there is room. */
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
    if (!this.#hasRoom(bytes)) {
      this.#isBlocked = true;
      return false;
    }
    for (const event of events) this.#push(event);
    return true;
  }

  /** The next event, once there is one; undefined after the last one. */
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

  /** Ends the queue. Events in it can still be taken. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.connection.close();
    this.#surroundings.closed();
    this.#wake?.();
  }

  /** An empty queue has room for any message. */
  #hasRoom(bytes: number): boolean {
    return this.#first === this.#queue.length || this.#bytes + bytes <= this.#bytesMax;
  }

  #push(event: PeerEvent): void {
    if (this.#isEnded) return;
    this.#queue.push(event);
    this.#bytes += event.argumentJson.length;
    this.#wake?.();
  }
}
