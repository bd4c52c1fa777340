import { describe, expect, it } from 'vitest';
import { oneOfEachKind, quickFiles, slowUnits, startsSomething, testFiles } from '../scripts/quick.mjs';

describe('npm run test:quick', () => {
  it('npm run test:quick names only test files that exist', () => {
    const named = [...oneOfEachKind.map(({ file }) => file), ...slowUnits];
    expect(named.filter((file) => !testFiles().includes(file))).toEqual([]);
  });

  it('npm run test:quick has one test of each kind that starts a server or a program', () => {
    expect(oneOfEachKind.filter(({ file }) => !startsSomething(file))).toEqual([]);
  });

  it('npm run test:quick lists as slow only tests that start nothing, because the others are left out anyway', () => {
    expect(slowUnits.filter((file) => startsSomething(file))).toEqual([]);
  });

  it('npm run test:quick runs the unit tests and the contracts, and no file twice', () => {
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
