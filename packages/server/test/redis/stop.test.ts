import { expect, it } from 'vitest';
import { nextEvent, until } from '../../../../test/waits.ts';
import { fanfare } from '../../../cli/test/harness.ts';
import { connectClient, publish } from '../harness.ts';
import { declare } from '../http-tools.ts';
import { RedisServer } from './redis-server.ts';

const greeting = /Fanfare serves on (http:\/\/[^\s"]+)/;

/** Whether `/readyz` says that the server is not stopping. */
async function isRunning(url: string): Promise<{ readonly status: number; readonly running: boolean }> {
  const response = await fetch(`${url}/readyz`, { headers: { connection: 'close' } });
  const { checks } = (await response.json()) as { readonly checks: { readonly running: { ok: boolean } } };
  return { status: response.status, running: checks.running.ok };
}

it('a server that gets SIGTERM is not ready at once, refuses new publishes, answers the waiting ones, lets its clients go, and ends', async () => {
  const redis = await RedisServer.start();
  const program = fanfare('serve', '--port', '0', '--redis', redis.url);
  await program.says(greeting);
  const [, url = ''] = greeting.exec(program.stdout) ?? [];
  await declare(url, 'news');
  const client = await connectClient(url);
  await client.emitWithAck('subscribe', { topic: 'news' });
  const received = nextEvent(client, 'news', 'the message that waited is delivered');
  const left = nextEvent<string>(client, 'disconnect', 'the server lets its clients go');

  // While Redis stands still, the stop waits for the publish.
  redis.pause();
  const waiting = client.emitWithAck('publish', { topic: 'news', message: 1 });
  expect(await client.emitWithAck('publish', { topic: '*', message: 2 })).toMatchObject({ ok: false });
  program.process.kill('SIGTERM');
  await until('/readyz says that the server is stopping', async () => !(await isRunning(url)).running);
  expect(await isRunning(url)).toEqual({ status: 503, running: false });
  const refused = await publish(url, { topic: 'news', message: 3 });
  expect([refused.status, (JSON.parse(refused.text) as { code: string }).code]).toEqual([503, 'draining']);
  redis.resume();

  expect(await waiting).toMatchObject({ ok: true });
  expect(await received).toEqual({ message: 1 });
  // After such an end, stock clients connect again.
  expect(await left).toBe('transport close');
  expect(await program.exitCode).toBe(0);
});
