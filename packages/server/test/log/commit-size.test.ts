import { describe, expect, it } from 'vitest';
import { CommitSize } from '../../src/log/local/commit/commit-size.ts';

describe('the limit of records for a commit', () => {
  it('the commit size is low before the first measurement, and high after a cheap commit', () => {
    const pace = new CommitSize();
    expect(pace.recordsMax).toBe(16);
    pace.note(16, 0.1);
    expect(pace.recordsMax).toBe(2_048);
    pace.note(1, 0);
    expect(pace.recordsMax).toBe(2_048);
  });

  it.each([
    [256, 166, 30],
    [30, 19.5, 30],
    [1, 0.5, 40],
    [100, 1_000, 16],
  ])('the commit size fits 20 ms: after %d records in %d ms it is %d', (records, ms, recordsMax) => {
    const pace = new CommitSize();
    pace.note(records, ms);
    expect(pace.recordsMax).toBe(recordsMax);
  });

  it('the commit size does not change after a commit of chores', () => {
    const pace = new CommitSize();
    pace.note(100, 50);
    pace.note(0, 5);
    expect(pace.recordsMax).toBe(40);
  });
});
