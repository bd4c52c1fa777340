import type { GapEvent, Problem, Refused, StateEvent, Subscribed } from '@fanfare/protocol';
import type { Socket as TcpSocket } from 'node:net';
import { io, type Socket } from 'socket.io-client';
import { until } from '../../../../test/waits.ts';
import type { ClientEvent } from './attribution.ts';
import type { State } from './history.ts';
import { keptOf, type StoredEnvelope } from './http.ts';
import { isOf } from './place.ts';
import type { World } from './world.ts';

export interface Wanted {
  readonly interest: string;
  readonly form?: 'plain' | 'envelope';
  /** The first start; later starts resume from the offset of the last message. */
  readonly from?: 'new' | 'earliest';
}

interface Held {
  readonly interest: string;
  readonly form: 'plain' | 'envelope';
  from: string;
  state: State;
  isSubscribed: boolean;
  lastContent: string | undefined;
  /** All its positions so far. */
  readonly past: string[];
  /** The number of subscribes without an answer. */
  unanswered: number;
}

/**
 * The stock client retries only after this time if the server dies between accepting a websocket and its
 * first packet.
 */
export const connectTimeoutMs = 2_000;

/** A server that was killed takes a while until it serves again, and a backlog a while until it is read. */
const patienceMs = 90_000;

/** A client by PROTOCOL §3.10: it resumes each subscription from its last offset, and notes all events. */
export class Subscriber {
  readonly events: ClientEvent[] = [];
  readonly name: string;
  readonly client: Socket;
  /** The refusals that it got: none is expected. */
  readonly refusals: string[] = [];
  readonly #held: readonly Held[];
  #waiting: (() => void)[] = [];
  #delivered = 0;

