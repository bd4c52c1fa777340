import type { ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { until } from '../../../../test/waits.ts';
import { sendByNode, sendWithCachedHead, type SendText } from '../../src/insides/cached-heads.ts';
import { get, rehearse } from '../../src/insides/node-rehearsal.ts';

const headers = ['vary', 'Origin', 'content-type', 'text/plain'];

interface Sent {
  readonly text: string;
  readonly isCached: boolean;
}

/** Sends responses over one connection. */
function sender(
  send: SendText,
): (body: string, change?: (response: ServerResponse) => void) => Promise<Sent> {
  const { connection, exchange } = rehearse();
  let count = 0;
  return async (body, change) => {
    connection.arrive(get);
    const { response } = await exchange(++count);
    change?.(response);
    send(response, body);
    await until('the response is closed', () => response.closed);
    const text = connection.sent;
    connection.sent = '';
    return { text, isCached: String(Reflect.get(response, '_header')).endsWith(body) };
  };
}

function withoutDate({ text }: Sent): string {
  return text.replace(/\r\nDate: .*/, '');
}

it('only responses with bodies of the same length, in the same second, have the same head', async () => {
  let now = 1_000;
  const send = sender(sendWithCachedHead(headers, () => now));
  const areCached = async (...bodies: readonly string[]): Promise<boolean[]> => {
    const found: boolean[] = [];
    for (const body of bodies) found.push((await send(body)).isCached);
    return found;
  };
  expect(await areCached('one', 'two', 'three', 'seven', 'six')).toEqual([false, true, false, true, true]);
  now = 1_999;
  expect(await areCached('one', 'three')).toEqual([true, true]);
  now = 2_000;
  expect(await areCached('one', 'two')).toEqual([false, true]);
  // The clock was set back.
  now = 1_999;
  expect(await areCached('one', 'two')).toEqual([false, true]);
});

it('the dates of cached heads go on', async () => {
  const send = sender(sendWithCachedHead(headers));
  const dates = new Set<string | undefined>();
  let cached = 0;
  await until('a third date', async () => {
    const { text, isCached } = await send('body');
    dates.add(/\r\nDate: (.*)\r/.exec(text)?.[1]);
    if (isCached) cached++;
    return dates.size === 3;
  });
  expect(dates).not.toContain(undefined);
  expect(cached).toBeGreaterThan(0);
});

it('no more than 256 heads are kept', async () => {
  const send = sender(sendWithCachedHead(headers, () => 0));
  for (let length = 1; length <= 256; length++) await send('x'.repeat(length));
  expect((await send('y')).isCached).toBe(true);
  await send('x'.repeat(257));
  expect((await send('y')).isCached).toBe(false);
});

const changes: Readonly<Record<string, (response: ServerResponse) => void>> = {
  'another header': (response) => response.setHeader('x-other', '1'),
  'another reason phrase': (response) => (response.statusMessage = 'Fine'),
  'no date': (response) => response.removeHeader('date'),
  'another method writeHead': (response) => {
    const writeHead = response.writeHead.bind(response);
    response.writeHead = (status: number, names: unknown) =>
      writeHead(status, [...(names as string[]), 'x-other', '1']);
  },
  'another method end': (response) => {
    const end = response.end.bind(response);
    response.end = (body: unknown) => end(String(body).toUpperCase());
  },
};

it.each(Object.keys(changes))('a response to which an app gave %s is sent as by Node', async (name) => {
  const change = changes[name];
  const send = sender(sendWithCachedHead(headers, () => 0));
  await send('body');
  expect((await send('body')).isCached).toBe(true);
  const expected = await sender(sendByNode(headers))('body', change);
  expect(withoutDate(await send('body', change))).toBe(withoutDate(expected));
  expect(expected.text).not.toBe((await send('body')).text);
});

it('a body that is not ASCII is sent in UTF-8', async () => {
  const send = sender(sendWithCachedHead(headers, () => 0));
  await send('body');
  const sent = [await send('dür'), await send('dür')];
  for (const { text, isCached } of sent) {
    expect(Buffer.from(text, 'latin1').toString()).toMatch(/\r\ncontent-length: 4\r\n[^]*\r\n\r\ndür$/);
    expect(isCached).toBe(false);
  }
});

it('a response to a client that has gone is sent to nobody, without an error', async () => {
  const send = sendWithCachedHead(headers, () => 0);
  await sender(send)('body');
  const { connection, exchange } = rehearse();
  connection.arrive(get);
  const { response } = await exchange(1);
  connection.destroy();
  await until('the response is closed', () => response.closed);
  send(response, 'body');
  expect([connection.sent, response.headersSent, response.writableEnded]).toEqual(['', true, true]);
});
