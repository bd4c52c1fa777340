import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { mintToken } from '@fanfare/server/tokens';
import { io } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, until, within } from './waits.ts';
import { launchBrowser } from '../packages/server/test/browser.ts';
import { CuttingProxy } from '../bench/src/continuity/cutting-proxy.ts';
import { outcome, Program, startServer, temporaryDirectory } from '../packages/cli/test/harness.ts';
import { BreakableNetwork } from '../packages/server/test/faults/breakable-network.ts';

const example = (path: string): string => fileURLToPath(new URL(`../examples/${path}`, import.meta.url));
const key = 'a secret of more than thirty-two bytes';
const python = (path: string, url: string, ...args: string[]): Program =>
  new Program('/usr/bin/python3', [example(`python/${path}`), ...args], { FANFARE_URL: url });
const node = (path: string, url: string, ...args: string[]): Program =>
  new Program(process.execPath, [example(`node/${path}`), ...args], { FANFARE_URL: url });

/** The examples that keep their position in a file. */
const resuming = [
  ['node/resuming-subscriber.js', node],
  ['node/sdk-subscriber.js', node],
  ['python/resuming_subscriber.py', python],
] as const;

/** Starts an example that is a server, and returns its URL. */
async function serve(path: string): Promise<{ program: Program; url: string }> {
  const program = new Program(process.execPath, [example(path)], { PORT: '0' });
  await program.says(/http:\/\/[^\s"]+/);
  return { program, url: /http:\/\/[\w.]+:\d+/.exec(program.stdout)?.[0] ?? '' };
}

describe('the examples', () => {
  it('the README lists exactly the examples in the repository', async () => {
    const folders = readdirSync(example(''), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
      .map(({ name }) => name);
    expect(folders.toSorted()).toEqual(['browser', 'express', 'fastify', 'node', 'python']);
  });

  it.each([
    ['python/subscriber.py', python],
    ['node/subscriber.js', node],
  ] as const)('%s gets the messages of both publishers', async (path, run) => {
    const { url } = await startServer();
    const file = path.split('/')[1] ?? '';
    expect(await outcome(python('publisher.py', url, 'breaking news', 'early'))).toMatchObject({
      code: 1,
      stderr: "Failed to publish message: Topic 'breaking news' does not exist\n",
    });
    const subscriber = run(file, url, 'breaking news');
    await subscriber.says('Subscribed\n');
    for (const publish of [
      python('publisher.py', url, 'breaking news', 'one'),
      node('publisher.js', url, 'breaking news', 'two'),
    ]) {
      expect(await outcome(publish)).toMatchObject({
        code: 0,
        stdout: "Message published to topic 'breaking news'\n",
      });
    }
    await subscriber.says("Received message for topic 'breaking news': one\n");
    await subscriber.says("Received message for topic 'breaking news': two\n");
  });

  it('the stock subscribers continue with a fresh token when theirs has expired', async () => {
    const { url } = await startServer(0, { key });
    const tokenFile = join(temporaryDirectory(), 'token');
    const writeToken = (seconds: number): Promise<void> => {
      const endsAt = Date.now() + seconds * 1_000;
      const claims = { subject: 'ann', publish: [], subscribe: ['news'], isAdmin: false, endsAt };
      return mintToken({ key, ...claims }, Date.now()).then((token) => writeFileSync(tokenFile, token));
    };
    await writeToken(10);
    const env = { FANFARE_URL: url, FANFARE_TOKEN_FILE: tokenFile };
    const args = ['news', join(temporaryDirectory(), 'position')];
    const programs = [
      new Program(process.execPath, [example('node/subscriber.js'), 'news'], env),
      new Program(process.execPath, [example('node/resuming-subscriber.js'), ...args], env),
      new Program('/usr/bin/python3', [example('python/subscriber.py'), 'news'], env),
      new Program(
        '/usr/bin/python3',
        [example('python/resuming_subscriber.py'), args[0] ?? '', `${args[1]}.py`],
        env,
      ),
    ];
    const subscribed = (times: number): Promise<unknown> =>
      Promise.all(
        programs.map((program, at) =>
          program.says(new RegExp(`(?:Subscribed\\n[^]*){${times}}`), at % 2 === 0 ? 'stdout' : 'stderr'),
        ),
      );
    // Proves: each program subscribes a second time, which it does only once it has the fresh token.
    await subscribed(1);
    await writeToken(600);
    await subscribed(2);
  });

  it.each([
    ['subscriber.py', 'stdout'],
    ['resuming_subscriber.py', 'stderr'],
  ] as const)(
    'python/%s ends without a traceback on Ctrl-C, with a server and without',
    async (file, stream) => {
      const { server, url } = await startServer();
      const position = join(temporaryDirectory(), 'position');
      const programs = [1, 2].map(() => python(file, url, 'news', position));
      for (const program of programs) await program.says('Subscribed', stream);
      const interrupt = async ({ process, exitCode }: Program): Promise<number> => {
        process.kill('SIGINT');
        return exitCode;
      };
      const [connected, lost] = programs as [Program, Program];
      expect(await interrupt(connected)).toBe(0);
      await server.stop();
      expect(await interrupt(lost)).toBe(0);
      for (const { stderr } of programs) expect(stderr).toBe(stream === 'stderr' ? 'Subscribed\n' : '');
    },
  );

  it.each(resuming)(
    '%s misses nothing over lost connections, and restarts of the server and of itself',
    async (path, run) => {
      const directory = temporaryDirectory();
      const start = async (port = 0): ReturnType<typeof startServer> =>
        startServer(port, { memory: false, data: join(directory, 'data') });
      let { server, url } = await start();
      const network = await BreakableNetwork.to(url);
      const subscribe = async (): Promise<Program> => {
        const program = run(path.split('/')[1] ?? '', network.url, 'numbers', join(directory, 'position'));
        await program.says(/Subscribed|live/, 'stderr');
        return program;
      };
      let published = 0;
      const publish = async (): Promise<void> => {
        for (let n = 0; n < 50; n++) ({ offset } = await server.publish('numbers', published++));
      };
      let offset: string | undefined;
      let first = 0;
      const arrives = async (program: Program): Promise<void> => {
        const all = Array.from({ length: published - first }, (_, n) => `${first + n}\n`).join('');
        await expect.poll(() => program.stdout).toBe(all);
      };

      let program = await subscribe();
      await publish();
      await arrives(program);
      for (let interruption = 0; interruption < 2; interruption++) {
        network.cut();
        await publish();
        network.mend();
        await arrives(program);
        await server.stop();
        ({ server, url } = await start(Number(new URL(url).port)));
        await publish();
        await arrives(program);
      }
      expect(program.stderr).not.toContain('missing');
      if (path === 'node/sdk-subscriber.js') return;

      // The example prints a message before it stores its position, so that a kill in between loses none.
      await expect.poll(() => readFileSync(join(directory, 'position'), 'utf8')).toBe(offset);
      program.process.kill('SIGKILL');
      await program.exitCode;
      first = published;
      await publish();
      program = await subscribe();
      await publish();
      await arrives(program);
    },
  );

  it.each(resuming.filter(([path]) => path !== 'node/sdk-subscriber.js'))(
    '%s always has a complete position in its file, so that it can be killed at any moment',
    async (path, run) => {
      const { server, url } = await startServer();
      const file = join(temporaryDirectory(), 'position');
      const program = run(path.split('/')[1] ?? '', url, 'numbers', file);
      await program.says('Subscribed', 'stderr');
      await Promise.all(Array.from({ length: 900 }, (_, n) => server.publish('numbers', n)));
      const read = new Set<string>();
      await until('the program has printed the last message', () => program.stdout.endsWith('899\n'), {
        step: async () => {
          for (let n = 0; n < 50; n++) read.add(readFileSync(file, 'utf8'));
          await setImmediate();
        },
        soFar: () => program.stdout.slice(-100),
      });
      expect(read).not.toContain('');
    },
  );

  it.each(resuming)(
    '%s keeps its position when the server does not notice a cut, and when acknowledgements are lost',
    async (path, run) => {
      const { server, url } = await startServer(0, { memory: false, data: temporaryDirectory() });
      const proxy = await CuttingProxy.to(Number(new URL(url).port));
      onTestFinished(() => proxy.close());
      let published = 0;
      const publish = async (): Promise<void> => {
        for (let n = 0; n < 50; n++) await server.publish('numbers', published++);
      };
      const losesAcks = (): Promise<void> => expect.poll(() => proxy.acksToLose).toBe(0);
      const arrives = async (): Promise<void> => {
        const all = Array.from({ length: published }, (_, n) => `${n}\n`).join('');
        await expect.poll(() => program.stdout).toBe(all);
      };

      // This includes the first acknowledgement: there is no position yet, and no message is due before the
      // second one.
      proxy.acksToLose = 1;
      const file = path.split('/')[1] ?? '';
      const proxyUrl = `http://127.0.0.1:${proxy.port}`;
      const program = run(file, proxyUrl, 'numbers', join(temporaryDirectory(), 'position'));
      await losesAcks();
      await program.says(/Subscribed|live/, 'stderr');
      await publish();
      await arrives();

      proxy.cut('half-open');
      await publish();
      proxy.mend();
      await publish();
      await arrives();

      proxy.acksToLose = 2;
      proxy.cut('half-open');
      await publish();
      proxy.mend();
      await losesAcks();
      await publish();
      await arrives();
      expect(program.stderr).not.toContain('missing');
    },
  );

  it('python/resuming_subscriber.py reconnects when a connection is lost before the client has noticed that it is open', async () => {
    const { server, url } = await startServer();
    const network = await BreakableNetwork.to(url);
    const late = fileURLToPath(new URL('python/late_connection.py', import.meta.url));
    const subscriber = new Program(
      '/usr/bin/python3',
      [late, example('python/resuming_subscriber.py'), 'numbers', join(temporaryDirectory(), 'position')],
      { FANFARE_URL: network.url },
    );
    await subscriber.says('Subscribed\n', 'stderr');
    network.cut();
    await server.publish('numbers', 1);
    network.mend();
    await subscriber.says('1\n');
    expect(subscriber.stdout).toBe('1\n');
  });

  it('browser/server.js shows the votes of each window in every window', async () => {
    const { url } = await serve('browser/server.js');
    const browser = await launchBrowser();
    onTestFinished(() => browser.close());
    const [first, second] = [await browser.newPage(), await browser.newPage()];
    for (const page of [first, second]) await page.goto(url);
    // A vote before both have subscribed does not reach both, so vote until each has seen one.
    await expect
      .poll(async () => {
        await first.getByRole('button', { name: 'Tea' }).click();
        return Promise.all(
          [first, second].map(async (page) => Number(await page.locator('#tea').textContent()) > 0),
        );
      })
      .toEqual([true, true]);
    expect(await second.locator('#coffee').textContent()).toBe('0');
  });

  it('express/server.js publishes what is posted to the app, and ends on SIGTERM with a client connected', async () => {
    const { program, url } = await serve('express/server.js');
    const order = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"item":"tea"}' };
    expect((await fetch(`${url}/orders`, order)).status).toBe(201);
    const client = io(url, { reconnection: false });
    onTestFinished(() => void client.close());
    await client.emitWithAck('subscribe', { topic: 'orders' });
    const received = nextEvent(client, 'orders', 'the subscriber gets the order');
    const posted: unknown = await (await fetch(`${url}/orders`, order)).json();
    expect(await received).toEqual({ message: posted });
    program.process.kill('SIGTERM');
    expect(await program.exitCode).toBe(0);
  });

  it("fastify/server.js has the app's events and Fanfare's on one socket, and ends on SIGTERM", async () => {
    const { program, url } = await serve('fastify/server.js');
    const client = io(url, { reconnection: false });
    onTestFinished(() => void client.close());
    await client.emitWithAck('subscribe', { topic: 'news' });
    expect(await client.emitWithAck('whoami')).toBe(client.id);
    const received = nextEvent(client, 'news', 'the subscriber gets the message');
    expect(await client.emitWithAck('publish', { topic: 'news', message: 'hi' })).toMatchObject({ ok: true });
    expect(await received).toEqual({ message: 'hi' });
    expect(await (await fetch(url)).text()).toContain('The app serves this page');
    program.process.kill('SIGTERM');
    const ended = within(10_000, 'the app ends without waiting for a timer', program.exitCode);
    expect(await ended).toBe(0);
  });
});
