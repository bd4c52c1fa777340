import type { Topic } from '@fanfare/protocol';
import { expect, it } from 'vitest';
import { Counters } from '../../src/message-path/counters.ts';
import { rulesFrom } from './fake-fan-out.ts';

it('publishes are counted by the patterns of rules, also after these were replaced', () => {
  const rules = rulesFrom([{ match: 'a/**' }, { match: 'b/**' }]);
  const counters = new Counters(rules);
  counters.published('a/1' as Topic);
  rules.replace(rulesFrom([{ match: 'a/**', keep: 'none' }, { match: 'c/**' }]).all);
  for (const topic of ['a/2', 'c/1', 'b/1']) counters.published(topic as Topic);
  expect([...counters.byRule].map(([name, { publishes }]) => [name, publishes])).toEqual([
    ['**', 1],
    ['a/**', 2],
    ['b/**', 0],
    ['c/**', 1],
  ]);
});
