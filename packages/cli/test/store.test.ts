import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer } from '@fanfare/server';
import { describe, expect, it } from 'vitest';
import { ProgressBar } from '../src/progress-bar.ts';
import { fanfare, fanfarePath, outcome, Program, temporaryDirectory } from './harness.ts';
import { Terminal } from './terminal.ts';

/** A data directory that a server has filled. */
async function filled(messages: number): Promise<string> {
  const data = join(temporaryDirectory(), 'data');
  const server = createServer({ port: 0, data, rules: [{ match: '**', create: 'publish' }] });
  await server.start();
  const publish = (at: number): Promise<unknown> =>
    server.publish(
      at % 2 === 0 ? 'even/x' : 'odd',
      { number: at, text: `text number ${at} é` },
      at === 3 ? { id: 'three' } : {},
    );
  for (let at = 0; at < messages; at++) await publish(at);
  await server.stop();
  return data;
}

function withInput(program: Program, input: string): Program {
  program.process.stdin?.end(input);
  return program;
}

/** What is the same in every copy of a log. */
function contentOf(lines: string): string {
  return lines
    .split('\n')
    .slice(1)
    .join('\n')
    .replaceAll(/,"offset":"[^"]+"/g, '');
}

describe('fanfare store', () => {
  it('fanfare store verifies a directory, and says what it has', async () => {
    const data = await filled(10);
    expect(await outcome(fanfare('store', 'verify', data))).toEqual({
      code: 0,
      stdout: '10 messages in 2 topics (380 bytes)\n',
      stderr: '',
    });
    const fromEnv = new Program(process.execPath, [fanfarePath, 'store', 'verify'], { FANFARE_DATA: data });
    expect(await outcome(fromEnv)).toMatchObject({ code: 0 });
  });

  it('fanfare store exports, imports and exports the same, over pipes', async () => {
    const data = await filled(30);
    const copy = join(temporaryDirectory(), 'copy');
    const run = `"${process.execPath}" "${fanfarePath}" store`;
    const shell = `${run} export '${data}' | ${run} import '${copy}'`;
    expect(await outcome(new Program('bash', ['-o', 'pipefail', '-c', shell]))).toMatchObject({
      code: 0,
      stdout: '',
    });
    expect(await outcome(fanfare('store', 'verify', copy))).toMatchObject({ code: 0 });
    const first = await outcome(fanfare('store', 'export', data));
    const second = await outcome(fanfare('store', 'export', copy));
    expect(first).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^Exported 30 messages in 2 topics/) as string,
    });
    expect(first.stdout.split('\n')).toHaveLength(35);
    expect(contentOf(second.stdout)).toBe(contentOf(first.stdout));
    expect(first.stdout.slice(0, 100)).not.toBe(second.stdout.slice(0, 100));
  });

  it('a server can use an imported directory, and says that older offsets are of another log', async () => {
    const data = await filled(4);
    const { stdout } = await outcome(fanfare('store', 'export', data));
    const copy = join(temporaryDirectory(), 'copy');
    await outcome(withInput(fanfare('store', 'import', copy), stdout));
    const serve = fanfare('serve', '--port', '0', '--data', copy);
    await serve.says(/Messages:.*\n/);
    const url = /http:\/\/[^\s"]+/.exec(serve.stdout)?.[0] ?? '';
    const { offset } = JSON.parse(stdout.split('\n')[4] ?? '') as { offset: string };
    const read = await outcome(fanfare('history', 'odd', '--from', offset, '--json', '--url', url));
    expect(read.stderr).toContain('Messages are missing here');
    expect(read.stdout.match(/"number":\d/g)).toEqual(['"number":1', '"number":3']);
    expect(read.stdout).toContain('"id":"three"');
  });

  it('fanfare store exports only the topics that are asked for', async () => {
    const { stdout } = await outcome(fanfare('store', 'export', await filled(6), '--topic', 'even/*'));
    expect(stdout.match(/"topic":"[^"]+"/g)).toEqual(Array(4).fill('"topic":"even/x"'));
    expect(await outcome(fanfare('store', 'export', 'any', '--topic', 'a/**/b'))).toMatchObject({ code: 2 });
  });

  it('fanfare store ends with 1, names what is damaged, and exports all else', async () => {
    const data = await filled(20);
    const path = join(data, 'log.mdb');
    const bytes = readFileSync(path);
    const text = 'text number 7';
    expect(bytes.includes(text)).toBe(true);
    // Pages that are free can have it, too.
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at)) bytes[at] = 'T'.charCodeAt(0);
    writeFileSync(path, bytes);
    const verified = await outcome(fanfare('store', 'verify', data));
    expect(verified).toMatchObject({ code: 1, stdout: '19 messages in 2 topics (742 bytes)\n' });
    expect(verified.stderr).toBe(
      `Messages of topic 'odd' in block 8 are damaged.\nFound 1 damaged place in '${data}'. Export the readable data and import it into a new directory, or restore a backup.\n`,
    );
    const exported = await outcome(fanfare('store', 'export', data));
    expect(exported.code).toBe(1);
    expect(exported.stderr).toContain("Messages of topic 'odd' in block 8 are damaged, and left out.\n");
    const copy = join(temporaryDirectory(), 'copy');
    await outcome(withInput(fanfare('store', 'import', copy), exported.stdout));
    expect(await outcome(fanfare('store', 'verify', copy))).toMatchObject({
      code: 0,
      stdout: verified.stdout,
    });
  });

  it('fanfare store says so when the data file is cut off, however reading it ends', async () => {
    const data = await filled(200);
    const path = join(data, 'log.mdb');
    const used = readFileSync(path).findLastIndex((byte) => byte !== 0);
    truncateSync(path, Math.floor(used / 2));
    const { code, stderr } = await outcome(fanfare('store', 'verify', data));
    expect(code).toBe(1);
    expect(stderr).toMatch(/damaged/);
  });

  it('fanfare store reads a snapshot of a directory that a server has, changes none, and needs one that exists', async () => {
    const data = await filled(2);
    const serve = fanfare('serve', '--port', '0', '--data', data);
    await serve.says(/Messages:.*\n/);
    for (const tool of ['verify', 'export']) {
      const { code, stdout, stderr } = await outcome(fanfare('store', tool, data));
      expect(code).toBe(0);
      expect(stdout + stderr).toContain('2 messages in 2 topics');
      const nowhere = join(temporaryDirectory(), 'nowhere');
      const absent = await outcome(fanfare('store', tool, nowhere));
      expect(absent).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`There is no log in '${nowhere}'`) as string,
      });
      expect(existsSync(nowhere)).toBe(false);
    }
    expect(await outcome(fanfare('store', 'repair-times', data))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        `'${data}' is in use by another server (process ${serve.process.pid}`,
      ) as string,
    });
    const importing = await outcome(
      withInput(fanfare('store', 'import', data), '{"topic":"a","message":1,"time":1}\n'),
    );
    expect(importing).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('already has a log') as string,
    });
  });

  it('fanfare store imports nothing of what is wrong, or interrupted', async () => {
    const parent = temporaryDirectory();
    const directory = join(parent, 'data');
    const wrong = await outcome(
      withInput(fanfare('store', 'import', directory), '{"topic":"a","message":1,"time":1}\n{\n'),
    );
    expect(wrong).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^Line 2 cannot be imported: /) as string,
    });
    const interrupted = fanfare('store', 'import', directory);
    interrupted.type('{"topic":"a","message":1,"time":1}\n');
    await expect.poll(() => existsSync(directory), { interval: 1 }).toBe(true);
    interrupted.process.kill('SIGINT');
    // Its input stays open: an end of it would be one reason more to end.
    expect(await interrupted.exitCode).toBe(130);
    expect(readdirSync(parent)).toEqual([]);
  });

  it('fanfare store shows in a terminal how far it is, and only there', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const line = '{"topic":"a","message":1,"time":1}';
    const run = `'${process.execPath}' '${fanfarePath}' store import '${directory}'`;
    // Whoever writes the lines ignores Ctrl-C, and is not waited for: else the input might end before the
    // signal comes.
    const script = join(temporaryDirectory(), 'import.sh');
    const lines = `trap '' INT; for i in 1 2 3; do echo '${line}'; done; exec sleep 20`;
    writeFileSync(script, `exec ${run} < <(${lines})\n`);
    const terminal = new Terminal(`bash '${script}'`, { width: 80 });
    await expect
      .poll(() => terminal.screen.join('\n'))
      .toMatch(/^importing {2}[123] messages? {2}\S+ \S+\/s$/m);
    terminal.type('C-c');
    expect(await terminal.exitCode()).toBe(130);
    expect(existsSync(directory)).toBe(false);
  });
});

describe('a progress bar', () => {
  it('a progress bar says how much is done, and is gone at the end', () => {
    let written = '';
    const output = {
      columns: 80,
      write: (text: string) => ((written += text), true),
    } as unknown as NodeJS.WriteStream;
    const bar = new ProgressBar('verifying', output, true);
    bar.update({ messages: 1_234, bytes: 5_000_000, share: 0.5 });
    expect(written).toMatch(/^verifying {2}\[#{12}-{12}\] 50% {2}1,234 messages {2}[\d.]+ \wiB\/s$/);
    bar.say('Something is damaged.');
    bar.end();
    expect(written.endsWith('Something is damaged.\n')).toBe(true);
    written = '';
    new ProgressBar('verifying', output, false).update({ messages: 1, bytes: 1 });
    expect(written).toBe('');
  });
});
