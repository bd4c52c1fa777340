import { describe, expect, it } from 'vitest';
import { collect } from '../../../test/waits.ts';
import { freePort } from '../../../bench/src/free-port.ts';
import { bearer, secret, tokenFor } from '../../server/test/access/tokens.ts';
import { becomes, client, eventually, numbers, startServer, take } from './harness.ts';

describe('with tokens that end while it is used', () => {
  it('a client whose tokens end while it is used misses nothing, publishes nothing twice, and reads history', async () => {
    const { url } = await startServer({ key: secret });
    let fetches = 0;
    const token = async (): Promise<string> => {
      fetches++;
      // It says whole seconds, so it has two to three of them: enough to be renewed in time on a busy
      // machine.
      return tokenFor({ subscribe: ['a/*'], publish: ['a/*'], exp: 3 });
    };
    const [publisher, subscriber] = [client(url, { token }), client(url, { token })];
    const states = new Set<string>();
    subscriber.onStatus(({ state }) => states.add(state));
    const subscription = subscriber.subscribe('a/*');
    await subscription.ready;
    const messages = subscription[Symbol.asyncIterator]();
    const endsAt = Date.now() + 7_000;
    let published = 0;
    const reader = client(url, { token: await tokenFor({ subscribe: ['a/1'] }) });
    await reader.subscribe('a/1').ready;
    do {
      await publisher.publish('a/1', ++published);
      expect(await take(messages, 1)).toEqual([published]);
    } while (Date.now() < endsAt);
    const kept = await collect('the history ends', subscriber.history('a/1'));
    expect(kept.map(({ message }) => message)).toEqual(numbers(1, published + 1));
    expect(fetches).toBeGreaterThan(5);
    // It was renewed in time: the connection was never lost.
    expect([...states]).not.toContain('lost');
  });

  it('a client resumes where it was when its subject was revoked and is let in again', async () => {
    const { url, server } = await startServer({ key: secret });
    const owner = await bearer({ admin: true });
    // Two that were issued before it is revoked, and one that was issued later.
    const tokens = [await tokenFor({ subscribe: ['a'] }), await tokenFor({ subscribe: ['a'] })];
    const fanfare = client(url, { token: () => tokens.shift() ?? tokenFor({ subscribe: ['a'], iat: 2 }) });
    const subscription = fanfare.subscribe('a');
    await subscription.ready;
    const messages = subscription[Symbol.asyncIterator]();
    await server.publish('a', 1);
    expect(await take(messages, 1)).toEqual([1]);
    const revoked = await fetch(`${url}/revocations/ann`, { method: 'PUT', headers: owner });
    expect(revoked.status).toBe(200);
    await becomes(fanfare, 'lost');
    await server.publish('a', 2);
    await becomes(fanfare, 'live');
    await server.publish('a', 3);
    expect(await take(messages, 2)).toEqual([2, 3]);
  });

  it('a client is told which topics it may not read', async () => {
    const { url } = await startServer({ key: secret });
    const fanfare = client(url, { token: await tokenFor({ subscribe: ['a'] }) });
    await expect(fanfare.subscribe('b').ready).rejects.toMatchObject({ code: 'not_authorized' });
    await expect(fanfare.publish('a', 1)).rejects.toMatchObject({ code: 'not_authorized' });
    await eventually(() => fanfare.status.state).toBe('live');
  });
});

it('a client with a fixed token goes on trying while its server cannot fetch the keys', async () => {
  const [port, nobodys] = [await freePort(), await freePort()];
  const quiet = { warn: () => {}, error: () => {} };
  const { url, server } = await startServer({
    port,
    jwksUrl: `http://127.0.0.1:${nobodys}/keys`,
    logger: quiet,
  });
  const parts = [{ alg: 'RS256', kid: 'any' }, { sub: 'ann', exp: 4_000_000_000 }, {}];
  const token = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const answer = await fetch(`${url}/identity`, { headers: { authorization: `Bearer ${token}` } });
  expect([answer.status, answer.headers.has('www-authenticate')]).toEqual([503, false]);
  expect(await answer.json()).toMatchObject({ code: 'keys_unavailable', status: 503, retryable: true });
  const fanfare = client(url, { token });
  await eventually(() => fanfare.status).toMatchObject({
    state: 'connecting',
    error: { code: 'keys_unavailable' },
  });
  await server.stop();
  await startServer({ port });
  await becomes(fanfare, 'live');
});

it('a client hands its token to a server that asks for none', async () => {
  const { url } = await startServer();
  let fetches = 0;
  const fanfare = client(url, { token: () => (fetches++, tokenFor({ exp: 2 })) });
  const errors: unknown[] = [];
  fanfare.onStatus(({ error }) => error && errors.push(error));
  await becomes(fanfare, 'live');
  await eventually(() => fetches).toBeGreaterThan(2);
  expect([fanfare.status.state, errors]).toEqual(['live', []]);
});
