import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  fail,
  readRequest,
  takeOver,
  takePackets,
  type PollingTransport,
  type Requests,
} from '../insides/engine-inside.ts';
import { Arrival } from '../limits/arrival-budget.ts';
import { FairTurns } from '../limits/fair-turns.ts';
import { packetBudget } from './packet-budget.ts';
import { packetTurns } from './packet-turns.ts';

/** Between the packets of a request. */
const separator = '\u001E';

/** The type of the packet that ends the session, with which it begins. */
const close = '1';

/** A request that is being taken. */
interface Taking {
  readonly data: string;
  /** Where the next packet begins. */
  at: number;
  isHeld: boolean;
  /** Answers it. */
  answer: (() => void) | undefined;
}

/**
 * Has requests with many packets take turns with all others: Engine.IO takes all of a request at once, which may be a hundred
 * thousand. A request is answered when all of it was taken, so that no more come until then.
 */
export class PollingTurns {
  readonly #taking = new WeakMap<PollingTransport, Taking>();
  readonly #turns = new FairTurns<PollingTransport>({
    ...packetTurns,
    pause: () => {},
    resume: (transport) => {
      this.#goOn(transport);
      return true;
    },
  });
  /** One for all: one for each would cost every idle connection some hundred bytes. */
  readonly #requests: Requests;

  constructor() {
    const take = (transport: PollingTransport, data: string): void => this.#take(transport, data);
    const isBusy = (transport: PollingTransport): boolean => this.#taking.has(transport);
    const answerLater = (transport: PollingTransport, response: ServerResponse, onAnswer: () => void): void =>
      this.#answerLater(transport, response, onAnswer);
    this.#requests = {
      onData(data) {
        take(this, data);
      },
      onDataRequest(request, response) {
        if (isBusy(this)) {
          response.writeHead(400).end();
          return fail(this, 'data request overlap from client');
        }
        answerLater(this, response, bound(request));
        readRequest(this, request, response);
      },
    };
  }

  /** Has the transport's requests take turns from now on. */
  begin(transport: PollingTransport): void {
    takeOver(transport, this.#requests);
  }

  /**
   * Takes no more of the request that is being taken.
   *
   * @returns false when there is none that takes turns
   */
  hold(transport: PollingTransport): boolean {
    const taking = this.#taking.get(transport);
    if (taking) taking.isHeld = true;
    return taking !== undefined;
  }

  release(transport: PollingTransport): void {
    const taking = this.#taking.get(transport);
    if (!taking?.isHeld) return;
    taking.isHeld = false;
    setImmediate(() => this.#goOn(transport));
  }

  #take(transport: PollingTransport, data: string): void {
    this.#taking.set(transport, { data, at: 0, isHeld: false, answer: undefined });
    this.#goOn(transport);
  }

  #goOn(transport: PollingTransport): void {
    const taking = this.#taking.get(transport);
    if (!taking) return;
    const { data } = taking;
    const first = taking.at;
    while (taking.at <= data.length && transport.readyState === 'open') {
      if (taking.isHeld) return;
      // Socket.IO gives to nobody what came in the same turn before its session ended.
      if (data[taking.at] === close && taking.at > first)
        return void setImmediate(() => this.#goOn(transport));
      if (!this.#turns.count(transport)) return;
      const found = data.indexOf(separator, taking.at);
      const end = found < 0 ? data.length : found;
      const packet = data.slice(taking.at, end);
      taking.at = end + 1;
      takePackets(transport, packet);
    }
    this.#taking.delete(transport);
    taking.answer?.();
  }

  /** Once all of what the request brings was taken. */
  #answerLater(transport: PollingTransport, response: ServerResponse, onAnswer: () => void): void {
    const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
    response.end = ((...args: unknown[]) => {
      const answer = (): void => {
        onAnswer();
        end(...args);
      };
      const taking = this.#taking.get(transport);
      if (taking) taking.answer = answer;
      else answer();
      return response;
    }) as ServerResponse['end'];
  }
}

/** Whether the packets of a session's requests can be told apart as they come. An app's own server may have others as well. */
export function isDivisible({ protocol, request }: { protocol: number; request: IncomingMessage }): boolean {
  return protocol === 4 && !isJsonp(request);
}

/** Whether a session would be one for browsers of before 2012. What it sends cannot be divided as it comes. */
export function isJsonp({ url = '' }: IncomingMessage): boolean {
  // As Engine.IO reads it.
  return new URL(url, 'http://localhost').searchParams.has('j');
}

/**
 * What has come of a request is in memory until it was answered. Of one that is over the bound no more comes.
 *
 * @returns to be called when it is answered. The event `close` of the answer would not do: one whose turn never comes has none
 */
function bound(request: IncomingMessage): () => void {
  const arrival = new Arrival(packetBudget);
  let bytes = 0;
  let pieces = 0;
  const onData = ({ length }: { readonly length: number }): void => {
    bytes += length;
    pieces++;
    if (!arrival.hold(bytes, pieces)) request.destroy();
  };
  const end = (): void => {
    // One that is too large is answered before all of it has come.
    request.off('data', onData);
    arrival.end();
  };
  request.on('data', onData).once('close', () => {
    // Cut off, it is never answered.
    if (!request.readableEnded) end();
  });
  return end;
}
