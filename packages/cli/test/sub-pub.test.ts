import { writeFileSync } from 'node:fs';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, sleep, until } from '../../../test/waits.ts';
import { freePort } from '../../../bench/src/free-port.ts';
import { fanfare, fanfarePath, outcome, Program, startServer, temporaryDirectory } from './harness.ts';
import { commandName } from '../src/command-name.ts';
import { startLabServer, startOtherServer } from './lab-servers.ts';

const nowhere = 'http://localhost:9';

async function subscriber(url: string, ...args: string[]): Promise<Program> {
  const program = fanfare('sub', ...args, '--url', url);
  await program.says('Subscribed to', 'stderr');
  return program;
}

describe('fanfare sub TOPIC', () => {
  it('fanfare sub prints each message as a line, text as it is and anything else as JSON, and nothing else', async () => {
    const { server, url } = await startServer();
    const program = await subscriber(url, 'news', '--count', '4');
    for (const message of ['hello', { a: [1, null] }, '', 5, 'too many'])
      await server.publish('news', message);
    expect(await outcome(program)).toEqual({
      code: 0,
      stdout: 'hello\n{"a":[1,null]}\n\n5\n',
      stderr: `Subscribed to topic 'news' on ${url}\n`,
    });
  });

  it('fanfare sub prints an envelope a line with --json, which other programs can read', async () => {
    const { server, url } = await startServer();
    const shell = `"${process.execPath}" "${fanfarePath}" sub news --json --count 2 --url ${url} | jq -c '[.topic, .message, .id, (.time | type)]'`;
    const program = new Program('bash', ['-o', 'pipefail', '-c', shell]);
    await program.says('Subscribed to', 'stderr');
    await server.publish('news', 'a\nb', { id: 'x' });
    await server.publish('news', { n: 1 });
    const { code, stdout } = await outcome(program);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      ['news', 'a\nb', 'x', 'number'],
      ['news', { n: 1 }, null, 'number'],
    ]);
    expect(code).toBe(0);
  });

  it('fanfare sub names the topic in front of each message when there are several', async () => {
    const { server, url } = await startServer();
    const program = fanfare('sub', 'a', 'b', '--count', '2', '--url', url);
    await program.says("topic 'b'", 'stderr');
    await server.publish('b', 1);
    await server.publish('a', 2);
    expect((await outcome(program)).stdout).toBe('b\t1\na\t2\n');
  });

  it('fanfare sub ends with 1 and the reason when the server refuses', async () => {
    const { url } = await startServer();
    expect(await outcome(fanfare('sub', 'a/**/b', '--url', url))).toEqual({
      code: 1,
      stdout: '',
      stderr: "Failed to subscribe to topic 'a/**/b': Only the last segment of a pattern may be '**'.\n",
    });
  });

  it('fanfare sub subscribes to a topic that cannot be an event', async () => {
    const { server, url } = await startServer();
    const program = await subscriber(url, 'connect', '--count', '1');
    await server.publish('connect', 'hi');
    expect((await outcome(program)).stdout).toBe('hi\n');
  });

  it('fanfare sub is quiet and ends with 141 when its reader goes away', async () => {
    const { server, url } = await startServer();
    const shell = `"${process.execPath}" "${fanfarePath}" sub news --url ${url} | head -1; echo "\${PIPESTATUS[0]}"`;
    const program = new Program('bash', ['-c', shell]);
    await program.says('Subscribed to', 'stderr');
    await server.publish('news', 'first');
    await program.says('first');
    const publishing = setInterval(() => void server.publish('news', 'more'), 5);
    const ended = await outcome(program);
    clearInterval(publishing);
    expect(ended).toEqual({
      code: 0,
      stdout: 'first\n141\n',
      stderr: `Subscribed to topic 'news' on ${url}\n`,
    });
  });

  it('fanfare sub ends only when a slow reader of its output has everything', async () => {
    const { server, url } = await startServer();
    const gate = join(temporaryDirectory(), 'gate');
    const shell = `"${process.execPath}" "${fanfarePath}" sub news --count 20 --url ${url} | (until [ -e ${gate} ]; do sleep 0.1; done; wc -c)`;
    const program = new Program('bash', ['-o', 'pipefail', '-c', shell]);
    await program.says('Subscribed', 'stderr');
    for (let count = 0; count < 20; count++) await server.publish('news', 'x'.repeat(99_999));
    // Time itself is the test: longer than the program would wait if it waited for a fixed time.
    await sleep(2_000);
    writeFileSync(gate, '');
    expect((await outcome(program)).stdout.trim()).toBe('2000000');
  });

  it('fanfare sub ends when it has said that the server does not answer', async () => {
    const silent = createTcpServer().listen(0, '127.0.0.1');
    onTestFinished(() => void silent.close());
    await nextEvent(silent, 'listening', 'the silent server listens');
    const url = `http://localhost:${(silent.address() as AddressInfo).port}`;
    const stderr = `Cannot reach ${url}: it does not respond.\n`;
    expect(await outcome(fanfare('sub', 'news', '--url', url))).toEqual({ code: 3, stdout: '', stderr });
  });

  it('fanfare sub ends with 130 on Ctrl-C', async () => {
    const { url } = await startServer();
    const program = await subscriber(url, 'news');
    program.process.kill('SIGINT');
    expect(await outcome(program)).toMatchObject({ code: 130, stdout: '' });
  });

  it('fanfare sub says that the server is lost, and goes on when it is back', async () => {
    const port = await freePort();
    const first = await startServer(port);
    const program = await subscriber(first.url, 'news', '--count', '1');
    await first.server.stop();
    await program.says(`Lost the connection to ${first.url}; reconnecting …\n`, 'stderr');
    const second = await startServer(port);
    await program.says(`Reconnected to ${first.url}`, 'stderr');
    await expect.poll(() => second.server.publish('news', 'after')).toMatchObject({ ok: true });
    const { code, stdout } = await outcome(program);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'after\n' });
  });
});

