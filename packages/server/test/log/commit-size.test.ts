import { describe, expect, it } from 'vitest';
import { CommitSize } from '../../src/log/local/commit/commit-size.ts';

describe('the limit of records for a commit', () => {
  it('the commit size is low before the first measurement, and high after a cheap commit', () => {
    const commitSize = new CommitSize();
    expect(commitSize.recordsMax).toBe(16);
    commitSize.note(16, 0.1);
    expect(commitSize.recordsMax).toBe(2_048);
    commitSize.note(1, 0);
    expect(commitSize.recordsMax).toBe(2_048);
  });

  it.each([
    [256, 166, 30],
    [30, 19.5, 30],
    [1, 0.5, 40],
    [100, 1_000, 16],
  ])('the commit size fits 20 ms: after %d records in %d ms it is %d', (records, ms, recordsMax) => {
    const commitSize = new CommitSize();
    commitSize.note(records, ms);
    expect(commitSize.recordsMax).toBe(recordsMax);
  });

  it('the commit size does not change after a commit of chores', () => {
    const commitSize = new CommitSize();
    commitSize.note(100, 50);
    commitSize.note(0, 5);
    expect(commitSize.recordsMax).toBe(40);
  });
});
