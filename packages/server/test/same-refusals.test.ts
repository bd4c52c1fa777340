import type { Problem } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import { nextEvent } from '../../../test/waits.ts';
import { connectClient, publish, startServer, type RunningServer } from './harness.ts';
import { declare } from './http-tools.ts';

/** Texts of publishes that every entry must refuse, for the message `{"topic": "news", "message": …}`. */
const badPublishes: readonly (readonly [what: string, json: string])[] = [
  ['an empty text', ''],
  ['a text that ends early', '{"topic":"news","message":[1'],
  ['a closing bracket too many', '{"topic":"news","message":1}}'],
  ['NaN', '{"topic":"news","message":NaN}'],
  ['a number instead of an object', '7'],
  ['null', 'null'],
  ['an array', '[1]'],
  ['no topic', '{"message":1}'],
  ['a topic that is a number', '{"topic":7,"message":1}'],
  ['a topic that is a pattern', '{"topic":"news/*","message":1}'],
  ['a topic that does not exist', '{"topic":"nobody","message":1}'],
  ['no message', '{"topic":"news"}'],
  ['an id that is a number', '{"topic":"news","message":1,"id":7}'],
  ['an id that is empty', '{"topic":"news","message":1,"id":""}'],
  ['a message of 65 levels', publishOf('['.repeat(65) + ']'.repeat(65))],
  ['a message of 90 levels', publishOf('['.repeat(90) + ']'.repeat(90))],
  ['a message of 1,025 arrays', publishOf(`[${'[],'.repeat(1_023)}[]]`)],
  ['a message of 2,000 arrays', publishOf(`[${'[],'.repeat(1_999)}[]]`)],
  ['a message over the limit', publishOf(`"${'x'.repeat(10_000)}"`)],
];

function publishOf(message: string): string {
  return `{"topic":"news","message":${message}}`;
}

/** The problem with which each entry refuses a publish. */
const ways: Readonly<
  Record<string, (server: RunningServer, json: string) => Promise<Problem | 'not possible'>>
> = {
  HTTP: async ({ url }, json) => {
    // HTTP treats an array as a batch.
    if (json.startsWith('[')) return 'not possible';
    return JSON.parse((await publish(url, json, { accept: 'application/json' })).text) as Problem;
  },
  'an array over HTTP': async ({ url }, json) => {
    // In a batch, a text with other brackets changes the array.
    if (json === '' || json.endsWith('}}') || json.endsWith('[1')) return 'not possible';
    const { text } = await publish(url, `[${json}]`);
    const answer = JSON.parse(text) as Problem | { readonly error: Problem }[];
    return Array.isArray(answer) ? (answer[0]?.error ?? 'not possible') : answer;
  },
  'a line over HTTP': async ({ url }, json) => {
    if (json === '') return 'not possible';
    const { text } = await publish(url, json, { 'content-type': 'application/x-ndjson' });
    return (JSON.parse(text) as { readonly error: Problem }).error;
  },
  websocket: ({ url }, json) => overSocket(url, json, 'websocket'),
  polling: ({ url }, json) => overSocket(url, json, 'polling'),
  'the program': async ({ server }, json) => {
    const value = parsed(json) as { topic: string; message: unknown; id?: string } | undefined;
    // The method has a parameter for each member.
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not possible';
    const { topic, message, id } = value;
    const options = id === undefined ? {} : { id };
    const refused = server.publish(topic, message, options);
    return refused.then(
      () => Promise.reject(new Error('it was published')),
      (error: { toProblem(): Problem }) => error.toProblem(),
    );
  },
};

async function overSocket(url: string, json: string, transport: 'websocket' | 'polling'): Promise<Problem> {
  const client = await connectClient(url, transport);
  const refused = nextEvent<Problem>(client, 'error', 'the publish is refused');
  client.io.engine.write(`2["publish",${json}]`);
  return refused;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

describe('a bad publish', () => {
  it.each(badPublishes)(
    'a bad publish gets the same problem over HTTP, in a batch, over Socket.IO and from the program: %s',
    async (_what, json) => {
      const server = await startServer({ publishBytesMax: 9_000 });
      await declare(server.url, 'news');
      const problems = new Map<string, Problem>();
      for (const [name, way] of Object.entries(ways)) {
        const problem = await way(server, json);
        if (problem !== 'not possible') problems.set(name, problem);
      }
      const expected = problems.get('websocket');
      expect(expected).toMatchObject({
        code: expect.any(String) as string,
        detail: expect.any(String) as string,
      });
      for (const [name, problem] of problems) expect([name, problem]).toEqual([name, expected]);
      expect(problems.size).toBeGreaterThanOrEqual(3);
    },
  );
});