describe('fanfare pub TOPIC MESSAGE', () => {
  it('fanfare pub publishes a text, says so to people, and prints nothing', async () => {
    const { url } = await startServer();
    const program = await subscriber(url, 'news', '--json', '--count', '1');
    const published = await outcome(fanfare('pub', 'news', '{"not": "json"}', '--url', url));
    expect(published).toEqual({ code: 0, stdout: '', stderr: "Message published to topic 'news'\n" });
    expect(JSON.parse((await outcome(program)).stdout)).toMatchObject({ message: '{"not": "json"}' });
  });

  it('fanfare pub publishes JSON with --json, and prints the answer as JSON', async () => {
    const { url } = await startServer();
    const program = await subscriber(url, 'news', '--json', '--count', '1');
    const published = await outcome(fanfare('pub', 'news', '{"a": 1}', '--json', '--id', 'x', '--url', url));
    expect(published).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(published.stdout)).toMatchObject({
      ok: true,
      topic: 'news',
      id: 'x',
      stored: 'memory',
    });
    expect(JSON.parse((await outcome(program)).stdout)).toMatchObject({ message: { a: 1 }, id: 'x' });
    const again = await outcome(fanfare('pub', 'news', '{"a": 1}', '--json', '--id', 'x', '--url', url));
    expect(JSON.parse(again.stdout)).toMatchObject({ duplicate: true });
  });

  it('fanfare pub publishes each line of the standard input, in order', async () => {
    const { url } = await startServer();
    const program = await subscriber(url, 'news', '--count', '3');
    const publisher = fanfare('pub', 'news', '-', '--url', url);
    publisher.type('one\n');
    await publisher.says('published', 'stderr');
    publisher.type('two\r\n');
    publisher.process.stdin?.end('three');
    expect((await outcome(publisher)).code).toBe(0);
    expect((await outcome(program)).stdout).toBe('one\ntwo\nthree\n');
  });

  it('fanfare pub is quiet and ends with 141 when the reader of what it says goes away', async () => {
    const { url } = await startServer();
    await subscriber(url, 'news');
    const shell = `seq 1 200000 | "${process.execPath}" "${fanfarePath}" pub news - --url ${url} 2> >(head -1 >/dev/null); echo $?`;
    expect(await outcome(new Program('bash', ['-c', shell]))).toEqual({
      code: 0,
      stdout: '141\n',
      stderr: '',
    });
  });

  it('fanfare pub stops at the first line that fails, and says how many were published', async () => {
    const { url } = await startServer();
    await subscriber(url, 'news');
    const publisher = fanfare('pub', 'news', '-', '--json', '--url', url);
    publisher.process.stdin?.end('1\n\n{\n2\n');
    const { code, stdout, stderr } = await outcome(publisher);
    expect(code).toBe(2);
    expect(stdout.trim().split('\n')).toHaveLength(1);
    expect(stderr).toBe('With --json, the message must be JSON. This is not: { (published before it: 1)\n');
  });

  it('fanfare pub ends with 1 and the reason when the server refuses', async () => {
    const { url } = await startServer();
    expect(await outcome(fanfare('pub', 'nobody', 'x', '--url', url))).toEqual({
      code: 1,
      stdout: '',
      stderr: "Failed to publish message: Topic 'nobody' does not exist. Add --create to create it.\n",
    });
  });
});

