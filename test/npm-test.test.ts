import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { outcome, Program } from '../packages/cli/test/harness.ts';

const script = fileURLToPath(new URL('../scripts/test.mjs', import.meta.url));

it('npm test says exactly what to install when it cannot install it itself, and fails', async () => {
  // Without apt-get, even root cannot install anything.
  const { code, stdout, stderr } = await outcome(
    new Program(process.execPath, [script], { PATH: '/nowhere' }),
  );
  expect({ code, stdout, stderr }).toEqual({
    code: 1,
    stdout: '0 passed, 1 failed\n',
    stderr:
      'The tests need tmux, jq, zsh, fish, systemd-analyze, promtool, curl, faketime.\nOn Debian or Ubuntu: sudo apt-get install tmux jq zsh fish systemd prometheus curl faketime\n',
  });
});
