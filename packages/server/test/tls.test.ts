import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { createServer, SettingsError, type ServerOptions } from '@fanfare/server';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, soonMs, until, within } from '../../../test/waits.ts';
import { connectClient, startServer, transports } from './harness.ts';
import { selfSigned } from './self-signed.ts';

let first: string;
let second: string;

beforeAll(async () => {
  [first, second] = await Promise.all([selfSigned(), selfSigned()]);
});

const certificateOf = (pem: string): string =>
  /-----BEGIN CERT[^]*?-----END CERT[A-Z]*-----\n/.exec(pem)?.[0] ?? '';
const keyOf = (pem: string): string => /-----BEGIN PRIV[^]*?-----END PRIV[A-Z ]*-----\n/.exec(pem)?.[0] ?? '';

interface Files {
  readonly tlsCert: string;
  readonly tlsKey: string;
}

/** A directory with a certificate and its key, removed when the test ends. */
function files(certificate = certificateOf(first), key = keyOf(first)): Files {
  const directory = mkdtempSync(join(tmpdir(), 'fanfare-tls-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const named = { tlsCert: join(directory, 'cert.pem'), tlsKey: join(directory, 'key.pem') };
  replace(named.tlsCert, certificate);
  replace(named.tlsKey, key);
  return named;
}

/** As certbot and Kubernetes do it: the new file takes the place of the old one. */
function replace(path: string, content: string): void {
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

async function secured(options: ServerOptions = {}): Promise<{ url: string; port: number; named: Files }> {
  const named = files();
  const { url } = await startServer({ ...named, ...options });
  return { url, port: Number(new URL(url).port), named };
}

async function ask(url: string, path: string, body?: object): Promise<{ status?: number; text: string }> {
  const sent = request(`${url}${path}`, {
    method: body ? 'POST' : 'GET',
    ca: certificateOf(first),
    agent: false,
    headers: { 'content-type': 'application/json' },
  });
  sent.end(body && JSON.stringify(body));
  const response = await nextEvent<IncomingMessage>(sent, 'response', 'the server responds over TLS');
  return {
    ...(response.statusCode !== undefined && { status: response.statusCode }),
    text: await text(response),
  };
}

/** The certificate that the server presents to a new connection. */
async function presented(port: number): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await nextEvent(socket, 'secureConnect', 'the server shakes hands');
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  return raw.toString('base64');
}

const bare = (pem: string): string => certificateOf(pem).replace(/-----[A-Z ]+-----|\n/g, '');

describe('a server with a certificate', () => {
  it.each(transports)('serves stock clients over TLS and %s', async (transport) => {
    const { url } = await secured();
    expect(url).toMatch(/^https:\/\/localhost:\d+$/);
    const client = await connectClient(url.replace('localhost', '127.0.0.1'), transport, { ca: first });
    await client.emitWithAck('subscribe', { topic: 'news' });
    const message = nextEvent(client, 'news', 'the message comes');
    expect(await ask(url, '/publish', { topic: 'news', message: 'hello' })).toMatchObject({ status: 200 });
    expect(await message).toEqual({ message: 'hello' });
    const large = nextEvent(client, 'news', 'a message of 900 kB comes');
    await client.emitWithAck('publish', { topic: 'news', message: 'x'.repeat(900_000) });
    expect(await large).toEqual({ message: 'x'.repeat(900_000) });
  });

  it('presents a replaced certificate to new connections, and keeps the connections that it has', async () => {
    const { url, port, named } = await secured();
    const client = await connectClient(url.replace('localhost', '127.0.0.1'), 'websocket', { ca: first });
    expect(await presented(port)).toBe(bare(first));
    replace(named.tlsKey, keyOf(second));
    replace(named.tlsCert, certificateOf(second));
    await until(
      'the server presents the new certificate',
      async () => (await presented(port)) === bare(second),
    );
    expect((await client.emitWithAck('subscribe', { topic: 'news' })) as object).toMatchObject({
      topic: 'news',
    });
  });

  it('keeps its certificate, and logs why, while the replaced files do not fit or are gone', async () => {
    const logged: string[] = [];
    const logger = {
      warn: () => {},
      error: (fields: object, message: string) =>
        void logged.push(`${message} ${(fields as { err: Error }).err.message}`),
    };
    const { port, named } = await secured({ logger });
    replace(named.tlsKey, keyOf(second));
    await until('the server sees that the key has changed', () => logged.length === 1);
    rmSync(named.tlsCert);
    await until('the server sees that the certificate is gone', () => logged.length === 2);
    expect(logged).toEqual([
      `Cannot use the changed certificate: still using the last one. The key in '${named.tlsKey}' does not belong to the certificate in '${named.tlsCert}'.`,
      `Cannot use the changed certificate: still using the last one. The certificate file '${named.tlsCert}' cannot be read (ENOENT).`,
    ]);
    expect(await presented(port)).toBe(bare(first));
    replace(named.tlsCert, certificateOf(second));
    await until(
      'the server presents the new certificate',
      async () => (await presented(port)) === bare(second),
    );
  });

  it('closes connections without TLS, with a broken handshake or beyond the limit, and serves the others', async () => {
    const { url, port } = await secured({ connectionsMax: 2 });
    for (const sent of ['GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', '\x16\x03\x01\x00\x05nonsense']) {
      const plain = connectTcp(port, '127.0.0.1').on('error', () => {});
      plain.write(sent);
      plain.resume();
      await nextEvent(plain, 'close', 'the server closes a connection that is not TLS');
    }
    const held = [1, 2].map(() => connectTls({ port, host: '127.0.0.1', ca: certificateOf(first) }));
    onTestFinished(() => held.forEach((socket) => void socket.destroy()));
    for (const socket of held) await nextEvent(socket, 'secureConnect', 'the server shakes hands');
    const beyond: TLSSocket = connectTls({ port, host: '127.0.0.1', ca: certificateOf(first) });
    beyond.on('error', () => {});
    await nextEvent(beyond, 'close', 'the server closes the third connection');
    for (const socket of held) socket.destroy();
    const served = async (): Promise<boolean> =>
      (await ask(url, '/readyz').catch(() => undefined))?.status === 200;
    await until('the server serves again', served);
    expect(await served()).toBe(true);
  });

  it('accepts TLS 1.3 and 1.2, and no older version', async () => {
    const { port } = await secured();
    const handshake = async (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'): Promise<string | null> => {
      const options = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } as const;
      const socket = connectTls({ port, host: '127.0.0.1', ca: certificateOf(first), ...options });
      onTestFinished(() => void socket.destroy());
      const shaken = new Promise<string | null>((resolve) => {
        socket.once('secureConnect', () => resolve(socket.getProtocol())).once('error', () => resolve(null));
      });
      return within(soonMs, 'the handshake ends', shaken);
    };
    expect(await handshake('TLSv1.3')).toBe('TLSv1.3');
    expect(await handshake('TLSv1.2')).toBe('TLSv1.2');
    expect(await handshake('TLSv1.1')).toBeNull();
  });
});

describe('wrong certificates', () => {
  const startWith = async (options: ServerOptions): Promise<string> => {
    const server = createServer({ port: 0, logger: { warn: () => {}, error: () => {} }, ...options });
    onTestFinished(() => server.stop());
    const error = await server.start().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(SettingsError);
    return (error as SettingsError).message;
  };

  it('a server does not start with a certificate or a key that it cannot use, and says which file is wrong', async () => {
    const foreign = files(certificateOf(first), keyOf(second));
    expect(await startWith(foreign)).toBe(
      `The key in '${foreign.tlsKey}' does not belong to the certificate in '${foreign.tlsCert}'.`,
    );
    const noPem = files('nonsense');
    expect(await startWith(noPem)).toMatch(
      `The certificate in '${noPem.tlsCert}' and the key in '${noPem.tlsKey}' cannot be used (`,
    );
    expect(await startWith({ ...foreign, tlsKey: '/nowhere/key.pem' })).toBe(
      "The key file '/nowhere/key.pem' cannot be read (ENOENT).",
    );
  });

  it('a certificate without a key, or a key without a certificate, is refused', () => {
    const { tlsCert, tlsKey } = files();
    const reason = 'TLS needs a certificate and its key: set both `tlsCert` and `tlsKey`.';
    expect(() => createServer({ tlsCert })).toThrow(reason);
    expect(() => createServer({ tlsKey })).toThrow(reason);
  });
});
