import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ownerFile } from '../../src/log/store/directory/file-names.ts';
import { thisMachine } from '../../src/log/store/ownership/process-liveness.ts';
import { DirectoryLock } from '../../src/log/store/ownership/directory-lock.ts';

/** A directory whose last owner was killed. */
function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'fanfare-lock-'));
  const owner = { id: 'gone', place: 'elsewhere', ...thisMachine().self };
  writeFileSync(join(directory, ownerFile), `${JSON.stringify(owner)}\n0\n`);
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function lockOf(directory: string): DirectoryLock {
  const ignore = (): void => {};
  const events = { onWait: ignore, onLost: ignore, onTrouble: ignore, onRecovered: ignore };
  return new DirectoryLock({ directory, machine: thisMachine(), ...events });
}

// LMDB can lose a commit of the owner if another process opens the data file.
describe('a directory whose last owner is gone', () => {
  it('only the server that locks a directory can open its data file', async () => {
    for (let round = 0; round < 2; round++) {
      const directory = temporaryDirectory();
      const first = lockOf(directory);
      await first.waitUntilFree();
      const second = lockOf(directory);
      await expect(second.waitUntilFree()).rejects.toThrow('Another server was started');
      await second.release('');
      expect(readdirSync(directory)).toHaveLength(2);
      await first.release('');
    }
  });

  it('only one of several servers that start at the same time can open the data file', async () => {
    for (let round = 0; round < 5; round++) {
      const directory = temporaryDirectory();
      const all = Array.from({ length: 4 }, () => lockOf(directory));
      const seeking = all.map(async (lock) =>
        lock.waitUntilFree().catch(async (error: unknown) => {
          await lock.release('');
          throw error;
        }),
      );
      const results = await Promise.allSettled(seeking);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      await Promise.all(all.map((lock) => lock.release('')));
    }
  });
});
