import type { IncomingMessage } from 'node:http';

/**
 * Node accepts one connection in a turn. With two turns for a handshake, which costs more than most requests,
 * others are accepted in time.
 */
const turnsEach = 2;

/** How many of those that wait are looked at in a turn: thousands may wait. */
const lookedMax = 64;

export interface HandshakeTurnsOptions {
  /** Undefined lets a request in; a text refuses it and says why. */
  readonly refuse: (request: IncomingMessage) => string | undefined;
  /** Whether a connection is closed because it pipelines a handshake with other requests. */
  readonly mustNotPipeline: (request: IncomingMessage) => boolean;
  /** `loginBytesMax`: the bytes that a client may send after the handshake of a websocket. */
  readonly limits: { readonly loginBytesMax: number };
}

interface Waiting {
  readonly request: IncomingMessage;
  /** @param refusal - undefined lets the request in */
  readonly decide: (refusal: string | undefined) => void;
}

/**
 * Lets handshakes take turns with everything else. Thousands at once would delay all clients that are already
 * connected.
 */
export class HandshakeTurns {
  readonly #options: HandshakeTurnsOptions;
  readonly #waiting = new Set<Waiting>();
  #looking = this.#waiting.values();
  #isBusy = false;

  constructor(options: HandshakeTurnsOptions) {
    this.#options = options;
  }

  /** Decides when it is the request's turn. */
  take(request: IncomingMessage, decide: Waiting['decide']): void {
    const { headers, socket } = request;
    // Thousands of refusals would cost as much as the handshakes.
    if (headers.upgrade === undefined && this.#options.mustNotPipeline(request)) return void socket.destroy();
    this.#waiting.add({ request, decide });
    // Nobody else listens for it meanwhile, and an error would end the process.
    if (headers.upgrade !== undefined) socket.on('error', ignore);
    if (!this.#isBusy) this.#wait(1);
  }

  #next(): void {
    this.#isBusy = false;
    this.#look();
    for (const waiting of this.#waiting) {
      this.#waiting.delete(waiting);
      if (!this.#remains(waiting)) continue;
      const { request, decide } = waiting;
      request.socket.off('error', ignore);
      const refusal = this.#options.refuse(request);
      decide(refusal);
      if (refusal === undefined) return this.#wait(turnsEach);
    }
  }

  /** Looks at some of those that wait, and goes on with others the next time. */
  #look(): void {
    for (let looked = 0; looked < lookedMax; looked++) {
      const { value: waiting, done } = this.#looking.next();
      if (done === true) {
        this.#looking = this.#waiting.values();
        return;
      }
      if (!this.#remains(waiting)) this.#waiting.delete(waiting);
    }
  }

  /** Ends a client that sends too much meanwhile. @returns whether the request is still to be answered */
  #remains({ request: { headers, socket } }: Waiting): boolean {
    if (headers.upgrade !== undefined && socket.readableLength > this.#options.limits.loginBytesMax)
      socket.destroy();
    return !socket.destroyed;
  }

  #wait(turns: number): void {
    this.#isBusy = true;
    setImmediate(() => (turns > 1 ? this.#wait(turns - 1) : this.#next()));
  }
}

function ignore(): void {}
