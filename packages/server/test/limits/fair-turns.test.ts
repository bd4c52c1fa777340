import { expect, test } from 'vitest';
import { FairTurns, TurnBudget } from '../../src/limits/fair-turns.ts';
import { collectUncaught } from '../../../fanout/test/uncaught.ts';

test('a sender whose turn fails does not hold up others, and gets another turn', async () => {
  const thrown = collectUncaught();
  const resumed: string[] = [];
  const turns = new FairTurns<string>({
    perTurnMax: 1,
    leastPerTurn: 1,
    together: new TurnBudget(100),
    pause: () => {},
    resume: (sender) => {
      resumed.push(sender);
      if (resumed.length === 1) throw new Error('from the app');
      return true;
    },
  });
  for (const sender of ['first', 'second']) turns.count(sender);
  await expect.poll(() => resumed).toEqual(['first', 'first', 'second']);
  expect(thrown).toEqual(['from the app']);
});
