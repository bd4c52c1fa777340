import { request } from 'node:http';
import type { ServerOptions } from '@fanfare/server';
import { describe, expect, it } from 'vitest';
import { soonMs, within } from '../../../test/waits.ts';
import { secret } from './access/tokens.ts';
import { connectClient, connectRaw, startServer } from './harness.ts';

interface Answer {
  readonly status: number;
  readonly text: string;
}

function ask(url: string, headers: Readonly<Record<string, string | string[]>>): Promise<Answer> {
  const answer = new Promise<Answer>((resolve, reject) => {
    const sent = request(url, { headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject).end();
  });
  return within(soonMs, 'the server answers', answer);
}

const passedOn = /Without a key .* a proxy has forwarded this one\. Give the server a key \(`keyFile`\)/;

describe('a request that a proxy has forwarded to a server without a key', () => {
  it.each<Readonly<Record<string, string | string[]>>>([
    { 'X-Forwarded-For': '203.0.113.7' },
    { 'X-Forwarded-For': '127.0.0.1, 203.0.113.7' },
    { 'X-Forwarded-For': '203.0.113.7, 127.0.0.1' },
    { 'X-Forwarded-For': ['127.0.0.1', '203.0.113.7'] },
    { 'X-Forwarded-For': '192.168.0.7' },
    { 'X-Forwarded-For': '203.0.113.7:4711' },
    { 'X-Forwarded-For': '::ffff:203.0.113.7' },
    { 'X-Forwarded-For': '[2001:db8::1]:4711' },
    { 'X-Forwarded-For': 'unknown' },
    { 'X-Forwarded-For': '' },
    { 'X-Forwarded-For': '127.0.0.1@evil.example' },
    { 'X-Forwarded-Host': 'rt.example', 'X-Forwarded-For': '127.0.0.1' },
    { 'X-Forwarded-Host': '127.0.0.1.evil.example' },
    { 'X-Forwarded-Host': 'localhost.evil.example' },
    { 'X-Forwarded-Server': 'rt.example' },
    { 'X-Forwarded-Proto': 'https' },
    { 'X-Forwarded-Prefix': '/rt' },
    { 'X-Real-IP': '203.0.113.7' },
    { 'X-Real-IP': '203.0.113.7', 'X-Forwarded-For': '127.0.0.1' },
    { Via: '1.1 varnish' },
    { Via: '1.1 localhost, HTTP/1.1 rt.example:80 (Apache)' },
    { Forwarded: 'for=203.0.113.7' },
    { Forwarded: 'for=127.0.0.1, for=203.0.113.7;proto=https' },
    { Forwarded: 'For="[2001:db8::1]:4711"' },
    { Forwarded: 'for=127.0.0.1; by=203.0.113.43' },
    { Forwarded: 'for=127.0.0.1;host=rt.example' },
    { Forwarded: 'for=_hidden' },
    { Forwarded: 'proto=https' },
    { Forwarded: 'nonsense' },
  ])(
    'a server without a key refuses requests that a proxy forwarded, over HTTP and Socket.IO: %j',
    async (headers) => {
      const { url } = await startServer();
      for (const path of ['/', '/topics', '/socket.io/?EIO=4&transport=polling', '/fanfare.js']) {
        const { status, text } = await ask(`${url}${path}`, headers);
        expect([path, status]).toEqual([path, 403]);
        expect(text).toMatch(passedOn);
      }
      const extraHeaders = headers as Record<string, string>;
      await expect(connectClient(url, 'websocket', { extraHeaders })).rejects.toThrow('websocket error');
    },
  );

  it.each<Readonly<Record<string, string | string[]>>>([
    { 'X-Forwarded-For': '127.0.0.1', 'X-Forwarded-Port': '5173', 'X-Forwarded-Proto': 'http' },
    { 'X-Forwarded-For': '::1', 'X-Forwarded-Host': 'localhost:5173' },
    { 'X-Forwarded-For': '::ffff:127.0.0.1' },
    { 'X-Forwarded-For': '127.0.0.1:1234, [::1]:80' },
    { 'X-Forwarded-Host': 'app.localhost', 'X-Forwarded-Server': '127.0.0.1' },
    { 'X-Real-IP': '127.0.0.1' },
    { Via: '1.1 localhost:8080 (a proxy, of development)' },
    { Forwarded: 'for=127.0.0.1;proto=http;by=localhost, for="[::1]:5173"' },
  ])('a server without a key accepts forwarded requests that name only this machine: %j', async (headers) => {
    const { url } = await startServer();
    for (const path of ['/', '/topics', '/socket.io/?EIO=4&transport=polling']) {
      expect([path, (await ask(`${url}${path}`, headers)).status]).toEqual([path, 200]);
    }
  });

  it('a server with a key or `open` accepts forwarded requests', async () => {
    const headers = { 'X-Forwarded-For': '203.0.113.7' };
    const others: readonly (readonly [ServerOptions, number])[] = [
      [{ open: true }, 200],
      [{ key: secret }, 401],
    ];
    for (const [options, status] of others) {
      const { url } = await startServer(options);
      expect((await ask(`${url}/topics`, headers)).status).toBe(status);
      expect(await headOf(url, 'GET /topics HTTP/1.0')).toBe(`HTTP/1.1 ${status}`);
    }
  });
});

describe('HTTP/1.0, which nginx uses by default, to a server without a key', () => {
  it.each([
    ['GET / HTTP/1.0', 200],
    ['GET /topics HTTP/1.0', 403],
    ['GET /fanfare.js HTTP/1.0', 403],
    ['GET /?x HTTP/1.0', 403],
    ['PUT /topic?topic=a HTTP/1.0', 403],
    ['POST /publish HTTP/1.0', 403],
    ['GET /socket.io/?EIO=4&transport=polling HTTP/1.0', 403],
    ['GET /topics HTTP/1.0\r\nHost: localhost', 403],
    ['GET /topics HTTP/1.1\r\nHost: localhost\r\nConnection: close', 200],
  ])('a server without a key responds to %j with %i', async (head, status) => {
    const { url } = await startServer();
    expect(await headOf(url, head)).toBe(`HTTP/1.1 ${status}`);
  });
});

/** The beginning of the response to a request head. */
async function headOf(url: string, head: string): Promise<string> {
  const { socket, ended } = connectRaw(url);
  socket.write(`${head}\r\n\r\n`);
  return (await ended).slice(0, 'HTTP/1.1 200'.length);
}
