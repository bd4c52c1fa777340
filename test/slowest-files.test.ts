import { expect, it } from 'vitest';
import { testFiles } from '../scripts/quick.mjs';
import { slowest, slowestFirst } from './slowest-files.ts';

it('the slowest test files start before all others, in the order of their list', () => {
  const files = ['test/any.test.ts', ...slowest.toReversed(), 'test/other.test.ts'];
  expect(slowestFirst(files, (file) => file)).toEqual([...slowest, 'test/any.test.ts', 'test/other.test.ts']);
});

it('the list of the slowest test files has only files that exist, each once', () => {
  expect(slowest.filter((file) => !testFiles().includes(file))).toEqual([]);
  expect(new Set(slowest).size).toBe(slowest.length);
});
