import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { until } from './waits.ts';
import { freePort } from '../bench/src/free-port.ts';
import { outcome, Program, temporaryDirectory } from '../packages/cli/test/harness.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** The code blocks of a language, in order. */
function blocks(language: string): string[] {
  return [...readme.matchAll(/^```(\w+)\n([^]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , code = '']) => code);
}

interface Transcript {
  readonly command: string;
  readonly output: string;
}

function transcripts(): Transcript[] {
  return blocks('console').flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((text) => {
        const [command = '', ...output] = text.split('\n');
        return { command, output: output.join('\n') };
      }),
  );
}

/** The files that `git clone` would create, with uncommitted changes. */
function cloneOfThisTree(): string {
  const directory = temporaryDirectory();
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  for (const file of list.split('\0').filter((name) => name !== '')) {
    cpSync(join(root, file), join(directory, file));
  }
  return directory;
}

/** npm may have something to say about a machine's own settings. */
function withoutNpm(text: string): string {
  return text.replace(/^npm .*\n/gm, '');
}

describe('the README', () => {
  it('every command of the README works on a fresh clone, in order', { timeout: 240_000 }, async () => {
    const clone = cloneOfThisTree();
    const port = await freePort();
    const url = `http://localhost:${port}`;
    const here = (text: string): string => text.replaceAll('http://localhost:5000', url);
    const inReadme = (text: string): string =>
      text
        .replaceAll(` --url ${url}`, '')
        .replaceAll(url, 'http://localhost:5000')
        .replaceAll(realpathSync(clone), '/home/ann/fanfare');
    const env = { PORT: String(port), FANFARE_URL: url, npm_config_prefer_offline: 'true' };
    const shell = (command: string): Program =>
      new Program('bash', ['-c', `cd '${clone}' && exec ${here(command)}`], env);
    const program = (name: string, code: string): Program => {
      writeFileSync(join(clone, name), here(code));
      return shell(name.endsWith('.py') ? `/usr/bin/python3 -u ${name}` : `node ${name}`);
    };
    const [start, sub, pub, curl, late, secret, guarded, mint, ...others] = transcripts();
    const [jsSubscriber = '', jsPublisher = '', sdk = '', resuming = ''] = blocks('js');
    const [pythonSubscriber = '', pythonPublisher = ''] = blocks('python');
    expect(
      [start, sub, pub, curl, late, secret, guarded, mint].every((transcript) => transcript !== undefined),
    ).toBe(true);
    expect(others).toEqual([]);

    const server = shell(start?.command ?? '');
    await server.says(/^Messages:.*\n/m);
    expect(inReadme(server.stdout)).toContain(start?.output);
    expect(start?.output.trim().split('\n')).toHaveLength(4);

    const cli = shell(sub?.command ?? '');
    await cli.says('Subscribed', 'stderr');
    expect(withoutNpm(inReadme(cli.stderr))).toBe(sub?.output);
    // These two clients print nothing when they subscribe, so the test publishes until both have a message.
    const subscribers = [program('subscriber.mjs', jsSubscriber), program('subscriber.py', pythonSubscriber)];
    for (const transcript of [pub, curl]) {
      const { code, stdout, stderr } = await outcome(
        shell(`${transcript?.command} -s`.replace(/(npx .*) -s$/, '$1')),
      );
      expect([code, withoutNpm(stdout + stderr).trim()]).toEqual([0, transcript?.output.trim()]);
    }
    await cli.says('hello\nhello from curl\n');
    const replayed = await outcome(shell(late?.command ?? ''));
    expect([replayed.code, withoutNpm(inReadme(replayed.stderr)) + replayed.stdout]).toEqual([
      0,
      late?.output,
    ]);

    for (const [name, code, received] of [
      ['publisher.mjs', jsPublisher, "{ from: 'JavaScript' }"],
      ['publisher.py', pythonPublisher, 'hello from Python'],
    ] as const) {
      const isReceived = (): boolean => subscribers.every(({ stdout }) => stdout.includes('Received'));
      const publishes = async (): Promise<void> => {
        expect(await outcome(program(name, code))).toMatchObject({
          code: 0,
          stdout: "Message published to topic 'news'\n",
        });
      };
      await publishes();
      await until('both subscribers have received something', isReceived, {
        step: publishes,
        soFar: () => subscribers.map(({ stdout }) => stdout),
        ms: 60_000,
      });
      await cli.says(received.startsWith('{') ? '{"from":"JavaScript"}\n' : `${received}\n`);
    }
    await subscribers[0]?.says("Received { from: 'JavaScript' }\n");
    await subscribers[0]?.says('Received hello from Python\n');
    await subscribers[1]?.says("Received {'from': 'JavaScript'}\n");
    await subscribers[1]?.says('Received hello from Python\n');
    subscribers[1]?.process.kill('SIGINT');
    expect([await subscribers[1]?.exitCode, subscribers[1]?.stderr]).toEqual([0, '']);

    const resumed = program('resuming.mjs', resuming);
    const isPublished = async (): Promise<boolean> =>
      (await outcome(shell('npx fanfare pub orders/7 tea'))).code === 0;
    await until('the topic exists, for the subscriber has subscribed', isPublished, { ms: 60_000 });
    await resumed.says('orders/7 tea');
    process.kill(-(server.process.pid ?? 0), 'SIGINT');
    await server.exitCode;
    const again = shell(start?.command ?? '');
    await again.says(/^Messages:.*\n/m);
    expect((await outcome(shell('npx fanfare pub orders/7 coffee'))).code).toBe(0);
    await resumed.says('orders/7 coffee');
    expect([resumed.stdout, resumed.stderr]).toEqual([`orders/7 tea\norders/7 coffee\n`, '']);

    const withSdk = program('sdk.mjs', sdk);
    await withSdk.says("orders/7 { item: 'tea' }\n");
    expect(withSdk.stdout).toContain('live\n');
    expect(withSdk.stderr).toBe('');

    process.kill(-(again.process.pid ?? 0), 'SIGINT');
    await again.exitCode;
    expect((await outcome(shell(`bash -c '${secret?.command}'`))).code).toBe(0);
    expect(statSync(join(clone, 'secret')).mode & 0o777).toBe(0o600);
    await shell(guarded?.command ?? '').says(/^Tokens:.*\n/m);
    const { stdout: token } = await outcome(shell(mint?.command ?? ''));
    const reading = "npx fanfare sub 'orders/*' --from earliest --count 1";
    expect((await outcome(shell(reading))).code).toBe(1);
    expect(await outcome(shell(`${reading} --token ${token}`))).toMatchObject({
      code: 0,
      stdout: 'orders/7\ttea\n',
    });
  });
});
