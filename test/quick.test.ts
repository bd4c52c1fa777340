import { describe, expect, it } from 'vitest';
import { oneOfEachKind, quickFiles, slowUnits, startsSomething, testFiles } from '../scripts/quick.mjs';

describe('npm run test:quick', () => {
  it('names only test files that exist', () => {
    const named = [...oneOfEachKind.map(({ file }) => file), ...slowUnits];
    expect(named.filter((file) => !testFiles().includes(file))).toEqual([]);
  });

  it('has one test of each kind that starts a server or a program', () => {
    expect(oneOfEachKind.filter(({ file }) => !startsSomething(file))).toEqual([]);
  });

  it('leaves out as slow only tests that start nothing, for the others are left out anyway', () => {
    expect(slowUnits.filter((file) => startsSomething(file))).toEqual([]);
  });

  it('runs the unit tests, the contracts, and no file twice', () => {
    const files = quickFiles();
    expect(new Set(files).size).toBe(files.length);
    expect(files).toEqual(
      expect.arrayContaining([
        'packages/protocol/test/topic.test.ts',
        'packages/server/test/log/memory-store.test.ts',
        'packages/server/test/log/local-topic-log.test.ts',
      ]),
    );
    expect(files.length).toBeLessThan(testFiles().length / 2);
  });
});