describe.each([
  ['sub', ['sub', 'news']],
  ['interactive sub', ['sub']],
  ['pub', ['pub', 'news', 'x']],
] as const)('fanfare %s without a server', (_what, args) => {
  it.each([
    [
      nowhere,
      3,
      `Cannot reach http://localhost:9: nothing listens on this port. Start a server with: ${commandName()} serve --port 9`,
    ],
    ['http://no-such-host.invalid', 3, 'Cannot reach http://no-such-host.invalid: the host does not exist.'],
    [
      'ftp://localhost',
      2,
      "'ftp://localhost' is not the URL of a server. Use one such as http://localhost:5000.",
    ],
  ])('without a server at %s the command ends with %i and a sentence', async (url, code, sentence) => {
    const ended = await outcome(fanfare(...args, '--url', url));
    expect({ ...ended, stderr: ended.stderr.replace('Failed to publish message: ', '') }).toEqual({
      code,
      stdout: '',
      stderr: `${sentence}\n`,
    });
  });
});

describe('other servers', () => {
  it('fanfare sub tells an HTTP server from a Socket.IO server', async () => {
    const url = await startOtherServer();
    expect(await outcome(fanfare('sub', 'news', '--url', url))).toEqual({
      code: 3,
      stdout: '',
      stderr: `${url} responds, but not like a Socket.IO server (HTTP 404). Is the URL correct?\n`,
    });
    expect(await outcome(fanfare('pub', 'news', 'x', '--url', url))).toEqual({
      code: 1,
      stdout: '',
      stderr: 'Failed to publish message: HTTP 404 Not Found\n',
    });
  });

  it.each(['nothing', 'never', 'a text'] as const)(
    'fanfare sub and pub work with another server that acknowledges with %s',
    async (acknowledgement) => {
      const { url } = await startLabServer(acknowledgement);
      const program = await subscriber(url, 'news', '--json', '--count', '2');
      expect(await outcome(fanfare('pub', 'news', 'hi', '--url', url))).toMatchObject({ code: 0 });
      expect(await outcome(fanfare('pub', 'news', '[1]', '--json', '--url', url))).toMatchObject({
        code: 0,
        stdout: "Message published to topic 'news'\n",
      });
      expect(await outcome(program)).toMatchObject({
        code: 0,
        stdout: '{"topic":"news","message":"hi"}\n{"topic":"news","message":[1]}\n',
      });
    },
  );

  it('fanfare sub subscribes to all topics at once again when a server that never acknowledges is back', async () => {
    const { url, io } = await startLabServer('never');
    const program = fanfare('sub', 'a', 'b', 'c', '--url', url);
    await program.says("topic 'c'", 'stderr');
    const subscribed: string[] = [];
    io.on('connection', (socket) => {
      // All before the first could have been given up.
      const tooLate = setTimeout(() => subscribed.push('too late'), 2_000);
      socket.on('subscribe', ({ topic }: { topic: string }) => {
        if (subscribed.push(topic) === 3) clearTimeout(tooLate);
      });
    });
    io.disconnectSockets();
    await until('the client subscribes to its three topics again', () => subscribed.length >= 3, {
      soFar: () => subscribed,
    });
    expect(subscribed).toEqual(['a', 'b', 'c']);
  });

  it('fanfare sub goes on trying when a server that is back refuses the connection at first', async () => {
    const { url, io } = await startLabServer('nothing');
    const program = fanfare('sub', 'news', '--count', '1', '--url', url);
    await program.says('Subscribed', 'stderr');
    let refusals = 0;
    let isSubscribed = false;
    io.use((socket, next) => {
      socket.on('subscribe', () => (isSubscribed = true));
      next(refusals++ === 0 ? new Error('not yet') : undefined);
    });
    io.disconnectSockets();
    await until('the client that was refused once subscribes again', () => isSubscribed);
    io.emit('news', { message: 'back' });
    expect(await outcome(program)).toMatchObject({ code: 0, stdout: 'back\n' });
    expect(refusals).toBe(2);
  });

  it("fanfare pub shows another server's own reason, and not a page of HTML", async () => {
    const { url } = await startLabServer('nothing');
    const failed = async (topic: string): Promise<string> =>
      (await outcome(fanfare('pub', topic, 'x', '--url', url))).stderr;
    expect(await failed('nobody')).toBe("Failed to publish message: Topic 'nobody' does not exist\n");
    expect(await failed('crash')).toBe('Failed to publish message: HTTP 500 Internal Server Error\n');
  });
});
