import { io } from 'socket.io-client';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../../../cli/test/harness.ts';
import { startServerProcess } from './server-process.ts';

const rules = JSON.stringify([{ match: '**', create: 'publish' }]);

/** Publishes to its own topics and deletes each of them, some at the same time. */
async function comeAndGo(url: string, count: number): Promise<void> {
  const topics = Array.from({ length: count }, (_, at) => `answers/${at}`);
  await post(url, topics);
  for (let at = 0; at < count; at += 100) {
    const some = topics.slice(at, at + 100).map(async (topic) => {
      const response = await fetch(`${url}/topics/${encodeURIComponent(topic)}`, { method: 'DELETE' });
      expect(response.status).toBe(204);
    });
    await Promise.all(some);
  }
}

async function post(url: string, topics: readonly string[]): Promise<readonly { offset: string }[]> {
  const response = await fetch(`${url}/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(topics.map((topic) => ({ topic, message: 1 }))),
  });
  return (await response.json()) as { offset: string }[];
}

it('subscribers resume without a loss after thousands of deletions of other topics and a crash', async () => {
  const options = { data: temporaryDirectory(), port: 0, flags: ['--rules', rules] };
  const first = await startServerProcess(options);
  const [before] = await post(first.url, ['orders/1']);
  await comeAndGo(first.url, 1_400);
  await first.server.kill();
  const { url } = await startServerProcess(options);
  const socket = io(url, { transports: ['websocket'] });
  onTestFinished(() => void socket.close());
  const recovered: Record<string, unknown> = {};
  for (const topic of ['orders/**', 'orders/1', 'orders/2', 'never', 'answers/**', 'answers/3', '**']) {
    const request = { topic, envelope: true, from: before?.offset };
    const answer = (await socket.emitWithAck('subscribe', request)) as { recovered?: boolean };
    recovered[topic] = answer.recovered;
  }
  expect(recovered).toEqual({
    'orders/**': true,
    'orders/1': true,
    'orders/2': true,
    never: true,
    'answers/**': false,
    'answers/3': false,
    '**': false,
  });
});
