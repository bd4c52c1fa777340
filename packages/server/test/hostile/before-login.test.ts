import { createServer } from 'node:http';
import { attach } from '@fanfare/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { secret } from '../access/tokens.ts';
import { startServer } from '../harness.ts';
import { heapBytes } from '../heap.ts';
import { request } from './inputs/http.ts';
import { openSession, sidIn } from './inputs/sockets.ts';
import { masterToken } from './inputs/tokens.ts';
import { converse } from './virtual-connection.ts';
import { connectRawClient, rawTransports } from './wire.ts';

describe.each(rawTransports)(
  'A10: a client that connects many times over one %s connection',
  (_name, open) => {
    it.each([
      ['without a token', {}, ''],
      ['with one', { key: secret }, JSON.stringify({ token: masterToken })],
    ])('is ended, %s', async (_what, options, auth) => {
      const { url } = await startServer({ loginTimeoutMs: 600_000, ...options });
      const client = await open(url);
      // At once: over one that asks again once it is in, Socket.IO ends the connection by itself.
      await client.send(`40${auth}`, `40${auth}`, `40${auth}`).catch(() => {});
      await client.ended();
    });

    it('is in when it tries other namespaces first, or comes again after it has left', async () => {
      const { url } = await startServer();
      const client = await open(url);
      await client.send('40/one,', '40/two,');
      expect([await client.next(), await client.next()].join()).toContain('Invalid namespace');
      for (let at = 0; at < 3; at++) {
        await connectRawClient(client);
        await client.send('41');
        await fetch(url, { headers: { connection: 'close' } }).then(async (response) => response.text());
      }
    });

    it('is in with its second token when the first was refused', async () => {
      const { url } = await startServer({ key: secret });
      const client = await open(url);
      await client.send('40{"token":"x"}');
      expect(await client.next()).toContain('not_authenticated');
      await connectRawClient(client, JSON.stringify({ token: masterToken }));
    });
  },
);

describe('A10: sessions that poll, come, and fail', () => {
  it('leave nothing behind', async () => {
    const http = createServer((_request, response) => response.writeHead(404).end());
    const fanfare = await attach(http, { memory: true });
    onTestFinished(() => fanfare.stop());
    const comeAndGo = async (times: number): Promise<void> => {
      for (let at = 0; at < times; at++) {
        const sid = sidIn((await converse(http, [openSession])).text) ?? 'none';
        const path = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
        expect((await converse(http, [request('POST', path, Buffer.from('no payload'))])).text).toContain(
          '200 OK',
        );
      }
    };
    await comeAndGo(1_000);
    const before = heapBytes();
    await comeAndGo(3_000);
    expect(heapBytes() - before).toBeLessThan(2_000_000);
  });
});
