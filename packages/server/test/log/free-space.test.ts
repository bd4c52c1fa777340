import { rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { FreeSpace } from '../../src/log/store/lmdb/free-space.ts';

/** A data file whose use is what the test says. It counts how often the use is read. */
class DataFile {
  readonly path: string;
  readings = 0;
  bytes = 20_000;

  constructor(directory: string) {
    this.path = join(directory, 'data');
    writeFileSync(this.path, new Uint8Array(this.bytes));
  }

  get dataBytes(): number {
    this.readings++;
    return this.bytes;
  }

  readonly freeBytes = 0;

  get allocatedBytes(): number {
    return statSync(this.path).size;
  }
}

async function openFile(): Promise<{ file: DataFile; space: FreeSpace }> {
  const directory = await mkdtemp(join(tmpdir(), 'fanfare-test-'));
  const file = new DataFile(directory);
  const space = await FreeSpace.open(file.path, file);
  onTestFinished(async () => {
    await space.close();
    rmSync(directory, { recursive: true });
  });
  return { file, space };
}

it('every commit has its space in the file, however seldom the size of the data is read', async () => {
  const commit = fc.record({
    bytes: fc.oneof(fc.integer({ min: 70_000, max: 200_000 }), fc.integer({ min: 70_000, max: 3_000_000 })),
    // The share of the reserved space that the commit takes: a commit that writes everything anew takes all.
    share: fc.oneof(fc.constant(1), fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(commit, { minLength: 1, maxLength: 60 }), async (commits) => {
      const { file, space } = await openFile();
      for (const { bytes, share } of commits) {
        await space.reserve(bytes, false);
        expect(file.allocatedBytes).toBeGreaterThanOrEqual(file.bytes + bytes);
        file.bytes += Math.floor(bytes * share);
      }
    }),
    { numRuns: 40 },
  );
});

it.each([
  ['grows', 10_000],
  ['does not grow', 0],
])('the size of the data is read in a ninth of the commits at most, while it %s', async (_how, growth) => {
  const { file, space } = await openFile();
  const commits = 900;
  for (let count = 0; count < commits; count++) {
    await space.reserve(90_000, false);
    file.bytes += growth;
  }
  expect(file.readings).toBeLessThanOrEqual(commits / 9);
});
