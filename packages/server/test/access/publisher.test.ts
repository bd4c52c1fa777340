import { exportStore, importStore, openStore } from '@fanfare/server/store';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { publish, startServer } from '../harness.ts';
import { readPage, temporaryDirectory } from '../http-tools.ts';
import { bearer, secret } from './tokens.ts';

const rules = [{ match: '**', create: 'publish', publisher: true }] as const;

async function linesOf(store: Parameters<typeof exportStore>[0]): Promise<readonly string[]> {
  let text = '';
  const onDamage = (sentence: string): never => {
    throw new Error(sentence);
  };
  await exportStore(store, { onDamage, write: async (lines) => void (text += lines) });
  return text.trim().split('\n');
}

it('is kept on disk, over a restart, an export and an import, beside an id or without', async () => {
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
  // The first line tells of the log, and an offset begins with its epoch.
  const withoutEpochs = (all: readonly string[]): readonly string[] =>
    all.slice(1).map((line) => line.replace(/"[\w-]+\.(\d+)"/g, '"$1"'));
  expect(withoutEpochs(copied)).toEqual(withoutEpochs(lines));
});
