import { ServerResponse, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from '../observability/logger.ts';
import { sendByNode, sendWithCachedHead, tryCachedHeads, type TextSender } from './cached-heads.ts';
import { dump, tryDiscarding } from './discarding.ts';
import { connectInMemory, untilTurn } from './memory-connection.ts';
import { get, rehearse } from './node-rehearsal.ts';
import { expectSame, isAsKnown, type Trial } from './trial.ts';

/*
 * Everything that the server uses of Node's HTTP server and that Node does not document. Each use is tried at start.
 */

/** The uses that passed their trial, and public functions in place of those that did not. */
export interface NodeInside {
  readonly order: AnswerOrder;
  /** Whether {@link parseThrough} works. */
  readonly partsReads: boolean;
  /** Whether a listener for upgrades gets a connection with the body of the request in it, as before Node 26. */
  readonly leavesBody: boolean;
  /** Undefined where it is not needed. */
  readonly setUpgradeRule: typeof setUpgradeRule | undefined;
  /** Has a server go on with its answers when clients end their side of a connection; undefined where that does not work. */
  readonly allowHalfClosed: typeof allowHalfClosed | undefined;
  /** Discards the rest of a body as it arrives. */
  readonly discard: (request: IncomingMessage) => void;
  /** Sends responses that differ only in their bodies. */
  readonly textSender: TextSender;
}

/** The order in which pipelined requests of a connection are answered. */
export interface AnswerOrder {
  /** Must be called for each server, after its listeners for requests were added. */
  watch(server: Server): void;
  /** The answer whose turn it is; undefined when all requests were answered. */
  current(socket: Duplex): ServerResponse | undefined;
  /** Whether an earlier answer on the same connection is not finished. */
  isWaiting(response: ServerResponse): boolean;
  /** Calls the listener when it is the turn of an answer that waits. */
  onceDue(response: ServerResponse, listener: () => void): void;
}

/** Node's own order: a connection has the current answer in `_httpMessage`, and an answer gets its `socket` when it is due. */
const orderOfNode: AnswerOrder = {
  watch() {},
  current(socket) {
    const { _httpMessage: message } = socket as { readonly _httpMessage?: unknown };
    return message instanceof ServerResponse ? message : undefined;
  },
  isWaiting({ socket }) {
    return socket === null;
  },
  onceDue(response, listener) {
    response.once('socket', listener);
  },
};

/** The same order, kept from the `request` events of a server. */
class WatchedOrder implements AnswerOrder {
  readonly #answers = new WeakMap<Duplex, readonly ServerResponse[]>();

  watch(server: Server): void {
    server.prependListener('request', ({ socket }, response) => {
      // An app can emit requests of its own, without a connection.
      if (typeof socket === 'object') this.#answers.set(socket, [...this.#due(socket), response]);
    });
  }

  current(socket: Duplex): ServerResponse | undefined {
    return this.#due(socket)[0];
  }

  isWaiting(response: ServerResponse): boolean {
    return this.#before(response) !== undefined;
  }

  onceDue(response: ServerResponse, listener: () => void): void {
    if (response.req.socket.destroyed) return;
    const before = this.#before(response);
    if (before) before.once('close', () => this.onceDue(response, listener));
    else listener();
  }

  #due(socket: Duplex): readonly ServerResponse[] {
    return (this.#answers.get(socket) ?? []).filter((one) => !one.writableFinished && !one.destroyed);
  }

  #before(response: ServerResponse): ServerResponse | undefined {
    const due = this.#due(response.req.socket);
    return due[due.indexOf(response) - 1];
  }
}

/** Node's own listener for the bytes of a connection, which parses them. */
export type Parse = (this: Duplex, bytes: Buffer) => void;

/**
 * Gives a function the bytes of a connection in place of Node's parser. The function calls the parser that is returned. When
 * the connection is upgraded, Node removes the function as it would its own listener.
 *
 * @returns undefined when the connection has no parser
 */
export function parseThrough(connection: Duplex, take: (bytes: Buffer) => void): Parse | undefined {
  const [parse] = connection.listeners('data') as Parse[];
  if (!parse) return undefined;
  // A listener of `once` has the same property: `off` removes it by the function that it stands for.
  connection.off('data', parse).on('data', Object.assign(take, { listener: parse }));
  return parse;
}

