import type { HistoryPage } from '@fanfare/protocol';
import { exportStore, importStore, openStore } from '@fanfare/server/store';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { connectClient, publish, startServer } from '../harness.ts';
import { readPage, temporaryDirectory, topicUrl } from '../http-tools.ts';
import { bearer, secret, tokenFor } from './tokens.ts';

const rules = [{ match: '**', create: 'publish', publisher: true }] as const;

async function linesOf(store: Parameters<typeof exportStore>[0]): Promise<readonly string[]> {
  let text = '';
  const onDamage = (sentence: string): never => {
    throw new Error(sentence);
  };
  await exportStore(store, { onDamage, write: async (lines) => void (text += lines) });
  return text.trim().split('\n');
}

it('the publisher of a message is stored, and survives a restart, an export and an import, with or without `id`', async () => {
  const data = await temporaryDirectory();
  const { url, server } = await startServer({ key: secret, rules, data });
  for (const [at, sub] of ['ann', 'bob é 😀', 'x'.repeat(255)].entries())
    await publish(
      url,
      { topic: 'a', message: at, ...(at === 1 && { id: 'one' }) },
      await bearer({ sub, publish: ['**'] }),
    );
  await server.publish('a', 'nobody');
  await server.stop();
  const again = await startServer({ data, rules });
  const { messages } = await readPage(again.url, 'a');
  const seen = messages as readonly { readonly id?: string; readonly publisher?: string }[];
  expect(seen.map(({ id, publisher }) => [id, publisher])).toEqual([
    [undefined, 'ann'],
    ['one', 'bob é 😀'],
    [undefined, 'x'.repeat(255)],
    [undefined, undefined],
  ]);
  await again.server.stop();
  const store = await openStore(data);
  const lines = await linesOf(store);
  await store.close();
  expect(lines.filter((line) => line.includes('"publisher":"bob é 😀"'))).toHaveLength(1);
  const copy = join(await temporaryDirectory(), 'copy');
  async function* pieces(): AsyncIterable<readonly string[]> {
    yield lines;
  }
  await importStore(copy, { lines: pieces(), now: Date.now });
  const imported = await openStore(copy);
  const copied = await linesOf(imported);
  await imported.close();
  // The first line describes the log, and an offset begins with the epoch of its log.
  const withoutEpochs = (all: readonly string[]): readonly string[] =>
    all.slice(1).map((line) => line.replace(/"[\w-]+\.(\d+)"/g, '"$1"'));
  expect(withoutEpochs(copied)).toEqual(withoutEpochs(lines));
});

it.each(['over HTTP', 'over Socket.IO'])(
  '%s, a subject can neither occupy nor detect the ids of another subject',
  async (way) => {
    const { url } = await startServer({ key: secret, rules });
    const send = async (sub: string, message: unknown): Promise<object> => {
      const body = { topic: 'a', message, id: 'order 7' };
      const claims = { sub, publish: ['**'] };
      if (way === 'over HTTP') {
        const { text } = await publish(url, body, { ...(await bearer(claims)), accept: 'application/json' });
        return JSON.parse(text) as object;
      }
      const client = await connectClient(url, 'websocket', { auth: { token: await tokenFor(claims) } });
      return (await client.emitWithAck('publish', body)) as object;
    };
    const isFirst = expect.not.objectContaining({ duplicate: true }) as object;
    expect(await send('mallory', 'squat')).toMatchObject({ ok: true });
    const original = await send('ann', 'secret');
    expect([original, await send('mallory 2', 'secret')]).toEqual([isFirst, isFirst]);
    expect(original).toMatchObject({ ok: true });
    // A subject's own ids are found, even with another token.
    const { offset } = original as { offset: string };
    const again = await send('ann', 'secret');
    expect(again).toMatchObject({ ok: true, duplicate: true, offset });
    const conflict = await send('ann', 'another');
    expect(JSON.stringify(conflict)).toContain('id_conflict');
    const headers = { ...(await bearer({ subscribe: ['**'] })), connection: 'close' };
    const page = (await (await fetch(topicUrl(url, 'a', '/messages'), { headers })).json()) as HistoryPage;
    const seen = page.messages as readonly { readonly message: unknown; readonly publisher?: string }[];
    expect(seen.map(({ message, publisher }) => [message, publisher])).toEqual([
      ['squat', 'mallory'],
      ['secret', 'ann'],
      ['secret', 'mallory 2'],
    ]);
  },
);
