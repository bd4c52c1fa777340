import type { EngineOptions } from './options.ts';
import type { PayloadReader } from './packet.ts';

type InboxLimits = Pick<EngineOptions, 'packetsPerTurnMax' | 'unreadPacketsMax'>;

/** A packet that has arrived: its text, or undefined for a binary frame, whose bytes nobody needs. */
export type Arrived = string | undefined;

/** The session that an inbox belongs to. */
export interface InboxOwner {
  /** Whether the client has not read everything that was sent to it. */
  readonly isUnread: boolean;
  readonly isPolling: boolean;
  take(packet: Arrived): void;
  /** Stops reading from the client, until `resume`. */
  pause(): void;
  resume(): void;
}

/** The body of a polling request. */
interface Payload {
  readonly reader: PayloadReader;
  /** Called when all its packets are taken. */
  readonly onTaken: () => void;
}

/** Once all clients together have sent so many times the packets of one, each has only a few in a turn. */
const sharedTurns = 2;
const leastPerTurn = 4;

/**
 * A polling client can send more, because it may leave after its last request and never poll again. This
 * holds until all clients together have sent so many times that number.
 */
const pollingFactor = 10;

/** What all inboxes share: the turn of the event loop, and the number of unread packets. */
export class InboxTurns {
  readonly limits: InboxLimits;
  turn = 0;
  unread = 0;
  #taken = 0;
  #waiting = new Set<Inbox>();
  #isScheduled = false;

  constructor(limits: InboxLimits) {
    this.limits = limits;
  }

  /** Counts a packet. @returns the number of packets that its client can send in this turn */
  count(): number {
    this.#schedule();
    const { packetsPerTurnMax } = this.limits;
    return this.#taken++ < sharedTurns * packetsPerTurnMax ? packetsPerTurnMax : leastPerTurn;
  }

  /** The inbox continues in a later turn. */
  wait(inbox: Inbox): void {
    this.#waiting.add(inbox);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    this.#isScheduled = false;
    this.turn++;
    this.#taken = 0;
    const waiting = this.#waiting;
    this.#waiting = new Set();
    try {
      for (const inbox of waiting) {
        waiting.delete(inbox);
        inbox.run();
      }
    } finally {
      // If an app throws, the other clients still have their turn.
      for (const inbox of waiting) this.wait(inbox);
    }
  }
}

/**
 * The packets of one client that are not taken yet. One read of 64 KiB can bring thousands of packets, and
 * other clients must not wait for all of them. A client that sends but does not read is not read from either.
 */
export class Inbox {
  readonly #turns: InboxTurns;
  readonly #owner: InboxOwner;
  #queue: (Arrived | Payload)[] = [];
  #turn = 0;
  /** The number of packets that were taken in this turn. */
  #taken = 0;
  /** The number of packets that were taken while the client did not read. */
  #unread = 0;
  #isPaused = false;
  #onEmpty: (() => void) | undefined;

  constructor(turns: InboxTurns, owner: InboxOwner) {
    this.#turns = turns;
    this.#owner = owner;
  }

  add(packet: Arrived): void {
    if (this.#queue.length === 0 && this.#mayTake()) return this.#take(packet);
    this.#queue.push(packet);
    this.#hold();
  }

  addPayload(payload: Payload): void {
    this.#queue.push(payload);
    if (this.#queue.length === 1) this.run();
  }

  /** Calls back once everything that has come is taken, at once if nothing waits. */
  whenEmpty(callback: () => void): void {
    if (this.#queue.length === 0) callback();
    else this.#onEmpty = callback;
  }

  /** The client has read what was sent to it. */
  read(): void {
    if (this.#unread === 0) return;
    this.#forgetUnread();
    if (this.#queue.length > 0) this.#turns.wait(this);
  }

  /** Drops everything, because the session has ended. Requests get their response. */
  close(): void {
    const queue = this.#queue;
    this.#queue = [];
    this.#onEmpty = undefined;
    for (const item of queue) if (typeof item === 'object') item.onTaken();
    this.#resume();
    this.#forgetUnread();
  }

  run(): void {
    while (this.#queue.length > 0) {
      if (!this.#mayTake()) return this.#hold();
      const first = this.#queue[0];
      if (typeof first !== 'object') {
        this.#queue.shift();
        this.#take(first);
        continue;
      }
      const packet = first.reader.next();
      if (packet !== undefined) {
        this.#take(packet);
        continue;
      }
      this.#queue.shift();
      first.onTaken();
    }
    this.#resume();
    this.#onEmpty?.();
    this.#onEmpty = undefined;
  }

  #resume(): void {
    if (this.#isPaused) this.#owner.resume();
    this.#isPaused = false;
  }

  #hold(): void {
    if (!this.#isPaused) this.#owner.pause();
    this.#isPaused = true;
    if (this.#unread < this.#unreadMax) this.#turns.wait(this);
  }

  #mayTake(): boolean {
    if (this.#unread >= this.#unreadMax) return false;
    if (this.#turn !== this.#turns.turn) {
      this.#turn = this.#turns.turn;
      this.#taken = 0;
    }
    return this.#taken < this.#turns.count();
  }

  #take(packet: Arrived): void {
    this.#taken++;
    this.#owner.take(packet);
    if (!this.#owner.isUnread) return;
    this.#unread++;
    this.#turns.unread++;
  }

  get #unreadMax(): number {
    const { unreadPacketsMax } = this.#turns.limits;
    const isCrowded = this.#turns.unread > pollingFactor * pollingFactor * unreadPacketsMax;
    return this.#owner.isPolling && !isCrowded ? pollingFactor * unreadPacketsMax : unreadPacketsMax;
  }

  #forgetUnread(): void {
    this.#turns.unread -= this.#unread;
    this.#unread = 0;
  }
}