/** Whether an offer of an upgrade is accepted; `usual` asks the rule that the server had before. */
export type UpgradeRule = (request: IncomingMessage, usual: () => boolean) => boolean;

interface RuledServer {
  /** Documented as an option of `createServer`, which Node keeps here. */
  shouldUpgradeCallback?: (request: IncomingMessage) => boolean;
}

/** Has Node treat requests as if they had not offered an upgrade, unless the rule accepts it. @returns undoes it */
export function setUpgradeRule(server: Server, accepts: UpgradeRule): () => void {
  const ruled = server as RuledServer;
  const { shouldUpgradeCallback: before } = ruled;
  if (!before) throw new Error('the server has no rule for upgrades');
  const rule = (request: IncomingMessage): boolean => accepts(request, () => before.call(server, request));
  ruled.shouldUpgradeCallback = rule;
  return () => {
    if (ruled.shouldUpgradeCallback === rule) ruled.shouldUpgradeCallback = before;
  };
}

/** Like `allowHalfOpen` of a TCP server, which Node's HTTP server has no option for. */
export function allowHalfClosed(server: Server): void {
  (server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
}

/** Runs the trials with the HTTP server of this Node. */
export async function tryNode(logger: Logger): Promise<NodeInside> {
  const works = async (trial: Trial): Promise<boolean> => isAsKnown(trial, logger);
  await works({
    inside: "Node's way to end a connection behind an answer",
    instead:
      'A client that is refused while it still sends may see a reset connection instead of the answer.',
    run: tryEnding,
  });
  const hasOrder = await works({
    inside: "Node's order of answers on a connection",
    instead: 'Fanfare keeps that order itself, which costs time for each request.',
    run: tryOrder,
  });
  const partsReads = await works({
    inside: "Node's parser of requests",
    instead:
      'Connections with more than 102 unanswered requests are closed. All pipelined requests are parsed at once, which takes memory.',
    run: tryParsing,
  });
  const leavesBody = await tryBodyOfOffer();
  const hasRule =
    !leavesBody &&
    (await works({
      inside: "Node's rule for offers of an upgrade",
      instead: 'Requests with a body that offer an upgrade are refused.',
      run: tryUpgradeRule,
    }));
  const halfCloses = await works({
    inside: "Node's way to answer clients that have ended their side of a connection",
    instead:
      'A client that half-closes may see the end of the connection instead of an answer that takes time.',
    run: tryHalfClosing,
  });
  const dumps = await works({
    inside: "Node's way to discard the rest of a request",
    instead: 'The rest of a refused body takes time until it has arrived.',
    run: tryDiscarding,
  });
  const cachesHeads = await works({
    inside: "Node's text of the head of a response",
    instead: 'Each response to a publish takes more time.',
    run: tryCachedHeads,
  });
  return {
    order: hasOrder ? orderOfNode : new WatchedOrder(),
    partsReads,
    leavesBody,
    setUpgradeRule: hasRule ? setUpgradeRule : undefined,
    allowHalfClosed: halfCloses ? allowHalfClosed : undefined,
    discard: dumps ? dump : (request) => void request.resume(),
    textSender: cachesHeads ? sendWithCachedHead : sendByNode,
  };
}

async function tryOrder(): Promise<void> {
  const { connection, exchange } = rehearse();
  connection.arrive(get + get);
  const [first, second] = [await exchange(1), await exchange(2)];
  expectSame('the answer that is due', orderOfNode.current(connection) === first.response, true);
  expectSame(
    'what waits',
    [orderOfNode.isWaiting(first.response), orderOfNode.isWaiting(second.response)],
    [false, true],
  );
  let isDue = false;
  orderOfNode.onceDue(second.response, () => (isDue = true));
  first.response.end();
  await untilTurn('the turn of the second answer', () => isDue);
  expectSame('the answer that is due', orderOfNode.current(connection) === second.response, true);
  expectSame('what waits', orderOfNode.isWaiting(second.response), false);
  second.response.end();
  await untilTurn('the end of the last answer', () => orderOfNode.current(connection) === undefined);
}

async function tryParsing(): Promise<void> {
  const { server, connection, exchange } = rehearse();
  const seen: string[] = [];
  server.on('request', ({ url = '' }) => seen.push(url));
  server.on('upgrade', ({ url = '' }, _socket, head: Buffer) => seen.push(url, head.toString()));
  const held: Buffer[] = [];
  const parse = parseThrough(connection, (bytes) => void held.push(bytes));
  if (!parse) throw new Error('a connection has no parser');
  const parsed = async (text: string): Promise<readonly string[]> => {
    connection.arrive(text);
    await untilTurn('bytes of a connection', () => held.length > 0);
    parse.call(connection, held.pop() ?? Buffer.alloc(0));
    return seen.splice(0);
  };
  expectSame('what half a head tells', await parsed(get.slice(0, 9)), []);
  expectSame('what a head tells', await parsed(get.slice(9)), ['/']);
  connection.arrive(get);
  await untilTurn('bytes of a connection', () => held.length > 0);
  connection.pause().unshift(held.pop());
  (await exchange(1)).response.end();
  expectSame('what bytes that were put back tell', [held.length, seen], [0, []]);
  connection.resume();
  expectSame('what a second head tells', await parsed(''), ['/']);
  expectSame('a parser that was removed', connection.listenerCount('data', parse), 1);
  (await exchange(2)).response.end();
  expectSame('an upgrade', await parsed(`${offer('/upgrade', '')}ab`), ['/upgrade', 'ab']);
  expectSame('what is left of a parser', connection.listenerCount('data'), 0);
}

function offer(url: string, body: string): string {
  const headers = `Connection: Upgrade\r\nUpgrade: trial\r\nContent-Length: ${body.length}\r\n`;
  return `POST ${url} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`;
}

/** No failure is logged: both ways of Node are known. */
async function tryBodyOfOffer(): Promise<boolean> {
  const { server, connection } = rehearse();
  const upgraded: unknown[] = [];
  server.on('upgrade', (_request, socket: Duplex, head: Buffer) => upgraded.push(socket, head.toString()));
  connection.arrive(`${offer('/', 'abcd')}ab`);
  await untilTurn('an upgrade', () => upgraded.length > 0).catch(() => {});
  return upgraded[0] === connection && upgraded[1] === 'ab';
}

async function tryUpgradeRule(): Promise<void> {
  const { server, connection, exchange } = rehearse();
  const upgraded: unknown[] = [];
  server.on('upgrade', (request: IncomingMessage) => upgraded.push(request.url));
  const undo = setUpgradeRule(server, ({ url }, usual) => url === '/accepted' && usual());
  connection.arrive(`${offer('/declined', 'abcd')}ab`);
  const { request, response } = await exchange(1);
  let body = '';
  request.on('data', (piece: Buffer) => (body += piece.toString()));
  connection.arrive('cd');
  await untilTurn('the body of a declined offer', () => body === 'abcd');
  response.end();
  connection.arrive(get);
  (await exchange(2)).response.end();
  connection.arrive(offer('/accepted', ''));
  await untilTurn('an upgrade', () => upgraded.length > 0);
  undo();
  connectInMemory(server).connection.arrive(offer('/usual', ''));
  await untilTurn('an upgrade by the usual rule', () => upgraded.length > 1);
  expectSame('what became of offers', [request.url, upgraded], ['/declined', ['/accepted', '/usual']]);
}

async function tryEnding(): Promise<void> {
  const { connection, exchange } = rehearse();
  let isEnded = false;
  Object.assign(connection, { destroySoon: () => (isEnded = true) } satisfies Pick<Socket, 'destroySoon'>);
  connection.arrive(get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  (await exchange(1)).response.end();
  await untilTurn('calling destroySoon', () => isEnded);
}

async function tryHalfClosing(): Promise<void> {
  const { server, connection, exchange } = rehearse();
  allowHalfClosed(server);
  connection.arrive(get);
  const { response } = await exchange(1);
  connection.leave();
  await untilTurn('the end of what a client sends', () => connection.readableEnded);
  response.end('late');
  expectSame('the answer behind it', (await connection.answer()).endsWith('late'), true);
  await untilTurn('the end of the connection', () => connection.writableEnded);
}
