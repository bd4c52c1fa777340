import { describe, expect, it } from 'vitest';
import { secret } from '../access/tokens.ts';
import { startServer } from '../harness.ts';
import { masterToken } from './inputs/tokens.ts';
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
