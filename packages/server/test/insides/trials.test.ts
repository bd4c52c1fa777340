import type { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { tryNode } from '../../src/insides/node-inside.ts';
import { asCount } from '../../src/insides/trial.ts';
import { hide, hideParser, InsideLog, prototypes, redefine, replace, takesBodyOfOffer } from './broken.ts';

const lastAnswer = "Node's way to end a connection behind an answer";
const order = "Node's order of answers on a connection";
const parser = "Node's parser of requests";
const upgradeRule = "Node's rule for offers of an upgrade";
const halfClosing = "Node's way to answer clients that have ended their side of a connection";
const discarding = "Node's way to discard the rest of a request";
const heads = "Node's text of the head of a response";

type Broken = readonly [what: string, breakIt: () => void, inside: string];

const { httpServer, request, response, stream } = prototypes;

const renamed: readonly Broken[] = [
  ["a connection's _httpMessage", () => hide(stream, '_httpMessage'), order],
  ["a request's _dump", () => hide(request, '_dump'), discarding],
  ["a server's httpAllowHalfOpen", () => hide(httpServer, 'httpAllowHalfOpen'), halfClosing],
  ["a response's _header", () => hide(response, '_header'), heads],
  ["a response's _keepAliveTimeout", () => hide(response, '_keepAliveTimeout'), heads],
  ["a response's _maxRequestsPerSocket", () => hide(response, '_maxRequestsPerSocket'), heads],
];

const rule: Broken = [
  "a server's shouldUpgradeCallback",
  () => hide(httpServer, 'shouldUpgradeCallback'),
  upgradeRule,
];

const changed: readonly Broken[] = [
  [
    'Node does not tell an answer that it is due',
    () =>
      replace<(event: string, ...args: unknown[]) => boolean>(
        response,
        'emit',
        (emit) =>
          function (event, ...args) {
            return event !== 'socket' && emit.call(this, event, ...args);
          },
      ),
    order,
  ],
  [
    'Node ends a connection in another way',
    () => {
      redefine(stream, 'destroySoon', { get: () => undefined, set() {} });
    },
    lastAnswer,
  ],
  [
    'Node ends a connection with its client, whatever the server says',
    () => redefine(httpServer, 'httpAllowHalfOpen', { get: () => false, set() {} }),
    halfClosing,
  ],
  ["Node's parser listens for something else than data", hideParser, parser],
  [
    'Node does not remove what stands for its parser',
    () =>
      replace<(event: string, listener: Function) => object>(
        stream,
        'removeListener',
        (remove) =>
          function (event, listener) {
            const isThere = (this as EventEmitter).rawListeners(event).includes(listener);
            return isThere || event !== 'data' ? remove.call(this, event, listener) : this;
          },
      ),
    parser,
  ],
  [
    'Node sends the head of a response up to its last line',
    () =>
      replace(
        response,
        '_send',
        (send: (...args: unknown[]) => boolean) =>
          function (this: object, ...args) {
            const { _header: head } = this as { _header: string | null };
            if (head !== null) Object.assign(this, { _header: head.replace(/(?<=\r\n\r\n)[^]*/, '') });
            return send.apply(this, args);
          },
      ),
    heads,
  ],
  [
    'Node ends no response that got its head in another way',
    () =>
      replace(
        response,
        'end',
        (end: (...args: unknown[]) => object) =>
          function (this: object, ...args) {
            return args.length === 0 && 'statusMessage' in this ? this : end.apply(this, args);
          },
      ),
    heads,
  ],
  ['Node discards nothing', () => replace(request, '_dump', () => function () {}), discarding],
];

async function tryAll(log: InsideLog): Promise<void> {
  await tryNode(log);
  // The last answers of the trials end while Node is still changed.
  for (let turns = 0; turns < 5; turns++) await nextTurn();
}

describe('a trial of what Node has for itself', () => {
  it('is passed by the version that is installed, and leaves no line in the log', async () => {
    const log = new InsideLog();
    await tryAll(log);
    expect(log.lines).toEqual([]);
  });

  it.each(takesBodyOfOffer ? [...renamed, rule] : renamed)(
    'tells in one line that %s has another name',
    async (_what, breakIt, inside) => {
      breakIt();
      const log = new InsideLog();
      await tryAll(log);
      log.expectOnly(inside);
    },
  );

  it.each(changed)('tells in one line that %s', async (_what, breakIt, inside) => {
    breakIt();
    const log = new InsideLog();
    await tryAll(log);
    log.expectOne(inside);
  });

  it('says what differs, and what the server does instead', async () => {
    redefine(httpServer, 'httpAllowHalfOpen', { get: () => false, set() {} });
    const log = new InsideLog();
    await tryAll(log);
    expect(log.lines.map(({ message }) => message)).toEqual([
      "Node's way to answer clients that have ended their side of a connection cannot be used: an answer does not happen. A client that half-closes may see the end of the connection instead of an answer that takes time.",
    ]);
  });
});

it.each([undefined, null, Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY, '1', {}])(
  'a private field that is %s is not read as a number',
  (value) => {
    expect(asCount(value)).toBeUndefined();
  },
);
