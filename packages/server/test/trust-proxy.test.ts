import type { IncomingMessage } from 'node:http';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ConnectionPage } from '@fanfare/protocol';
import { attach, SettingsError, type ServerOptions } from '@fanfare/server';
import { Server } from 'socket.io';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startListening } from '../../../test/waits.ts';
import { clientAddressesOf } from '../src/config/trust-proxy.ts';
import { connectClient, publish, startServer, transports } from './harness.ts';
import { declare, openStream } from './http-tools.ts';

const from = (address: string): { 'x-forwarded-for': string } => ({ 'x-forwarded-for': address });

describe('the address of a client', () => {
  it.each([
    ['', '127.0.0.1', '203.0.113.7', '127.0.0.1'],
    ['0', '127.0.0.1', '203.0.113.7', '127.0.0.1'],
    ['1', '127.0.0.1', '203.0.113.7', '203.0.113.7'],
    ['1', '127.0.0.1', '198.51.100.1, 203.0.113.7', '203.0.113.7'],
    ['2', '127.0.0.1', '198.51.100.1, 203.0.113.7', '198.51.100.1'],
    ['2', '127.0.0.1', '203.0.113.7', '203.0.113.7'],
    ['9', '127.0.0.1', undefined, '127.0.0.1'],
    ['1', undefined, '203.0.113.7', '203.0.113.7'],
    [1, '127.0.0.1', '203.0.113.7', '203.0.113.7'],
    ['127.0.0.1', '127.0.0.1', '198.51.100.1, 203.0.113.7', '203.0.113.7'],
    ['127.0.0.1', '::ffff:127.0.0.1', '203.0.113.7', '203.0.113.7'],
    ['127.0.0.1', '192.0.2.1', '203.0.113.7', '192.0.2.1'],
    ['127.0.0.1, 10.0.0.0/8', '127.0.0.1', '1.1.1.1, 203.0.113.7, 10.1.2.3', '203.0.113.7'],
    ['127.0.0.1, 10.0.0.0/8', '127.0.0.1', '10.1.2.3', '10.1.2.3'],
    ['2001:db8::/32', '2001:db8::1', '2001:db9::7', '2001:db9::7'],
    ['fe80::/10', 'fe80::1%eth0', '203.0.113.7', '203.0.113.7'],
    ['1', '127.0.0.1', '203.0.113.7:4711', '203.0.113.7'],
    ['1', '127.0.0.1', ' [2001:db8::7]:4711 ', '2001:db8::7'],
    ['1', '127.0.0.1', '203.0.113.7, unknown', '127.0.0.1'],
    ['1', '127.0.0.1', '', '127.0.0.1'],
    ['1', '127.0.0.1', '<script>', '127.0.0.1'],
  ])(
    'the address of a client with trustProxy %j over %j, with X-Forwarded-For: %j, is %j',
    (trustProxy, remoteAddress, header, is) => {
      const request = { socket: { remoteAddress }, headers: { 'x-forwarded-for': header } };
      expect(clientAddressesOf({ trustProxy }).of(request as unknown as IncomingMessage)).toBe(is);
    },
  );

  it.each(['proxy.example', '10.0.0.0/33', '10.0.0.0/', '127.0.0.1,', 'loopback', '-1', '100', true, 1.5])(
    'a server with a wrong `trustProxy` does not start: %j',
    async (trustProxy) => {
      const starting = startServer({ trustProxy } as unknown as ServerOptions);
      await expect(starting).rejects.toThrow(SettingsError);
    },
  );
});

async function addressesOf(url: string): Promise<readonly string[]> {
  const response = await fetch(`${url}/connections`, { headers: { connection: 'close' } });
  return ((await response.json()) as ConnectionPage).connections.map(({ address }) => address);
}

const behind = { open: true, trustProxy: '127.0.0.1' } as const;

describe('behind a trusted proxy', () => {
  it('operators see the addresses that a trusted proxy forwards', async () => {
    const { url } = await startServer(behind);
    await declare(url, 'news');
    for (const [at, transport] of transports.entries())
      await connectClient(url, transport, { extraHeaders: from(`203.0.113.${at}`) });
    await openStream(`${url}/messages?topic=news`, from('2001:db8::7'));
    const addresses = ['203.0.113.0', '203.0.113.1', '203.0.113.2', '2001:db8::7'];
    expect(await addressesOf(url)).toEqual(addresses);
  });

  it('operators see the address of the proxy itself if it is not trusted', async () => {
    const { url } = await startServer({ open: true });
    await connectClient(url, 'websocket', { extraHeaders: from('203.0.113.7') });
    expect(await addressesOf(url)).toEqual(['127.0.0.1']);
  });

  it('behind a trusted proxy, rates are limited by client address, over HTTP and Socket.IO', async () => {
    const { url } = await startServer({ ...behind, publishRatePerAddressMax: 1 });
    await declare(url, 'news');
    const one = { topic: 'news', message: 1 };
    const statusFrom = async (address: string): Promise<number> =>
      (await publish(url, one, from(address))).status;
    expect(await statusFrom('203.0.113.1')).toBe(200);
    expect(await statusFrom('203.0.113.1')).toBe(429);
    expect(await statusFrom('203.0.113.2')).toBe(200);
    const client = await connectClient(url, 'websocket', { extraHeaders: from('203.0.113.2') });
    expect(await client.emitWithAck('publish', one)).toMatchObject({ error: { code: 'rate_limited' } });
  });

  it.each(['websocket', 'polling'] as const)(
    "behind a trusted proxy, connections over %s are counted by client address, and the proxy's own are not limited",
    async (transport) => {
      const { url } = await startServer({ ...behind, connectionsPerAddressMax: 1 });
      const connect = (address: string) => connectClient(url, transport, { extraHeaders: from(address) });
      const first = await connect('203.0.113.1');
      await expect(connect('203.0.113.1')).rejects.toThrow(/error/);
      await connect('203.0.113.2');
      first.close();
      await expect
        .poll(() =>
          connect('203.0.113.1').then(
            () => true,
            () => false,
          ),
        )
        .toBe(true);
    },
  );

  it('behind a trusted proxy, streams are counted by client address', async () => {
    const { url } = await startServer({ ...behind, connectionsPerAddressMax: 1 });
    await declare(url, 'news');
    const stream = `${url}/messages?topic=news`;
    const first = await openStream(stream, from('203.0.113.1'));
    const headers = { accept: 'text/event-stream', connection: 'close' };
    const again = await fetch(stream, { headers: { ...headers, ...from('203.0.113.1') } });
    expect([again.status, await again.json()]).toMatchObject([429, { code: 'limit_exceeded' }]);
    await openStream(stream, from('203.0.113.2'));
    first.close();
    await expect
      .poll(async () => {
        const reader = await openStream(stream, from('203.0.113.1')).catch(() => undefined);
        return reader !== undefined;
      })
      .toBe(true);
  });

  it("behind a trusted proxy, operators see client addresses from an app's own Socket.IO server too", async () => {
    const http = createHttpServer();
    const io = new Server(http);
    const fanfare = await attach(http, { io, http: 'all', ...behind });
    await startListening(http);
    onTestFinished(async () => {
      await fanfare.stop();
      await io.close();
    });
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    const client = await connectClient(url, 'websocket', { extraHeaders: from('203.0.113.7') });
    await client.emitWithAck('subscribe', { topic: 'news' });
    expect(await addressesOf(url)).toEqual(['203.0.113.7']);
  });
});
