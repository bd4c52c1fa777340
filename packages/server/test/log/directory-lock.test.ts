import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { noteFile } from '../../src/log/store/directory/file-names.ts';
import { thisMachine } from '../../src/log/store/ownership/process-liveness.ts';
import { Taking } from '../../src/log/store/ownership/directory-lock.ts';

/** A directory whose last owner was killed. */
function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'fanfare-taking-'));
  const owner = { id: 'gone', place: 'elsewhere', ...thisMachine().self };
  writeFileSync(join(directory, noteFile), `${JSON.stringify(owner)}\n0\n`);
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function takingOf(directory: string): Taking {
  const ignore = (): void => {};
  const events = { onWait: ignore, onLost: ignore, onTrouble: ignore, onRecovered: ignore };
  return new Taking({ directory, machine: thisMachine(), ...events });
}

// LMDB can lose a commit of the owner when another process opens the data file.
describe('a directory whose last owner is gone', () => {
  it('lets nobody else come to its data file while somebody takes it', async () => {
    for (let round = 0; round < 2; round++) {
      const directory = temporaryDirectory();
      const first = takingOf(directory);
      await first.seek();
      const second = takingOf(directory);
      await expect(second.seek()).rejects.toThrow('Another server was started');
      await second.release('');
      expect(readdirSync(directory)).toHaveLength(2);
      await first.release('');
    }
  });

  it('lets one of those come to its data file that are started at the same time', async () => {
    for (let round = 0; round < 5; round++) {
      const directory = temporaryDirectory();
      const all = Array.from({ length: 4 }, () => takingOf(directory));
      const seeking = all.map(async (taking) =>
        taking.seek().catch(async (error: unknown) => {
          await taking.release('');
          throw error;
        }),
      );
      const results = await Promise.allSettled(seeking);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      await Promise.all(all.map((taking) => taking.release('')));
    }
  });
});
