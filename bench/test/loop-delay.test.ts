import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { soonMs, within } from '../../test/waits.ts';
import { takeLoopDelay } from '../src/load/loop-delay.ts';
import { compiled } from '../src/paths.ts';

/** A program that blocks its event loop once for a quarter of a second, and then prints `done`. */
const program = `
  setInterval(() => {}, 1e6);
  setTimeout(() => {
    const until = performance.now() + 250;
    while (performance.now() < until);
    setTimeout(() => console.log('done'), 20);
  }, 50);
`;

describe.skipIf(process.platform === 'win32')('event-loop delays of a server', () => {
  it('a server reports its event-loop delays on request, and restarts the measurement', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'fanfare-bench-test-'));
    const path = join(directory, 'loop');
    const child = spawn(process.execPath, ['--import', compiled('servers/loop-delay.js'), '-e', program], {
      env: { ...process.env, FANFARE_BENCH_LOOP: path },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => {
      child.kill('SIGKILL');
      rmSync(directory, { recursive: true });
    });
    await within(soonMs, 'the program prints when it is told to', once(child.stdout, 'data'));
    const first = await takeLoopDelay(path);
    expect(first.maxMs).toBeGreaterThan(200);
    expect(first.ownMaxMs).toBeLessThanOrEqual(first.maxMs);
    expect((await takeLoopDelay(path)).ownMaxMs).toBeLessThan(200);
  });
});
