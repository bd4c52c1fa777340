import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { parseThrough, type NodeInside, type Parse } from '../insides/node-inside.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { ReaderState, RequestScheduler, type Reader } from '../limits/request-scheduler.ts';
import { isClosing } from './lingering-close.ts';
import { HeadScanner } from './head-scanner.ts';
import { requestsOn } from './http-connections.ts';
import { handleRequestsInTurns } from './request-turns.ts';

const { value: perTurnMax } = fixedLimits.requestsPerTurnMax;

/** The request that is being answered, those that wait, and one that is refused because too many wait. */
const unansweredMax = fixedLimits.requestsWaitingMax.value + 2;

/** Heads that can be parsed with the bytes of a body, when its end arrives in two reads. */
const strayMax = 8;

/** Shared by all servers of this process: they have one event loop and one memory. */
const turns = new RequestScheduler({
  perTurnMax,
  servedMax: 8,
  unansweredMax,
  unansweredTotalMax: fixedLimits.requestsUnansweredMax.value,
  heldBytesMax: fixedLimits.requestsHeldBytesMax.value,
});

const readers = new WeakMap<Socket, RequestReader>();

/**
 * Makes a server parse the requests of each connection one at a time. Node itself parses everything that one
 * read brings: 64 KiB of tiny requests become thousands of objects before the first is answered. Here they
 * stay bytes until it is the connection's turn. MUST be called after the server has its listeners for
 * requests.
 */
export function readRequestsInTurns(server: Server, { order, partsReads }: NodeInside): void {
  if (!partsReads) handleRequestsInTurns(server, unansweredMax);
  else {
    server.on(requestsOn(server), (socket: Socket) => {
      readers.set(socket, new RequestReader(socket));
    });
    const listeners = server.rawListeners('request') as RequestListener[];
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      for (const listener of listeners) listener.call(server, request, response);
    };
    server.removeAllListeners('request').on('request', (request, response) => {
      if (begins(request, response)) throwLater(() => handle(request, response));
    });
    // While an app listens for `checkContinue`, Node does not emit `request` for these requests.
    if (server.listenerCount('checkContinue') > 0)
      server.prependListener('checkContinue', (request, response) => void begins(request, response));
  }
  order.watch(server);
}

/**
 * Throws errors later. Inside the parser, an error of the app would break it, and later requests would get no
 * response.
 */
