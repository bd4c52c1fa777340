import { createServer } from 'node:http';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { soonMs, within } from '../../test/waits.ts';
import { measure } from '../src/load/measure.ts';
import { Sequences } from '../src/load/sequences.ts';
import type { LoadResult } from '../src/load/job.ts';
import { httpBatchWire, readBatchAnswer } from '../src/wire/http-batches.ts';

describe('readBatchAnswer', () => {
  const accepted = (sequence: number): object => ({ ok: true, offset: `e.${sequence}`, stored: 'disk' });
  const read = (...answers: readonly object[]): ReturnType<typeof readBatchAnswer> =>
    readBatchAnswer(JSON.stringify(answers), 2, 'disk');

  it('readBatchAnswer reads the place of each message in the log from the response to a batch', () => {
    expect(read(accepted(7), accepted(8))).toEqual({ sequences: [7, 8] });
  });

  it.each([
    ['one is missing', [accepted(7)], 'answered 1 of 2 messages'],
    ['one is refused', [accepted(7), { ok: false, error: {} }], 'answered a message with {"ok":false'],
    ['one is not on disk', [accepted(7), { ...accepted(8), stored: 'memory' }], '"stored":"memory"'],
  ])('readBatchAnswer refuses the response to a batch when %s', (_what, answers, sentence) => {
    expect(read(...answers)).toContain(sentence);
  });
});

describe('the check of places in the log', () => {
  it('the check of places in the log accepts them in any order of publishes', () => {
    const sequences = new Sequences();
    for (const places of [[4, 5], [2, 3], [2_000_000]]) sequences.add(places);
    expect(sequences.missing()).toBe('5 messages were given places from 2 to 2000000');
    const others = new Sequences();
    for (const places of [
      [4, 5],
      [2, 3],
    ])
      others.add(places);
    expect(others.missing()).toBeUndefined();
  });

  it.each([
    [
      [
        [1, 2],
        [2, 3],
      ],
      'Two messages were given the place 2.',
    ],
    [[[2, 1]], 'the place 1 after 2'],
    [[[1, 1]], 'the place 1 after 1'],
    [[[1, Number.NaN]], 'the place NaN'],
    [[[0]], 'the place 0'],
  ])('the check of places in the log refuses %j', (publishes, sentence) => {
    const sequences = new Sequences();
    expect(() => publishes.forEach((places) => sequences.add(places))).toThrow(sentence);
  });
});

describe('the load that publishes batches', () => {
  /** @param kept - returns how many messages the server claims to keep, of the number given */
  async function publish(kept: (accepted: number) => number, skips = 0): Promise<LoadResult> {
    let accepted = 0;
    let head = 0;
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        if (request.method === 'PUT') return void response.writeHead(201).end('{}');
        if (request.method === 'GET') return void response.end(JSON.stringify({ messages: kept(accepted) }));
        const messages = JSON.parse(body) as readonly unknown[];
        const answers = messages.map(() => ({ ok: true, offset: `e.${++head}`, stored: 'disk' }));
        accepted += messages.length;
        head += skips;
        response.end(JSON.stringify(answers));
      });
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await within(soonMs, 'the server of the test listens', once(server, 'listening'));
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const shape = { connections: 2, batchMessages: 10, messageBytes: 64, keepsAll: true };
    const target = { system: 'fanfare-disk' as const, port, pid: process.pid, timeoutMs: 10_000 };
    return measure(
      { kind: 'batches', topic: 'tea', ...target, ...shape, messages: 200, warmUpMs: 0, stretchMs: 0 },
      { wire: undefined, batches: httpBatchWire('disk') },
    );
  }

  it('the load of batches passes with a server that keeps every batch that it accepts', async () => {
    expect(await publish((accepted) => accepted)).toMatchObject({ ok: true, messages: 200 });
  });

  it('the load of batches fails if the server does not keep a message of a batch', async () => {
    expect(await publish((accepted) => accepted - 1)).toEqual({
      ok: false,
      reason: 'The server keeps 199 of the 200 messages that it has accepted.',
    });
  });

  it('the load of batches fails if the log has places between those that the server reported', async () => {
    expect(await publish((accepted) => accepted, 1)).toEqual({
      ok: false,
      reason: 'After 200 messages: 200 messages were given places from 1 to 219.',
    });
  });
});
