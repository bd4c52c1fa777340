import { createServer, type Server } from 'node:http';
import type { PublishResult } from '@fanfare/protocol';
import { expect, it, onTestFinished, vi } from 'vitest';
import { attach } from '@fanfare/server';
import { soonMs, until, within } from '../../../../test/waits.ts';
import type { Access } from '../../src/access/access.ts';
import { unrestrictedIdentity } from '../../src/access/identity.ts';
import { DecisionCache, Rights } from '../../src/access/rights.ts';
import { askFirst } from '../../src/http/ask-first.ts';
import { publishHandler } from '../../src/http/publish-handler.ts';
import { readRequestsInTurns } from '../../src/http/request-reader.ts';
import { tryNode } from '../../src/insides/node-inside.ts';
import type { PublishListener } from '../../src/message-path/append.ts';
import { requestLoggerOf } from '../../src/observability/unexpected-failure.ts';
import { Rules, type Rule } from '../../src/rules/rule.ts';
import { strictLogger } from '../harness.ts';
import { collectUncaught } from '../../../fanout/test/uncaught.ts';
import { ServerEnd } from './conversation.ts';

const result: PublishResult = { ok: true, topic: 'news', time: 1, stored: 'none' };
const stallTimeoutMs = 4_321;

interface Handled {
  readonly server: Server;
  /** The publishes that wait for their results. */
  readonly waiting: PublishListener[];
  isDraining: boolean;
}

/** A server with a handler whose publishes wait. All other requests get the text `other`. */
async function serve(): Promise<Handled> {
  const server = createServer((_request, response) => response.end('other'));
  const rights = new Rights(unrestrictedIdentity, new Rules([], {} as Rule), new DecisionCache());
  const node = await tryNode(strictLogger);
  const handled: Handled = { server, waiting: [], isDraining: false };
  askFirst(
    server,
    publishHandler({
      path: { publishTo: (listener) => void handled.waiting.push(listener) },
      access: { known: () => rights, confirm: () => {} } as unknown as Access,
      addresses: { of: () => undefined } as never,
      node,
      limits: { publishBytesMax: 1_000, stallTimeoutMs },
      refuse: () => undefined,
      isDraining: () => handled.isDraining,
      logger: requestLoggerOf(strictLogger, { logRefusal: () => {} }, () => performance.now()),
      otherwise: (_request, response) => void response.end('given back'),
    }),
  );
  readRequestsInTurns(server, node);
  return handled;
}

function connected(server: Server, end = new ServerEnd()): ServerEnd {
  server.emit('connection', end);
  return end;
}

function publishOf(message: unknown, headers = ''): string {
  const body = JSON.stringify({ topic: 'news', message });
  return `POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
}

it('a publish that waits for the log while the server drains gets the last response of its connection', async () => {
  const handled = await serve();
  const end = connected(handled.server);
  end.push(publishOf(1));
  await until('the publish waits', () => handled.waiting.length === 1);
  handled.isDraining = true;
  handled.waiting[0]?.onResult(result);
  expect(end.received).toMatch(/^HTTP\/1\.1 200 OK\r\n(?:.*\r\n)*connection: close\r\n/);
  await until('the server ends the connection', () => end.isEnded);
});

it('a request after a publish is answered, although the server drains', async () => {
  const handled = await serve();
  const end = connected(handled.server);
  end.push(publishOf(1));
  await until('the publish waits', () => handled.waiting.length === 1);
  end.push(publishOf(2));
  await until('the next request has come', () => end.readableLength === 0);
  handled.isDraining = true;
  handled.waiting[0]?.onResult(result);
  await until('both are answered', () => end.received.endsWith('other'));
  expect(end.received).not.toContain('connection: close');
  expect(handled.waiting).toHaveLength(1);
});

it('while the server drains, all requests go to Fastify', async () => {
  const handled = await serve();
  handled.isDraining = true;
  const end = connected(handled.server);
  end.push(publishOf(1));
  await until('it is answered', () => end.received.endsWith('other'));
  expect(handled.waiting).toEqual([]);
});

/** A client that reads nothing. */
class DeafEnd extends ServerEnd {
  readonly timeouts: number[] = [];

  override _write(chunk: Buffer): void {
    this.received += chunk.toString('latin1');
  }

  override setTimeout(ms = 0): this {
    this.timeouts.push(ms);
    return this;
  }
}

it('a client that does not read the response to its publish is disconnected after the stall limit', async () => {
  const handled = await serve();
  const deaf = new DeafEnd();
  connected(handled.server, deaf).push(publishOf(1));
  await until('the publish waits', () => handled.waiting.length === 1);
  handled.waiting[0]?.onResult(result);
  expect(deaf.timeouts.at(-1)).toBe(stallTimeoutMs);
  deaf.emit('timeout');
  expect(deaf.destroyed).toBe(true);
});

it('an error while a response is sent does not reach the log', async () => {
  const handled = await serve();
  const end = connected(handled.server);
  end.push(publishOf(1));
  await until('the publish waits', () => handled.waiting.length === 1);
  const uncaught = collectUncaught();
  vi.spyOn(Buffer, 'byteLength').mockImplementationOnce(() => {
    throw new Error('a bug');
  });
  handled.waiting[0]?.onResult(result);
  await until('the error is thrown', () => uncaught.length === 1);
  expect(uncaught).toEqual(['a bug']);
});

it('publishes of one connection keep their order, whoever answers them', async () => {
  const server = createServer();
  const fanfare = await attach(server, { memory: true, logger: strictLogger });
  onTestFinished(() => fanfare.stop());
  await fanfare.declare('news');
  const unusual = 'Accept: application/json;q=0.5\r\n';
  const end = connected(server);
  end.push([publishOf(1, unusual), publishOf(2), publishOf(3, unusual), publishOf(4)].join(''));
  await until('all are answered', () => end.received.split('HTTP/1.1 200').length === 5);
  const messages: unknown[] = [];
  await within(soonMs, 'the messages are read', async () => {
    for await (const { message } of fanfare.history('news')) messages.push(message);
  });
  expect(messages).toEqual([1, 2, 3, 4]);
});