export function throwLater(handle: () => void): void {
  try {
    handle();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}

/** @returns whether to handle the request */
function begins(request: IncomingMessage, response: ServerResponse): boolean {
  const { socket } = request;
  // A request that an app has made up has no connection.
  if (!(socket as Socket | undefined)) return true;
  if (socket.destroyed || isClosing(socket)) return false;
  let reader = readers.get(socket);
  // The client connected before Fanfare was attached.
  if (!reader) readers.set(socket, (reader = new RequestReader(socket)));
  return reader.begin(request, response);
}

/**
 * Whether a request is pipelined: sent before the response to an earlier one, or followed by another before
 * its response.
 */
export function isPipelined({ socket }: IncomingMessage): boolean {
  return readers.get(socket)?.isPipelined ?? false;
}

/** Sits between a connection and Node's parser. */
class RequestReader implements Reader {
  readonly state: ReaderState = new ReaderState();
  readonly #socket: Socket;
  readonly #parse: Parse | undefined;
  readonly #heads = new HeadScanner();
  /** The request whose body is not complete. */
  #arriving: IncomingMessage | undefined;
  /** The rest of its `Content-Length`. Negative when bytes of the next head have arrived. */
  #bodyBytes = 0;
  /** Whether bytes follow the request that is being parsed. */
  #hasMore = false;
  /** Whether nothing is parsed before the connection's turn. */
  #isHeld = false;
  /** Whether bytes were read but not parsed. */
  #hasHeld = false;
  /**
   * Whether Node has paused the connection, because responses or a body are not read. Then only Node may
   * resume it.
   */
  #isNodesTurn = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#parse = parseThrough(socket, (chunk) => this.#take(chunk));
    socket.once('close', this.#end);
  }

  get heldBytes(): number {
    return this.#socket.readableLength;
  }

  get isPipelined(): boolean {
    return this.#hasMore || this.state.unanswered > 1;
  }

  /** @returns whether to handle the request */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    // The app has emitted it again from `checkContinue`.
    if (this.#arriving === request) return true;
    this.#arriving = request;
    this.#bodyBytes += Number(request.headers['content-length'] ?? 0);
    turns.begin(this);
    response.on('close', this.#onAnswered);
    // Only a connection that was open before can have as many: for it, Node parsed a whole read at once.
    if (this.state.unanswered > unansweredMax + strayMax) this.cut();
    return !this.#socket.destroyed;
  }

  goOn(): void {
    this.#isHeld = false;
    if (!this.#isNodesTurn) this.#socket.resume();
  }

  cut(): void {
    this.#socket.destroy();
  }

  readonly #onAnswered = (): void => turns.answered(this);

  /** The connection is closed or upgraded. */
  readonly #end = (): void => {
    this.#socket.off('close', this.#end);
    readers.delete(this.#socket);
    turns.remove(this);
  };

  #take(chunk: Buffer): void {
    const socket = this.#socket;
    let rest = chunk;
    if (this.#hasHeld) turns.release(this);
    this.#hasHeld = false;
    this.#isNodesTurn = false;
    while (rest.length > 0 && !socket.destroyed && !isClosing(socket)) {
      const body = this.#arriving;
      const portion = this.#isHeld ? undefined : body ? this.#bodyOf(body, rest) : this.#headOf(rest);
      if (!portion) return this.#hold(rest);
      this.#parse?.call(socket, portion);
      rest = rest.subarray(portion.length);
      if (this.#arriving?.complete) this.#arriving = undefined;
      else if (!this.#arriving && socket.listenerCount('data', this.#parse) === 0) return this.#end();
      if (!this.#arriving && this.#bodyBytes < 0) this.#beginHead(portion.subarray(this.#bodyBytes));
      this.#isNodesTurn = socket.isPaused();
      if (rest.length === 0) return;
      if (this.#isNodesTurn) return this.#keep(rest);
      if (body && this.#arriving && portion.length < smallLinesBytes) return this.#hold(rest);
    }
  }

  /** @returns undefined if it is not the connection's turn */
  #headOf(rest: Buffer): Buffer | undefined {
    const portion = this.#heads.next(rest);
    const { bytes, bytesAfterHead, offersUpgrade } = portion;
    this.#hasMore = rest.length > portion.requestBytes;
    if (bytesAfterHead !== undefined && !turns.take(this, this.#hasMore)) return undefined;
    this.#heads.advance(portion);
    // Node gives everything after an upgrade to its listener. Copied: a subarray would keep the whole read in
    // memory.
    const taken = offersUpgrade ? Buffer.from(rest) : rest.subarray(0, bytes);
    this.#bodyBytes = bytes - (bytesAfterHead ?? 0) - taken.length;
    return taken;
  }

  /** These bytes were parsed together with the request before them. */
  #beginHead(bytes: Buffer): void {
    this.#bodyBytes = 0;
    this.#heads.advance(this.#heads.next(bytes));
  }

  #bodyOf({ headers }: IncomingMessage, rest: Buffer): Buffer {
    if (headers['transfer-encoding'] !== undefined) return firstChunks(rest);
    const portion = rest.subarray(0, Math.max(this.#bodyBytes, 1));
    this.#bodyBytes -= portion.length;
    return portion;
  }

  #hold(rest: Buffer): void {
    this.#isHeld = true;
    this.#socket.pause();
    this.#keep(rest);
    turns.hold(this, this.#arriving !== undefined);
  }

  #keep(rest: Buffer): void {
    this.#hasHeld = true;
    this.#socket.unshift(rest);
    turns.keep(this);
  }
}

const lineFeed = 0x0a;

/** Each chunk of a chunked body has two lines. */
const linesMax = 256;

/**
 * If the lines of a portion have fewer bytes, the rest waits for the next turn. Short lines cost more than
 * their bytes.
 */
const smallLinesBytes = 4_096;

/** The end of a chunked body without trailers. */
const lastChunk = Buffer.from('0\r\n\r\n');

function firstChunks(bytes: Buffer): Buffer {
  let end = 0;
  for (let lines = 0; lines < linesMax; lines++) {
    const found = bytes.indexOf(lineFeed, end);
    end = found < 0 ? bytes.length : found + 1;
    if (end === bytes.length) break;
  }
  const last = bytes.subarray(0, end).indexOf(lastChunk);
  return bytes.subarray(0, last < 0 ? end : last + lastChunk.length);
}
