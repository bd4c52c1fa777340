import { createServer as createHttpServer } from 'node:http';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attach } from '@fanfare/server';
import { exportJWK, generateKeyPair } from 'jose';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, startListening, until } from '../../../test/waits.ts';
import { secret } from './access/tokens.ts';
import { startServer } from './harness.ts';
import { statusOf, temporaryDirectory } from './http-tools.ts';

const quiet = { warn: (): void => {}, error: (): void => {} };

/** The status and body of `GET /readyz`. */
async function readiness(url: string): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(`${url}/readyz`, { headers: { connection: 'close' } });
  return { status: response.status, body: await response.json() };
}

describe('GET /readyz', () => {
  it('`GET /readyz` needs no token, and names each check and the level at which the log stores', async () => {
    const { url } = await startServer({ key: secret });
    const response = await fetch(`${url}/readyz`);
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await response.json()).toEqual({
      ready: true,
      checks: { log: { ok: true, stored: 'memory' }, keys: { ok: true }, running: { ok: true } },
    });
    const onDisk = await startServer({ data: await temporaryDirectory() });
    expect(await readiness(onDisk.url)).toMatchObject({
      status: 200,
      body: { checks: { log: { stored: 'disk' } } },
    });
    const posted = await fetch(`${url}/readyz`, { method: 'POST' });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('an open server answers `GET /readyz` whatever `Host` and proxy headers say, and nothing else', async () => {
    const { url } = await startServer();
    const foreign = 'Host: lb.example\r\nX-Forwarded-For: 192.0.2.1';
    expect(await statusOf(url, `GET /readyz HTTP/1.1\r\n${foreign}`)).toBe('200 OK');
    expect(await statusOf(url, `HEAD /readyz?a=b HTTP/1.1\r\n${foreign}`)).toBe('200 OK');
    expect(await statusOf(url, 'GET /readyz HTTP/1.0')).toBe('200 OK');
    for (const other of [
      'GET /stats',
      'GET /%72eadyz',
      'GET /readyz/../stats',
      'GET /readyz/',
      'GET /readyz;/../stats',
      'GET //readyz',
      'POST /readyz',
      'PUT /readyz',
      'OPTIONS /readyz',
    ])
      expect([other, await statusOf(url, `${other} HTTP/1.1\r\n${foreign}`)]).toEqual([
        other,
        '403 Forbidden',
      ]);
    expect(await statusOf(url, 'GET /readyz HTTP/1.1')).toBe('400 Bad Request');
    expect(await statusOf(url, 'GET /readyz HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example')).toBe(
      '403 Forbidden',
    );
  });

  it('a server whose only keys are at a URL is not ready until the URL has given them', async () => {
    const { publicKey } = await generateKeyPair('RS256');
    const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: 'RS256' }] });
    let give = (): void => {};
    const issuer = createHttpServer((_request, response) => (give = () => void response.end(keys)));
    const port = await startListening(issuer);
    onTestFinished(() => void issuer.close());
    const asked = nextEvent(issuer, 'request', 'the server asks for the keys');
    const { url } = await startServer({ jwksUrl: `http://127.0.0.1:${port}/` });
    expect((await readiness(url)).body).toEqual({
      ready: false,
      checks: {
        log: { ok: true, stored: 'memory' },
        keys: { ok: false, reason: 'The keys for tokens have not been fetched.' },
        running: { ok: true },
      },
    });
    await asked;
    give();
    await until('the keys are there', async () => (await readiness(url)).status === 200);
  });

  it('a server that cannot read its changed key file any more stays ready and warns', async () => {
    const keyFile = join(await temporaryDirectory(), 'key');
    await writeFile(keyFile, secret, { mode: 0o600 });
    const { url } = await startServer({ keyFile, logger: quiet });
    expect((await readiness(url)).body).toMatchObject({ checks: { keys: { ok: true } } });
    await writeFile(keyFile, 'short');
    const warning = 'The changed key file cannot be read. The last keys stay in use.';
    await until('the check warns', async () => {
      const { status, body } = await readiness(url);
      return status === 200 && JSON.stringify(body).includes(warning);
    });
  });

  it('`GET /healthz` needs no token, whatever `Host` says, and succeeds while the server is not ready', async () => {
    const data = join(await temporaryDirectory(), 'data');
    const { url } = await startServer({ data, logger: quiet });
    await rename(data, `${data}-moved`);
    await until('the server is not ready', async () => (await readiness(url)).status === 503);
    const response = await fetch(`${url}/healthz`);
    expect([response.status, await response.text()]).toEqual([200, '{"ok":true}']);
    const foreign = 'Host: lb.example\r\nX-Forwarded-For: 192.0.2.1';
    expect(await statusOf(url, `GET /healthz HTTP/1.1\r\n${foreign}`)).toBe('200 OK');
    expect(await statusOf(url, `GET /healthzz HTTP/1.1\r\n${foreign}`)).toBe('403 Forbidden');
    await rename(`${data}-moved`, data);
    const withKey = await startServer({ key: secret });
    expect((await fetch(`${withKey.url}/healthz`)).status).toBe(200);
  });

  it('on an app, `GET /readyz` is the app’s unless Fanfare handles all of its paths', async () => {
    for (const [http, answer] of [
      ['publish', 'the app'],
      ['topics', 'the app'],
      ['all', '{"ready":true'],
    ] as const) {
      const httpServer = createHttpServer((_request, response) => response.end('the app'));
      const fanfare = await attach(httpServer, { http });
      onTestFinished(async () => {
        await fanfare.stop();
        httpServer.close();
      });
      const url = `http://127.0.0.1:${await startListening(httpServer)}`;
      const response = await fetch(`${url}/readyz`, { headers: { connection: 'close' } });
      expect(await response.text()).toContain(answer);
    }
  });

  it('a server whose data directory is gone is not ready until it is back', async () => {
    const data = join(await temporaryDirectory(), 'data');
    const { url } = await startServer({ data, logger: quiet });
    await rename(data, `${data}-moved`);
    await until('the server is not ready', async () => (await readiness(url)).status === 503);
    expect(await readiness(url)).toEqual({
      status: 503,
      body: {
        ready: false,
        checks: { log: { ok: false, reason: 'Messages cannot be stored.' }, running: { ok: true } },
      },
    });
    await rename(`${data}-moved`, data);
    await until('the server is ready again', async () => (await readiness(url)).status === 200);
  });
});
