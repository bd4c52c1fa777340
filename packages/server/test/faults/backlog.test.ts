import { readFileSync } from 'node:fs';
import { io } from 'socket.io-client';
import { expect, it, onTestFinished } from 'vitest';
import { nextEvent, sleep } from '../../../../test/waits.ts';
import { temporaryDirectory } from '../../../cli/test/harness.ts';
import { declareTopics, publishHttp } from './http.ts';
import { startServerProcess } from './server-process.ts';

const topic = 'orders';
const rules = JSON.stringify([{ match: topic, keep: { bytes: '1GiB' } }]);
const missed = 100_000;
const batch = 2_500;
const text = 'x'.repeat(1_500);
/** All envelopes together have some 160 MB: without backpressure, a server would need as much more memory. */
const growthBytesMax = 64 * 2 ** 20;

it.skipIf(process.platform !== 'linux')(
  'a slow reader gets a hundred thousand missed messages while the server uses little memory and more are published',
  async () => {
    const { server, url } = await startServerProcess({
      data: temporaryDirectory(),
      port: 0,
      flags: ['--rules', rules],
    });
    await declareTopics(url, [topic]);
    let published = 0;
    const publish = async (count: number): Promise<void> => {
      const many = Array.from({ length: count }, () => ({ topic, message: { number: published++, text } }));
      for (const { kind } of await publishHttp(url, many)) expect(kind).toBe('ok');
    };
    for (let done = 0; done < missed; done += batch) await publish(batch);

    // A heap that has just grown shows what a replay needs: a reader that does not pause comes first.
    const fast = io(url, { transports: ['websocket'] });
    onTestFinished(() => void fast.close());
    let read = 0;
    fast.on('message', () => read++);
    fast.emit('subscribe', { topic, envelope: true, from: 'earliest' });
    await expect.poll(() => read, { timeout: 60_000 }).toBe(missed);
    fast.close();

    const client = io(url, { transports: ['websocket'] });
    onTestFinished(() => void client.close());
    await nextEvent(client, 'connect', 'the client connects');
    const tcp = client.io.engine.transport as unknown as { ws: { pause(): void; resume(): void } };
    const numbers: number[] = [];
    let live = 0;
    client.on('message', ({ message, replay }: { message: { number: number }; replay?: string }) => {
      numbers.push(message.number);
      if (replay === undefined) live++;
    });
    const before = anonymousBytes(server.program.process.pid);
    let most = 0;
    expect(await client.emitWithAck('subscribe', { topic, envelope: true, from: 'earliest' })).toMatchObject({
      ok: true,
      replayed: missed,
    });
    // The reader pauses for a moment after each message.
    for (let pause = 0; pause < 40; pause++) {
      tcp.ws.pause();
      await publish(20);
      most = Math.max(most, anonymousBytes(server.program.process.pid));
      tcp.ws.resume();
      // Time itself is the test: the reader reads for a moment, and pauses again.
      await sleep(5);
    }
    await expect.poll(() => numbers.length, { timeout: 60_000 }).toBe(published);
    await publish(1);
    await expect.poll(() => live).toBeGreaterThan(0);
    expect(numbers.findIndex((number, at) => number !== at)).toBe(-1);
    expect(most - before).toBeLessThan(growthBytesMax);
  },
);

/** The private memory of a process: mapped pages of its data file do not count. */
function anonymousBytes(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1_024;
}
