import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseInterest, parseTopic } from '@fanfare/protocol';
import { expect, it } from 'vitest';
import type { Rule } from '../../src/rules/rule.ts';
import { openOver, type LocalLogUnderTest } from './open-local-log.ts';
import { SteeredStore } from './steered-store.ts';

const topic = parseTopic('news');
const keep = { count: 100_000, ageMs: Infinity, bytes: Infinity };
const fallback: Rule = { match: parseInterest('**'), keep, create: 'publish', publishBytesMax: 1_000 };

function open(store: SteeredStore): LocalLogUnderTest {
  return openOver(store, { rules: [], fallback, topicsMax: 10, idWindowMs: 1_000, idsMax: 1_000 });
}

/** Appends repeatedly, each time some turns of the event loop after the outcome. */
async function askAgainAndAgain({ log }: LocalLogUnderTest, times: number, turns: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    const [outcome] = await log.append([{ topic, messageJson: '1' }]);
    expect(outcome).toMatchObject({ kind: 'appended' });
    for (let turn = 0; turn < turns; turn++) await nextTurn();
  }
}

it('one commit to a disk contains the appends of most clients that append at the same time', async () => {
  const store = new SteeredStore('disk');
  const under = open(store);
  await Promise.all(Array.from({ length: 16 }, async (_, at) => askAgainAndAgain(under, 50, at % 8)));
  expect(under.log.head).toBe(16 * 50);
  // Each commit has eight of them. The slow ones are alone in the end.
  expect(store.commits.length).toBeLessThan((16 * 50) / 6);
  await under.close();
});

it('a commit does not wait for clients that do not append again', async () => {
  const store = new SteeredStore('disk');
  const under = open(store);
  await Promise.all(Array.from({ length: 16 }, async () => askAgainAndAgain(under, 1, 0)));
  await askAgainAndAgain(under, 20, 0);
  expect(store.commits).toHaveLength(1 + 20);
  await under.close();
});
