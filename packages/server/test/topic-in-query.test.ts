import { describe, expect, it } from 'vitest';
import { nextEvent } from '../../../test/waits.ts';
import { bearer, secret, tokenFor } from './access/tokens.ts';
import { connectClient, startServer } from './harness.ts';

interface Asked {
  readonly status: number;
  readonly body: unknown;
}

async function ask(url: string, path: string, method = 'GET', headers = {}): Promise<Asked> {
  const response = await fetch(`${url}${path}`, { method, headers: { connection: 'close', ...headers } });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

describe('a topic that is named in the query', () => {
  it.each([
    ['orders/7', 'orders/7'],
    ['orders%2F7', 'orders/7'],
    ['breaking+news', 'breaking news'],
    ['a%2Bb', 'a+b'],
    ['..', '..'],
    ['a//b%3Fc%3Dd%26e', 'a//b?c=d&e'],
    ['%C3%BC%F0%9F%98%80', 'ü😀'],
  ])('a topic in the query is the same topic as in the path: %s', async (written, topic) => {
    const { url } = await startServer();
    expect(await ask(url, `/topic?topic=${written}`, 'PUT')).toMatchObject({ status: 201, body: { topic } });
    expect(await ask(url, `/topic?x=1&topic=${written}`)).toMatchObject({ status: 200, body: { topic } });
    expect(await ask(url, `/messages?last=1&topic=${written}`)).toMatchObject({
      status: 200,
      body: { messages: [] },
    });
    expect(await ask(url, `/subscribers?topic=${written}`)).toMatchObject({ body: { subscribers: [] } });
    expect(await ask(url, `/topic?topic=${written}`, 'DELETE')).toMatchObject({ status: 204 });
    expect(await ask(url, `/messages?topic=${written}`)).toMatchObject({ status: 404 });
  });

  it.each([
    ['/topic', 'bad_request'],
    ['/topic?Topic=a', 'bad_request'],
    ['/topic?topic=a&topic=a', 'bad_request'],
    ['/messages?from=earliest', 'bad_request'],
    ['/messages?topic=%ff', 'bad_request'],
    ['/subscribers', 'bad_request'],
    ['/topic?topic=', 'topic_name_invalid'],
    ['/topic?topic=a%00', 'topic_name_invalid'],
  ])('a missing or wrong topic in the query is refused, and the field is named: %s', async (path, code) => {
    const { url } = await startServer();
    expect(await ask(url, path)).toMatchObject({ status: 400, body: { code, errors: [{ field: 'topic' }] } });
  });

  it('a topic in the query needs the same rights as in the path', async () => {
    const { url } = await startServer({ key: secret });
    const headers = await bearer({ subscribe: ['orders/*'] });
    expect(await ask(url, '/messages?topic=orders/7', 'GET', headers)).toMatchObject({ status: 404 });
    for (const path of ['/messages?topic=other', '/topic?topic=other', '/subscribers?topic=orders/7']) {
      expect([path, await ask(url, path, 'GET', headers)]).toMatchObject([path, { status: 403 }]);
      expect([path, await ask(url, path)]).toMatchObject([path, { status: 401 }]);
    }
    expect(await ask(url, '/topic?topic=orders/7', 'DELETE', headers)).toMatchObject({ status: 403 });
  });
});

it('a subject with a slash is revoked by its name in the query', async () => {
  const { url } = await startServer({ key: secret });
  const sub = 'https://idp.example/users/7';
  const client = await connectClient(url, 'websocket', { auth: { token: await tokenFor({ sub }) } });
  const ended = nextEvent(client, 'disconnect', "the revoked subject's connection is ended");
  const admin = await bearer({ admin: true });
  expect(await ask(url, `/revocations?subject=${sub}`, 'PUT', admin)).toMatchObject({
    status: 200,
    body: { subject: sub, ended: 1 },
  });
  await ended;
  expect(await ask(url, '/revocations', 'PUT', admin)).toMatchObject({
    status: 400,
    body: { errors: [{ field: 'subject' }] },
  });
});
