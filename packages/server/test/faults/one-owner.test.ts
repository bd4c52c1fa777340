import { spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sleep } from '../../../../test/waits.ts';
import { fanfarePath, outcome, Program, temporaryDirectory } from '../../../cli/test/harness.ts';
import { renewMs } from '../../src/log/store/ownership/lease.ts';
import { ScriptProcess } from '../log/server-process.ts';
import { declareTopics, readHistory } from './http.ts';
import { ServerProcess, startServerProcess, terminate } from './server-process.ts';

/** The exit code of `fanfare serve` after another server has taken its directory. */
const lostCode = 5;

interface Refusal {
  readonly status: number;
  readonly code?: string;
  readonly detail?: string;
}

async function publish(url: string, message: unknown): Promise<Refusal> {
  const response = await fetch(`${url}/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ topic: 'news', message }),
  });
  const { code, detail } = (await response.json()) as { code?: string; detail?: string };
  return { status: response.status, ...(code !== undefined && { code, detail }) };
}

async function serves(data: string): Promise<{ readonly server: ServerProcess; readonly url: string }> {
  const { server, url } = await startServerProcess({ data, port: 0 });
  await declareTopics(url, ['news']);
  expect(await publish(url, 'first')).toEqual({ status: 200 });
  return { server, url };
}

async function expectRefused(data: string, sentence: RegExp): Promise<void> {
  const { code, stdout, stderr } = await outcome(new ServerProcess({ data, port: 0 }).program);
  expect(stderr).toMatch(sentence);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
}

function removeFiles(data: string, pattern: RegExp): void {
  const names = readdirSync(data).filter((name) => pattern.test(name));
  expect(names).not.toEqual([]);
  for (const name of names) rmSync(join(data, name));
}

const sockets = /^owner-.*\.sock$/;

/**
 * Opens the store of a directory like a process on another machine, logs what it waits for, and stays open.
 */
const elsewhere = `
  const store = await openLmdbStore(args[0], {
    machine: anotherKernel(),
    onWait: (sentence) => say(sentence),
  }).catch((error) => {
    say(String(error));
    process.exit();
  });
  say('open');
  setInterval(() => {}, 1_000);`;

function openElsewhere(data: string): ScriptProcess {
  const other = new ScriptProcess(elsewhere, data);
  onTestFinished(() => other.kill());
  return other;
}

describe('a data directory whose server is alive', () => {
  it("a live data directory is refused to a second server when the first one's socket was removed", async () => {
    const data = temporaryDirectory();
    const { server, url } = await serves(data);
    removeFiles(data, sockets);
    await expectRefused(
      data,
      new RegExp(`in use by another server \\(process ${server.program.process.pid} on`),
    );
    expect(await publish(url, 'second')).toEqual({ status: 200 });
    await terminate(server);
  });

  it("a live data directory is refused to a second server when the first one's socket, note and lock were removed", async () => {
    const data = temporaryDirectory();
    await serves(data);
    removeFiles(data, /^owner-.*\.sock$|^log\.mdb-/);
    await expectRefused(data, /in use by another server/);
  });

  it('a live data directory is refused under a second name of its data file, and nothing is stored meanwhile', async () => {
    const data = temporaryDirectory();
    const { url } = await serves(data);
    const other = temporaryDirectory();
    linkSync(join(data, 'log.mdb'), join(other, 'log.mdb'));
    await expectRefused(other, /^The data file '.*log\.mdb' has 2 names \(hard links\)/);
    expect(await publish(url, 'refused')).toEqual({
      status: 503,
      code: 'storage_unavailable',
      detail: "The server's data file has a second name.",
    });
    rmSync(join(other, 'log.mdb'));
    expect(await publish(url, 'second')).toEqual({ status: 200 });
    expect((await readHistory(url)).map(({ content }) => content)).toEqual(['"first"', '"second"']);
  });

  it('a live data directory is refused through a symbolic link to its data file', async () => {
    const data = temporaryDirectory();
    const { url } = await serves(data);
    const other = temporaryDirectory();
    symlinkSync(join(data, 'log.mdb'), join(other, 'log.mdb'));
    await expectRefused(other, /^The data file '.*log\.mdb' is a symbolic link\. Name the directory/);
    expect(await publish(url, 'second')).toEqual({ status: 200 });
  });

  const cannotUnshare = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status !== 0;

  it.skipIf(cannotUnshare)(
    "a live data directory is refused to a server on the same machine that cannot see the owner's process, responding or not",
    async () => {
      const data = temporaryDirectory();
      const args = ['--pid', '--fork', '--kill-child', '--mount-proc', process.execPath, fanfarePath];
      const inContainer = new Program('unshare', [...args, 'serve', '--port', '0', '--data', data]);
      await inContainer.says(/Messages:.*\n/);
      await expectRefused(data, /in use by another server/);
      removeFiles(data, sockets);
      const waiting = new ServerProcess({ data, port: 0 });
      await waiting.program.says('has not renewed its lease for 10 seconds', 'stderr');
      expect(await waiting.program.exitCode).toBe(1);
      expect(waiting.program.stderr).toMatch(/in use by another server/);
      // Nobody listens on the socket of a killed container, so the kernel refuses the connection at once.
      inContainer.process.kill('SIGKILL');
      await inContainer.exitCode;
    },
  );
});

describe('a server on another machine', () => {
  it('a server on another machine is refused as soon as the counter of the first one moves', async () => {
    const data = temporaryDirectory();
    const { url } = await serves(data);
    removeFiles(data, sockets);
    const other = openElsewhere(data);
    expect(await other.line()).toContain('This server starts after the other one has not renewed its lease');
    expect(await other.line()).toMatch(/^DataDirectoryError: .*is in use by another server/);
    expect(await publish(url, 'second')).toEqual({ status: 200 });
  });

  it('a server on another machine takes over once the counter stands still for ten seconds, and the first one acknowledges nothing more and stops', async () => {
    const data = temporaryDirectory();
    const { server, url } = await serves(data);
    removeFiles(data, sockets);
    server.program.process.kill('SIGSTOP');
    const begun = performance.now();
    const other = openElsewhere(data);
    expect(await other.line()).toContain('has not renewed its lease');
    expect(await other.line()).toBe('open');
    expect(performance.now() - begun).toBeGreaterThan(10_000);
    // It waits in the kernel until the first one runs again.
    const late = publish(url, 'late').catch(() => undefined);
    server.program.process.kill('SIGCONT');
    const refusal = await late;
    if (refusal) expect(refusal).toMatchObject({ status: 503 });
    expect(await server.program.exitCode).toBe(lostCode);
    expect(server.program.stderr).toMatch(
      /Another server \(process \d+ on elsewhere\) has taken the data directory '.*'\. This server stores nothing any more, and stops\.\n$/,
    );
    await other.kill();
    // The first server left the directory to the second one, which was killed.
    const again = openElsewhere(data);
    expect(await again.line()).toBe('open');
  });

  it('a server on another machine can open a directory at once after its last server has released it', async () => {
    const data = temporaryDirectory();
    await terminate((await serves(data)).server);
    expect(await openElsewhere(data).line()).toBe('open');
  });
});

describe('a server that cannot raise its counter', () => {
  it('a server that cannot raise its counter acknowledges nothing after five seconds, logs this, and recovers later', async () => {
    const data = temporaryDirectory();
    const { server, url } = await serves(data);
    const note = join(data, 'log.mdb-owner');
    rmSync(note);
    mkdirSync(note);
    await server.program.says('messages cannot be stored', 'stderr');
    expect(await publish(url, 'refused')).toEqual({
      status: 503,
      code: 'storage_unavailable',
      detail: 'The server cannot make sure that no other server writes to its data directory.',
    });
    expect((await readHistory(url)).map(({ content }) => content)).toEqual(['"first"']);
    rmdirSync(note);
    await server.program.says('messages can be stored again', 'stderr');
    expect(await publish(url, 'second')).toEqual({ status: 200 });
    await terminate(server);
    expect(readFileSync(note, 'utf8')).toMatch(/\nleft \S+\n$/);
  });
});

const gone = {
  status: 503,
  code: 'storage_unavailable',
  detail: "The server's data file was deleted, moved or replaced.",
};

describe('the files of a running server', () => {
  it.each<[string, (data: string) => void, RegExp]>([
    ['its directory is deleted', (data) => rmSync(data, { recursive: true }), /was deleted or moved/],
    [
      'its directory is replaced by an empty one',
      (data) => {
        rmSync(data, { recursive: true });
        mkdirSync(data);
      },
      /was deleted or moved/,
    ],
    ['its data file is deleted', (data) => rmSync(join(data, 'log.mdb')), /log\.mdb' was deleted or moved/],
    [
      'its data file is replaced by a copy',
      (data) => {
        const path = join(data, 'log.mdb');
        const copy = `${path}-copy`;
        spawnSync('cp', [path, copy]);
        renameSync(copy, path);
      },
      /log\.mdb' was replaced/,
    ],
    [
      'its lock file is deleted',
      (data) => rmSync(join(data, 'log.mdb-lock')),
      /log\.mdb-lock' was deleted or moved/,
    ],
  ])(
    'a server notices that %s: it refuses publishes, logs the reason, and continues to serve reads',
    async (_what, take, why) => {
      const data = join(temporaryDirectory(), 'data');
      const { server, url } = await serves(data);
      take(data);
      expect(await publish(url, 'refused')).toEqual(gone);
      await server.program.says(why, 'stderr');
      expect((await readHistory(url)).map(({ content }) => content)).toEqual(['"first"']);
      await terminate(server);
    },
  );

  it('a server notices that its files are gone even without a publish', async () => {
    const data = join(temporaryDirectory(), 'data');
    const { server } = await serves(data);
    rmSync(data, { recursive: true });
    await server.program.says('messages cannot be stored', 'stderr');
    expect(server.program.stderr).toMatch(/log\.mdb' was deleted or moved while the server had it open/);
    // If the server stopped, the messages could not be read any more, and a supervisor would start an empty
    // one.
    expect(server.program.process.exitCode).toBeNull();
    await terminate(server);
    expect(existsSync(data)).toBe(false);
  });

  it('a running server still reads its files when another server is started in their place', async () => {
    const data = join(temporaryDirectory(), 'data');
    const { server, url } = await serves(data);
    rmSync(data, { recursive: true });
    await server.program.says('messages cannot be stored', 'stderr');
    const other = await startServerProcess({ data, port: 0 });
    // Time itself is the test: the server would have looked at the note twice by then.
    await sleep(2 * renewMs + 500);
    expect((await readHistory(url)).map(({ content }) => content)).toEqual(['"first"']);
    await terminate(server);
    await terminate(other.server);
  });

  it('a running server writes again after its directory was moved away and back', async () => {
    const data = join(temporaryDirectory(), 'data');
    const { server, url } = await serves(data);
    renameSync(data, `${data}-away`);
    expect(await publish(url, 'refused')).toEqual(gone);
    renameSync(`${data}-away`, data);
    expect(await publish(url, 'second')).toEqual({ status: 200 });
    await server.kill();
    const again = await startServerProcess({ data, port: 0 });
    expect((await readHistory(again.url)).map(({ content }) => content)).toEqual(['"first"', '"second"']);
  });
});
