import { attach } from '@fanfare/server';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { startListening } from '../../../../test/waits.ts';
import { connectClient, publish, startServer } from '../harness.ts';
import { topicUrl } from '../http-tools.ts';
import { bearer, secret, tokenFor } from './tokens.ts';

/** Sends every kind of wrong token, and returns all responses of the server. */
async function provoke(url: string, token: string): Promise<string> {
  const said: unknown[] = [];
  const authorization = `Bearer ${token}`;
  for (const path of [
    '/',
    '/topics',
    '/topics/a',
    '/topics/a/messages',
    '/revocations/a',
    '/metrics',
    '/nothing',
    '/healthz',
    '/fanfare.js',
  ]) {
    for (const method of ['GET', 'PUT', 'DELETE', 'POST']) {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { authorization, connection: 'close' },
      });
      said.push([...response.headers], await response.text());
    }
  }
  for (const body of ['{', '[]', '{"topic":"a"}', '{"topic":"a","message":1}'])
    said.push(await publish(url, body, { authorization }));
  const client = await connectClient(url, 'websocket', { auth: { token } }).catch((error: unknown) => {
    said.push(inspect(error, { depth: 1 }), (error as { data?: unknown }).data);
    return undefined;
  });
  client?.onAny((...event: unknown[]) => said.push(event));
  for (const event of ['subscribe', 'publish', 'token', 'nonsense'])
    said.push(await client?.emitWithAck(event, { topic: 'a', message: 1, token }));
  return JSON.stringify(said);
}

it('responses and logs never contain a key or a token', async () => {
  const logged: unknown[] = [];
  const log = (fields: object, message: string): void =>
    void logged.push(inspect(fields, { depth: 9 }), message);
  const { url, server } = await startServer({ key: secret, logger: { warn: log, error: log } });
  const good = await tokenFor({ subscribe: ['a'] });
  const ended = await tokenFor({ exp: -1 });
  const [head = '', claims = '', signature = ''] = good.split('.');
  const forged = `${head}.${claims}.${[...signature].toReversed().join('')}`;
  for (const token of [good, ended, forged, 'canary-token-value', `${head}.${claims}`]) {
    const said = (await provoke(url, token)) + inspect(logged);
    for (const part of [secret, ...token.split('.').filter((text) => text.length > 8 && text !== head)])
      expect(said.includes(part), `${part.slice(0, 12)}… is told`).toBe(false);
  }
  await server.stop();
  // The search would find a token.
  expect(JSON.stringify([`x ${good} y`]).includes(signature)).toBe(true);
});

it('an attached Fanfare asks its clients for tokens', async () => {
  const http = createHttpServer((_request, response) => response.writeHead(418).end());
  const fanfare = await attach(http, { key: secret, http: 'all' });
  await startListening(http);
  onTestFinished(async () => {
    await fanfare.stop();
    http.close();
  });
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const status = async (
    path: string,
    headers: Record<string, string> = {},
    method = 'GET',
  ): Promise<number> =>
    (await fetch(`${url}${path}`, { method, headers: { ...headers, connection: 'close' } })).status;
  expect([await status('/app'), await status('/topics'), await status('/topics', await bearer())]).toEqual([
    418, 401, 200,
  ]);
  expect(await status('/revocations/x', await bearer({ admin: true }), 'PUT')).toBe(200);
  await expect(connectClient(url)).rejects.toThrow('A token is needed');
  const client = await connectClient(url, 'polling', {
    auth: { token: await tokenFor({ subscribe: ['a'] }) },
  });
  expect(await client.emitWithAck('subscribe', { topic: 'a' })).toMatchObject({ ok: true });
  // The program itself needs no token.
  expect(await fanfare.publish('a', 1)).toMatchObject({ ok: true });
  expect(await status(new URL(topicUrl(url, 'a')).pathname, await bearer({ subscribe: ['a'] }))).toBe(200);
});
