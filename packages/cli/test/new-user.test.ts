import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../../bench/src/free-port.ts';
import { fanfare, fanfarePath, outcome, Program, startServer, temporaryDirectory } from './harness.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const manyBytes = 'a secret that is long enough for HS256';

/** Runs the command in a folder, by a path. */
function runIn(cwd: string, command: string, env: Record<string, string> = {}): Program {
  return new Program('bash', ['-c', `cd '${cwd}' && exec ${command}`], env);
}

describe('fanfare', () => {
  it.each([
    [['topics', 'lst'], "error: unknown command 'lst'\n(Did you mean list?)\n"],
    [['topics', 'delte', 'x'], "error: unknown command 'delte'\n(Did you mean delete?)\n"],
    [['token', 'mnt'], "error: unknown command 'mnt'\n(Did you mean mint?)\n"],
    [['store', 'verfy'], "error: unknown command 'verfy'\n(Did you mean verify?)\n"],
    [['histry'], "error: unknown command 'histry'\n(Did you mean history?)\n"],
    [['sub', '--fron', 'last'], "error: unknown option '--fron'\n(Did you mean --from?)\n"],
  ])('fanfare suggests for %j what was meant', async (args, stderr) => {
    expect(await outcome(fanfare(...args))).toEqual({ code: 2, stdout: '', stderr });
  });

  it.each(['-v', '-V', '--version', 'version'])('fanfare prints its version for %s', async (arg) => {
    expect(await outcome(fanfare(arg))).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('fanfare takes a URL without http://, and lists topics without a further word', async () => {
    const { url } = await startServer();
    const host = url.replace('http://', '');
    expect((await outcome(fanfare('pub', 'news', 'x', '--create', '--url', host))).code).toBe(0);
    const read = await outcome(fanfare('sub', 'news', '--from', 'last', '--count', '1', '--url', `${host}/`));
    expect(read).toEqual({ code: 0, stdout: 'x\n', stderr: `Subscribed to topic 'news' on ${url}\n` });
    expect((await outcome(fanfare('topics', '--url', host))).stdout).toMatch(/^news\t0\t1\t\S+\n$/);
  });

  it('fanfare names --create when a topic does not exist, for lines too, and the command for it at the prompt', async () => {
    const { url } = await startServer();
    const sentence = "Failed to publish message: Topic 'no one' does not exist. Add --create to create it.\n";
    const lines = fanfare('pub', 'no one', '-', '--url', url);
    lines.process.stdin?.end('x\ny\n');
    const prompt = fanfare('pub', '--url', url);
    prompt.process.stdin?.end('no one\nx\nexit\n');
    const one = fanfare('pub', 'no one', 'x', '--url', url);
    for (const program of [one, lines])
      expect(await outcome(program)).toEqual({ code: 1, stdout: '', stderr: sentence });
    expect((await outcome(prompt)).stdout).toMatch(/Create it with: .*fanfare.* topics create 'no one'\n/);
  });

  it.each([
    ['sub', 'news'],
    ['pub', 'news', 'x'],
    ['topics'],
    ['topics', 'create', 'x'],
    ['history', 'news'],
  ])('fanfare names --token-file when a token is needed: %s', async (...args) => {
    const { url } = await startServer(0, { key: manyBytes });
    const { code, stderr } = await outcome(fanfare(...args, '--url', url));
    expect(code).toBe(1);
    expect(stderr).toContain(': The server needs a token: pass one with --token-file or FANFARE_TOKEN.\n');
  });

  it.each([
    [
      ['serve', '--memory', '--port', '0', '--key-file', '/no/key'],
      "keyFile (--key-file) '/no/key': The file cannot be read (ENOENT).",
    ],
    [['token', 'mint', 'ann', '--key-file', '/no/key'], 'Cannot read --key-file /no/key (ENOENT).'],
    [['sub', 'news', '--token-file', '/no/token'], 'Cannot read --token-file /no/token (ENOENT).'],
  ])('fanfare names the flag and the path of a file that cannot be read: %j', async (args, sentence) => {
    expect(await outcome(fanfare(...args))).toEqual({ code: 2, stdout: '', stderr: `${sentence}\n` });
  });

  it('fanfare says with an absolute path where messages are kept', async () => {
    const folder = temporaryDirectory();
    const serve = runIn(folder, `'${process.execPath}' '${fanfarePath}' serve --port 0 --data some/data`);
    await serve.says(`Messages:   kept in ${join(folder, 'some', 'data')}\n`);
    const second = runIn(folder, `'${process.execPath}' '${fanfarePath}' serve --port 0 --data some/data`);
    expect((await outcome(second)).stderr).toContain(
      `The data directory '${join(folder, 'some', 'data')}' is in use`,
    );
    const verify = runIn(folder, `'${process.execPath}' '${fanfarePath}' store verify nothing/here`);
    expect((await outcome(verify)).stderr).toContain(join(folder, 'nothing', 'here'));
  });

  it('fanfare says how to start a server where nothing listens, so that it works there', async () => {
    const port = await freePort();
    const folder = temporaryDirectory();
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    symlinkSync(fanfarePath, join(bin, 'fanfare'));
    const env = { PATH: `/usr/bin:/bin:${bin}` };
    const node = `'${process.execPath}' '${fanfarePath}'`;
    const hints: string[] = [];
    for (const [cwd, command, more] of [
      [folder, 'fanfare', env],
      [folder, node, { PATH: '/usr/bin:/bin' }],
      [join(fanfarePath, '../../../..'), node, { PATH: '/usr/bin:/bin' }],
    ] as const) {
      const { code, stderr } = await outcome(runIn(cwd, `${command} topics --url 127.0.0.1:${port}`, more));
      expect(code).toBe(3);
      hints.push(/Start a server with: (.*)\n/.exec(stderr)?.[1] ?? stderr);
    }
    expect(hints).toEqual([
      `fanfare serve --port ${port}`,
      `node ${relative(folder, fanfarePath)} serve --port ${port}`,
      `npx fanfare serve --port ${port}`,
    ]);
    const serve = runIn(folder, `${hints[0]} --memory`, {
      ...env,
      PATH: `${env.PATH}:${join(process.execPath, '..')}`,
    });
    await serve.says(`Fanfare serves on http://localhost:${port}`);
  });

  it('fanfare says nothing of starting a server that would be elsewhere', async () => {
    for (const url of ['https://localhost:9', 'http://localhost:9/below'])
      expect(await outcome(fanfare('topics', '--url', url))).toEqual({
        code: 3,
        stdout: '',
        stderr: `Cannot reach ${url}: nothing listens on this port. Is the URL correct, and is the server running?\n`,
      });
  });
});
