import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { fanfare, fanfarePath, outcome, Program } from './harness.ts';

/** What systemd does for a socket unit: the program gets an open socket as descriptor 3. */
const passSocket = `
import os, socket, sys
passed = socket.create_server(('127.0.0.1', 0))
os.dup2(passed.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[1], sys.argv[1:])
`;

it('fanfare serve --listen systemd serves on the socket that it was passed', async () => {
  const serve = [process.execPath, fanfarePath, 'serve', '--memory', '--listen', 'systemd'];
  const program = new Program('/usr/bin/python3', ['-c', passSocket, ...serve]);
  await program.says(/Messages:.*\n/);
  const url = /http:\/\/[^\s"]+/.exec(program.stdout)?.[0] ?? '';
  expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ ready: true });
  program.process.kill('SIGTERM');
  expect(await outcome(program)).toMatchObject({ code: 0, stderr: '' });
});

it('fanfare serve --listen systemd says what to do if it was passed no socket', async () => {
  expect(await outcome(fanfare('serve', '--memory', '--listen', 'systemd'))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      'start it through its socket unit, or listen elsewhere (--listen).',
    ) as string,
  });
});

it('fanfare serve on a Unix domain socket says how to check it, and what to do if another server has it', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'fanfare-listen-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'fanfare.sock');
  const program = fanfare('serve', '--memory', '--listen', `unix:${path}`);
  await program.says(/Messages:.*\n/);
  expect(program.stdout.split('\n').slice(0, 2)).toEqual([
    `Fanfare serves on unix:${path} (stop it with Ctrl-C)`,
    `Check:      curl --unix-socket ${path} http://localhost/readyz`,
  ]);
  expect(await outcome(fanfare('serve', '--memory', '--listen', `unix:${path}`))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      `Another program uses ${path}: stop it, or choose another with --listen.`,
    ) as string,
  });
  expect(await outcome(fanfare('serve', '--memory', '--listen', 'somewhere'))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(
      '--listen must be unix:PATH (such as unix:/run/fanfare.sock) or systemd, not "somewhere".',
    ) as string,
  });
});
