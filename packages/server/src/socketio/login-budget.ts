import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { readThrough, receiverOf, type Receiver, type Write } from '../insides/ws-inside.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { FrameCount } from './frame-count.ts';
import { boundArrivals, readBounded } from './web-socket.ts';

export interface LoginBudgetLimits {
  /** The bytes that a connection may send before login. */
  readonly loginBytesMax: number;
  /** The time that it may take. */
  readonly loginTimeoutMs: number;
}

/** A client that is too late is told so, and then has this long. */
const goodbyeMs = 1_000;

const { value: framesMax } = fixedLimits.loginFramesMax;

/** Of the websockets that are not logged in. */
const budgets = new WeakMap<object, LoginBudget>();

/**
 * Limits the bytes, the frames and the time of a websocket before login. A websocket that exceeds a limit is terminated: closed properly,
 * it would have more time to answer.
 *
 * @param tellsArrived - whether ws can be kept from parsing too much. Otherwise it parses one read before the websocket is ended
 */
export function beginLogin(
  webSocket: WebSocket,
  socket: Duplex,
  limits: LoginBudgetLimits,
  tellsArrived: boolean,
): void {
  const receiver = tellsArrived ? receiverOf(webSocket) : undefined;
  budgets.set(webSocket, new LoginBudget(webSocket, socket, limits, receiver));
}

/** The client has logged in. */
export function endLogin(webSocket: object): void {
  budgets.get(webSocket)?.end();
}

class LoginBudget {
  readonly #webSocket: WebSocket;
  readonly #socket: Duplex;
  readonly #receiver: Receiver | undefined;
  readonly #frames = new FrameCount(framesMax);
  readonly #timer: NodeJS.Timeout;
  #leftBytes: number;
  #isEnded = false;

  constructor(
    webSocket: WebSocket,
    socket: Duplex,
    { loginBytesMax, loginTimeoutMs }: LoginBudgetLimits,
    receiver: Receiver | undefined,
  ) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#receiver = receiver;
    this.#leftBytes = loginBytesMax;
    this.#timer = setTimeout(() => webSocket.terminate(), loginTimeoutMs + goodbyeMs).unref();
    webSocket.once('close', this.#end);
    if (receiver) readThrough(receiver, (...piece) => this.#read(receiver, ...piece));
    else socket.on('data', this.#onData);
  }

  end(): void {
    this.#webSocket.off('close', this.#end);
    this.#end();
    if (this.#receiver) boundArrivals(this.#webSocket);
    else this.#socket.off('data', this.#onData);
  }

  readonly #end = (): void => {
    this.#isEnded = true;
    clearTimeout(this.#timer);
    budgets.delete(this.#webSocket);
  };

  /** @returns the number of bytes that are within the limits */
  #allow(chunk: Buffer): number {
    const allowed = this.#frames.add(chunk.subarray(0, this.#leftBytes));
    this.#leftBytes -= allowed;
    return allowed;
  }

  /** Stands before ws, which makes more of each frame than its bytes. */
  #read(receiver: Receiver, ...[chunk, encoding, done]: Parameters<Write>): void {
    const allowed = this.#allow(chunk);
    if (allowed === chunk.length) return readBounded(receiver, chunk, encoding, done);
    readBounded(receiver, chunk.subarray(0, allowed), encoding, (error) => {
      if (error) return done(error);
      // The allowed bytes can complete a login: those that a client sends when its polling session is upgraded.
      if (this.#isEnded) return readBounded(receiver, chunk.subarray(allowed), encoding, done);
      this.#webSocket.terminate();
      done();
    });
  }

  /** ws has parsed the chunk. */
  readonly #onData = (chunk: Buffer): void => {
    if (this.#allow(chunk) < chunk.length && !this.#isEnded) this.#webSocket.terminate();
  };
}
