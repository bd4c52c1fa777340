import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../../../test/waits.ts';
import { temporaryDirectory } from '../../../cli/test/harness.ts';
import type { Kept } from './history.ts';
import { declareTopics, HttpRefusal, publishHttp, readHistory } from './http.ts';
import { seeded, type Random } from './random.ts';
import { ServerProcess, startServerProcess } from './server-process.ts';
import { Subscriber } from './subscriber.ts';
import { World } from './world.ts';

const flips = Number(process.env['FANFARE_FLIPPED_BITS'] ?? 3);
const messages = 120;
const topics = ['damaged', 'other'];

/** The time in which a subscriber must get an error. */
const toldMs = 5_000;

interface Written {
  readonly data: string;
  readonly sent: readonly Kept[];
}

describe('a flipped bit in a stored message', () => {
  it('a flipped bit in a stored message never alters a delivery: readers get the messages before it, and then an error', async () => {
    const random = seeded('flipped bit');
    const { data, sent } = await write();
    const damaged = sent.filter(({ topic }) => topic === 'damaged');
    for (let flip = 0; flip < flips; flip++) {
      const mend = flipBit(data, random.pick(damaged), random);
      const server = new ServerProcess({ data, port: 0 });
      const url = await server.url().catch(() => undefined);
      if (url === undefined) {
        // A server that refuses to start with a reason does not skip messages silently either.
        expect(server.program.stderr).toMatch(/damaged/i);
        expect(await server.program.exitCode).toBeGreaterThan(0);
      } else {
        await expectTold(url, sent);
        await server.kill();
      }
      mend();
    }
    const { url } = await startServerProcess({ data, port: 0 });
    expect(await readHistory(url)).toEqual(sent);
  });
});

/** The other topic is complete; the damaged one has a beginning, and then a refusal with a code. */
async function expectTold(url: string, sent: readonly Kept[]): Promise<void> {
  const damaged = sent.filter(({ topic }) => topic === 'damaged');
  expect(await readHistory(url, 'other')).toEqual(sent.filter(({ topic }) => topic === 'other'));
  const read: Kept[] = [];
  const refusal = await readHistory(url, 'damaged', 10, (each) => read.push(each)).catch(
    (error: unknown) => error,
  );
  expect(refusal).toBeInstanceOf(HttpRefusal);
  expect((refusal as HttpRefusal).status).toBeGreaterThanOrEqual(500);
  expect((refusal as HttpRefusal).code).toBeDefined();
  expect(read).toEqual(damaged.slice(0, read.length));

  const world = new World(topics);
  const subscriber = new Subscriber(
    world,
    'reader',
    url,
    [{ interest: 'damaged', from: 'earliest' }],
    'websocket',
  );
  onTestFinished(() => void subscriber.client.close());
  await until('the subscriber is told of the damage', () => subscriber.refusals.length > 0, {
    step: () => subscriber.changed(),
    soFar: () => subscriber.status,
    ms: toldMs,
  });
  const delivered = subscriber.events.flatMap((event) => (event.kind === 'message' ? [event.content] : []));
  expect(delivered).toEqual(damaged.slice(0, delivered.length).map(({ content }) => content));
  subscriber.client.close();
  expect(await publishHttp(url, { topic: 'other', message: 'again', id: 'again' })).toMatchObject([
    { kind: expect.stringMatching(/ok|fail/) as string },
  ]);
}

async function write(): Promise<Written> {
  const data = temporaryDirectory();
  const { server, url } = await startServerProcess({ data, port: 0 });
  await declareTopics(url, topics);
  const sent: Kept[] = [];
  for (let number = 0; number < messages; number++) {
    const topic = number % 3 === 0 ? 'other' : 'damaged';
    const message = `message ${number} of this test`;
    const [outcome] = await publishHttp(url, { topic, message });
    if (outcome?.kind !== 'ok') throw new Error('a publish was not acknowledged');
    const { offset, time } = outcome;
    sent.push({ topic, content: JSON.stringify(message), offset, time });
  }
  await server.kill();
  return { data, sent };
}

/** Flips a bit of a message wherever the data has its text. The function returned flips it back. */
function flipBit(data: string, message: Kept, random: Random): () => void {
  const file = readdirSync(data).find((name) => name.endsWith('.mdb') && name !== 'lock.mdb');
  if (file === undefined) throw new Error('there is no data file');
  const path = join(data, file);
  const whole = readFileSync(path);
  const broken = Buffer.from(whole);
  const text = message.content.slice(1, -1);
  const [byte, bit] = [random.below(text.length), random.below(7)];
  let count = 0;
  for (let at = whole.indexOf(text); at >= 0; at = whole.indexOf(text, at + 1), count++) {
    broken[at + byte] = (broken[at + byte] ?? 0) ^ (1 << bit);
  }
  if (count === 0) throw new Error(`${file} does not have the text ${text}`);
  writeFileSync(path, broken);
  return () => writeFileSync(path, whole);
}
