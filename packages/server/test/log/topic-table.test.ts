import type { Topic } from '@fanfare/protocol';
import { expect, it } from 'vitest';
import { defaultRule } from '../../src/config/rules.ts';
import { TopicTable } from '../../src/log/local/topic-table.ts';
import { UnusedNames } from '../../src/log/local/unused-names.ts';
import { Rules } from '../../src/rules/rule.ts';
import { heapBytes } from '../heap.ts';

it('deleted topics take little memory', () => {
  const unused = new UnusedNames({ isInUse: () => false, unusedPerSubjectMax: Infinity });
  const table = new TopicTable(new Rules([], defaultRule), unused, Infinity);
  const before = heapBytes();
  for (let at = 1; at <= 20_000; at++) {
    const entry = table.make(`topics/${at}` as Topic, at);
    table.add(entry);
    Object.assign(entry, { count: 1, lastSequence: at });
    table.noteDeletion(entry);
    table.trim(entry, 1);
    table.delete(entry);
    table.forget(entry);
  }
  expect(heapBytes() - before).toBeLessThan(3_000_000);
  expect([...table.trimmedSince(0)]).toEqual([]);
});
