import { createServer, type ServerOptions } from '@fanfare/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../../test/waits.ts';
import { lineForPeople } from '../src/observability/line-for-people.ts';
import { bearer, secret, tokenFor } from './access/tokens.ts';
import { connectClient, publish } from './harness.ts';
import { tcpOf } from './slow-reader.ts';

type Line = readonly [level: string, message: string, fields: { readonly client?: object }];

/** A server, and what it logs. */
async function logging(
  options: ServerOptions = {},
): Promise<{ url: string; lines: Line[]; stop: () => Promise<void> }> {
  const lines: Line[] = [];
  const to =
    (level: string) =>
    (fields: object, message: string): void =>
      void lines.push([level, message, fields]);
  const logger = { info: to('info'), warn: to('warn'), error: to('error') };
  const server = createServer({ port: 0, logger, ...options });
  onTestFinished(() => server.stop());
  return { url: await server.start(), lines, stop: () => server.stop() };
}

const messagesOf = (lines: readonly Line[]): string[] =>
  lines.map(([level, message]) => `${level} ${message}`);

describe('the log of a server', () => {
  it('has a line for the start with all settings, one for each step of a stop, and none for a message', async () => {
    const { url, lines, stop } = await logging({ publishBytesMax: 2_000 });
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news' });
    for (let at = 0; at < 50; at++) await publish(url, { topic: 'news', message: at });
    await client.emitWithAck('publish', { topic: 'news', message: 'over the socket' });
    await stop();
    expect(messagesOf(lines)).toEqual([
      'info The server has started.',
      'info The server is stopping.',
      'info The server has stopped.',
    ]);
    expect(lines[0]?.[2]).toMatchObject({
      url,
      node: process.version,
      settings: { publishBytesMax: 2_000, outboxBytesMax: 1_048_576, memory: true },
    });
  });

  it('never has a secret, a token or a message', async () => {
    const { url, lines, stop } = await logging({ key: secret });
    const foreign = await tokenFor({ sub: 'eve' });
    const [token, forged] = [(await bearer()).authorization, `${foreign.slice(0, -4)}AAAA`];
    await publish(url, { topic: 'private', message: 'a message' }, { authorization: `Bearer ${forged}` });
    await publish(url, { topic: 'private', message: 'a message' }, { authorization: token });
    await expect(connectClient(url, 'websocket', { auth: { token: forged } })).rejects.toThrow();
    await stop();
    const text = JSON.stringify(lines);
    expect(messagesOf(lines)).toContainEqual(expect.stringMatching(/^warn A client was refused\. /));
    for (const hidden of [secret, token.slice(7), forged, 'a message', 'private'])
      expect(text).not.toContain(hidden);
  });

  it('has refused tokens and rates once a minute, with the number of the others', async () => {
    const { url, lines, stop } = await logging({ key: secret, publishRatePerSubjectMax: 1 });
    for (let at = 0; at < 5; at++) expect((await fetch(`${url}/topics`)).status).toBe(401);
    const headers = await bearer({ publish: ['**'] });
    const statuses = [];
    for (let at = 0; at < 6; at++)
      statuses.push((await publish(url, { topic: 'news', message: at }, headers)).status);
    const limited = statuses.filter((status) => status === 429).length;
    expect(limited).toBeGreaterThan(1);
    await stop();
    const refusals = lines.filter(([level]) => level === 'warn');
    expect(refusals.map(([, message]) => message.replace(/\d+ ms/, 'N ms'))).toEqual([
      expect.stringMatching(/^A client was refused\. .*token/),
      'A client was refused. Too many publishes: nothing was done. Retry in N ms.',
      '4 more in the last minute: not_authenticated',
      `${limited - 1} more in the last minute: rate_limited`,
    ]);
    expect(refusals[0]?.[2].client).toEqual({ code: 'not_authenticated' });
  });

  it('says once that a subscriber does not keep up, with its connection, topic and address', async () => {
    const { url, lines } = await logging({ outboxBytesMax: 100_000 });
    const [publisher, slow] = [await connectClient(url), await connectClient(url)];
    await slow.emitWithAck('subscribe', { topic: 'news' });
    tcpOf(slow).pause();
    const isLogged = (): boolean => lines.some(([level]) => level === 'warn');
    await until('the slow subscriber is logged', isLogged, {
      step: () => publisher.emitWithAck('publish', { topic: 'news', message: 'x'.repeat(90_000) }),
    });
    tcpOf(slow).resume();
    expect(lines.filter(([level]) => level === 'warn')).toEqual([
      [
        'warn',
        'A subscriber does not keep up: it gets further messages from the log, later.',
        { client: { id: slow.id, topic: 'news', address: '127.0.0.1' } },
      ],
    ]);
  });
});

describe('an entry of the log on a terminal', () => {
  const entry = { level: 40, time: Date.UTC(2026, 0, 1), pid: 1, hostname: 'h', name: 'fanfare' };
  const shown = (fields: object): string =>
    lineForPeople(JSON.stringify({ ...entry, ...fields })).replace(/^\d\d:\d\d:\d\d /, '');

  it('is a line with the level, the sentence and the fields', () => {
    expect(shown({ msg: 'Refused.', client: { code: 'x' } })).toBe(
      'warn  Refused. {"client":{"code":"x"}}\n',
    );
    expect(shown({ level: 30, msg: 'Started.' })).toBe('info  Started.\n');
  });

  it('has the message of an error, and the stack of a failure', () => {
    const err = { message: 'no space left', stack: 'Error: no space left\n    at write' };
    expect(shown({ msg: 'Cannot store.', err })).toBe('warn  Cannot store. (no space left)\n');
    expect(shown({ level: 50, msg: 'Cannot store.', err })).toBe(
      'error Cannot store. (no space left)\nError: no space left\n    at write\n',
    );
  });

  it('is one line, of a bounded length, whatever clients send', () => {
    expect(shown({ msg: 'a\nb\u001b[2J' })).toBe('warn  a b [2J\n');
    expect(shown({ msg: 'Refused.', client: { origin: 'x\n'.repeat(1_000) } }).length).toBeLessThan(400);
  });
});