  constructor(
    world: World,
    name: string,
    url: string,
    wanted: readonly Wanted[],
    transport: 'websocket' | 'polling' | 'upgrade',
    /** The delay before it reconnects. */
    reconnectionDelay = 1,
  ) {
    this.#held = wanted.map(({ interest, form = 'envelope', from = 'new' }) => ({
      interest,
      form,
      from,
      state: 'live',
      isSubscribed: false,
      lastContent: undefined,
      past: [],
      unanswered: 0,
    }));
    this.name = name;
    world.follow(name, this.events);
    this.client = io(url, {
      transports: transport === 'upgrade' ? ['polling', 'websocket'] : [transport],
      forceNew: true,
      timeout: connectTimeoutMs,
      reconnectionDelay,
      reconnectionDelayMax: 3 * reconnectionDelay,
    });
    this.client.on('connect', () => {
      for (const held of this.#held) this.#subscribe(held);
      this.#wake();
    });
    this.client.on('disconnect', () => this.#disconnected());
    this.client.onAny((event: string, argument: unknown) => this.#take(event, argument));
  }

  /** The TCP connection of the websocket: while it is paused, nothing is read. */
  get tcp(): TcpSocket {
    const { ws } = this.client.io.engine.transport as unknown as { ws: Record<string, TcpSocket> };
    const socket = ws['_socket'];
    if (!socket) throw new Error('there is no websocket');
    return socket;
  }

  get isSubscribed(): boolean {
    return this.#held.every((held) => held.isSubscribed);
  }

  /** For the log of a test that failed. */
  get status(): string {
    return JSON.stringify({
      connected: this.client.connected,
      held: this.#held.map((held) => ({ ...held, past: held.past.length })),
      refusals: this.refusals,
    });
  }

  get delivered(): number {
    return this.#delivered;
  }

  async subscribed(): Promise<void> {
    await this.#until('every subscription is answered', () => this.isSubscribed);
  }

  /** The positions from which an envelope subscription can restart without missing a message. */
  pastOf(interest: string): readonly string[] {
    return this.#held.find((held) => held.interest === interest && held.form === 'envelope')?.past ?? [];
  }

  /** Starts a subscription again on the open connection. */
  restart(interest: string, from: string): void {
    for (const held of this.#held) {
      if (held.interest !== interest || held.form === 'plain') continue;
      held.from = from;
      // The subscription has gone back, so messages after that position come again, even the last one.
      held.lastContent = undefined;
      held.past.length = held.past.lastIndexOf(from) + 1;
      this.#subscribe(held);
    }
  }

  /** Ends the subscriptions to a topic or pattern, and resumes them from their position. */
  renew(interest: string): void {
    this.client.emit('unsubscribe', { topic: interest }, () => {
      this.events.push({ kind: 'unsubscribed', interest });
      for (const held of this.#held) {
        if (held.interest !== interest) continue;
        held.isSubscribed = false;
        this.#subscribe(held);
      }
    });
  }

  async disconnected(): Promise<void> {
    await this.#until('the connection is lost', () => !this.client.connected);
  }

  /** Waits until every subscription has got the last one of these messages that matches it. */
  async gets(messages: readonly { topic: string; content: string }[]): Promise<void> {
    for (const held of this.#held) {
      const last = messages.findLast(({ topic }) => isOf(held.interest, topic));
      if (!last) continue;
      await this.#until(`${held.interest} gets its last message`, () => held.lastContent === last.content);
    }
  }

  /** Waits for the next thing that comes. */
  changed(): Promise<void> {
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    const soFar = (): string => this.status;
    await until(`${this.name}: ${what}`, holds, { step: () => this.changed(), soFar, ms: patienceMs });
  }

  #subscribe(held: Held): void {
    const { interest, form, from } = held;
    const isEnvelope = form === 'envelope';
    held.unanswered++;
    this.client.emit(
      'subscribe',
      { topic: interest, envelope: isEnvelope, from },
      (answer: Subscribed | Refused) => {
        held.unanswered--;
        if (answer.ok) {
          const { offset, state, recovered } = answer;
          const said = recovered === undefined ? {} : { recovered };
          this.events.push({ kind: 'subscribed', interest, form, from, offset, state, ...said });
          held.state = state;
          held.isSubscribed = true;
          // A plain delivery has no offset from which to resume. A later subscribe has its own start.
          if (isEnvelope && held.unanswered === 0) held.from = offset;
        } else this.refusals.push(`${interest}: ${answer.error.code}`);
        this.#wake();
      },
    );
  }

  #disconnected(): void {
    this.events.push({ kind: 'disconnected' });
    for (const held of this.#held) {
      held.isSubscribed = false;
      // No answer comes any more.
      held.unanswered = 0;
    }
    this.#wake();
  }

  #take(event: string, argument: unknown): void {
    switch (event) {
      case 'message':
        this.#takeEnvelope(argument as StoredEnvelope);
        break;
      case 'state': {
        const { topic, state, offset } = argument as StateEvent;
        this.events.push({ kind: 'state', interest: topic, state, offset });
        for (const held of this.#held) if (held.interest === topic) held.state = state;
        break;
      }
      case 'gap': {
        const { envelope, ...gap } = argument as GapEvent;
        this.events.push({ kind: 'gap', ...gap, form: envelope ? 'envelope' : 'plain' });
        break;
      }
      case 'error':
        this.refusals.push((argument as Problem).code);
        break;
      default:
        this.#takePlain(event, JSON.stringify((argument as { message: unknown }).message));
    }
    this.#wake();
  }

  #takeEnvelope(envelope: StoredEnvelope): void {
    const { replay } = envelope;
    const delivery = { ...keptOf(envelope), ...(replay !== undefined && { replay }) };
    this.#delivered++;
    this.events.push({ kind: 'message', form: 'envelope', ...delivery });
    for (const held of this.#held) {
      if (held.form === 'plain' || !held.isSubscribed) continue;
      const isFor =
        replay === undefined
          ? held.state === 'live' && isOf(held.interest, envelope.topic)
          : replay === held.interest;
      if (!isFor) continue;
      // Until the newest subscribe is answered, deliveries belong to an earlier run.
      if (held.unanswered > 0) continue;
      held.lastContent = delivery.content;
      held.from = envelope.offset;
      held.past.push(envelope.offset);
    }
  }

  #takePlain(topic: string, content: string): void {
    this.#delivered++;
    this.events.push({ kind: 'message', form: 'plain', topic, content });
    for (const held of this.#held) {
      if (held.form === 'plain' && isOf(held.interest, topic)) held.lastContent = content;
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
