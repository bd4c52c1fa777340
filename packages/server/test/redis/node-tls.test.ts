import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../../../bench/src/free-port.ts';
import { nextEvent, soonMs, startListening, within } from '../../../../test/waits.ts';
import { selfSigned } from '../self-signed.ts';
import { RedisServer } from './redis-server.ts';

const program = `
  const { createServer } = await import('${new URL('../../dist/index.js', import.meta.url).href}');
  const logger = { warn: () => {}, error: console.error };
  console.log(await createServer({ redis: process.argv[1], port: 0, logger }).start());`;

/** Starts a node in a process of its own, whose certificates the environment names. @returns its URL */
async function startNode(redis: string, env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, redis], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return nextEvent<string>(createInterface({ input: child.stdout }), 'line', 'the node listens');
}

it.each([
  ['rediss', 0x16],
  ['redis', 'f'.charCodeAt(0)],
])('a node whose Redis has the URL %s:// calls other nodes with the same security', async (scheme, byte) => {
  const tlsPort = await freePort();
  const files = { 'tls.pem': await selfSigned() };
  const pem = ['tls-cert-file tls.pem', 'tls-key-file tls.pem', 'tls-ca-cert-file tls.pem'];
  const redis = await RedisServer.start({
    files,
    config: [`tls-port ${tlsPort}`, ...pem, 'tls-auth-clients no'],
  });
  let called: (byte: number | undefined) => void = () => {};
  const firstByte = new Promise<number | undefined>((resolve) => (called = resolve));
  const other = createServer((socket) => {
    socket
      .on('error', () => {})
      .once('data', (data: Buffer) => {
        called(data[0]);
        socket.destroy();
      });
  });
  const address = `127.0.0.1:${await startListening(other)}`;
  onTestFinished(() => void other.close());
  const url = await startNode(`${scheme}://127.0.0.1:${scheme === 'rediss' ? tlsPort : redis.port}`, {
    NODE_EXTRA_CA_CERTS: join(redis.directory, 'tls.pem'),
  });
  // A node with an address of ours, as each node makes itself known.
  await redis.command('HSET', '{fanfare}:nodes', 'other', `${Date.now()} ${address} -`);
  const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling&sid=otherAAAAAAAAAAAAAAA`);
  expect(await within(soonMs, 'the node calls the other one', firstByte)).toBe(byte);
  expect(response.status).toBe(503);
});
