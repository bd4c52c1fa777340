import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createServer } from '@fanfare/server';
import { expect, it, onTestFinished } from 'vitest';
import { nextEvent } from '../../../test/waits.ts';
import { strictLogger } from './harness.ts';
import { listeningPlaceOf } from '../src/http/listening-place.ts';

function socketPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'fanfare-socket-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return join(directory, 'fanfare.sock');
}

function serverAt(path: string): ReturnType<typeof createServer> {
  const server = createServer({ listen: `unix:${path}`, logger: strictLogger });
  onTestFinished(() => server.stop());
  return server;
}

async function ask(path: string): Promise<string> {
  const sent = request({ socketPath: path, path: '/readyz', agent: false }).end();
  return text(await nextEvent<IncomingMessage>(sent, 'response', 'the server responds on its socket'));
}

it('a server on a Unix domain socket answers there, and removes the socket when it stops', async () => {
  const path = socketPath();
  const server = serverAt(path);
  expect(await server.start()).toBe(`unix:${path}`);
  expect(await ask(path)).toContain('"ready":true');
  await server.stop();
  expect(existsSync(path)).toBe(false);
});

it('the socket of a killed server is replaced', async () => {
  const path = socketPath();
  const listen = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('listens'))`;
  const killed = spawn(process.execPath, ['-e', listen], { stdio: ['ignore', 'pipe', 'inherit'] });
  await nextEvent(killed.stdout, 'data', 'the other program listens');
  const gone = nextEvent(killed, 'close', 'the other program is gone');
  killed.kill('SIGKILL');
  await gone;
  expect(existsSync(path)).toBe(true);
  await serverAt(path).start();
  expect(await ask(path)).toContain('"ready":true');
});

it('a socket on which a server listens is not replaced, and the server goes on', async () => {
  const path = socketPath();
  await serverAt(path).start();
  await expect(serverAt(path).start()).rejects.toMatchObject({ code: 'EADDRINUSE' });
  expect(await ask(path)).toContain('"ready":true');
});

it('a file that is not a socket is not replaced', async () => {
  const path = socketPath();
  writeFileSync(path, 'a letter');
  await expect(serverAt(path).start()).rejects.toMatchObject({ code: 'EADDRINUSE' });
  expect(readFileSync(path, 'utf8')).toBe('a letter');
});

it('the socket of systemd is used only if systemd has passed it to this process', () => {
  const place = { listen: 'systemd', host: '127.0.0.1', port: 5000 };
  const passed = { LISTEN_PID: String(process.pid), LISTEN_FDS: '1' };
  expect(listeningPlaceOf(place, passed)).toEqual({ fd: 3 });
  for (const env of [{}, { ...passed, LISTEN_PID: '1' }, { ...passed, LISTEN_FDS: '0' }])
    expect(() => listeningPlaceOf(place, env)).toThrow('systemd has passed no socket to this process');
});
