import { describe, expect, it } from 'vitest';
import { freePort } from '../../../bench/src/free-port.ts';
import { fanfare, fanfarePath, outcome, Program, startServer, temporaryDirectory } from './harness.ts';
import { startLabServer, startOtherServer } from './lab-servers.ts';
import { inTerminal } from './terminal.ts';

async function subscriber(url: string, ...args: string[]): Promise<Program> {
  const program = fanfare('sub', ...args, '--url', url);
  await program.says('Subscribed to', 'stderr');
  return program;
}

/** Lines of JSON, by one of their fields. */
function fields(lines: string, name: string): unknown[] {
  return lines
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as Record<string, unknown>)[name]);
}

/** A server that has five messages of `a/b`, and one of `c`. */
async function filled(): ReturnType<typeof startServer> {
  const started = await startServer();
  for (const topic of ['a/b', 'c']) await outcome(fanfare('topics', 'create', topic, '--url', started.url));
  for (const message of [1, 2, 3, 4, 5]) await started.server.publish('a/b', message);
  await started.server.publish('c', 'text', { id: 'x' });
  return started;
}

describe('fanfare sub --from', () => {
  it.each([
    ['earliest', [1, 2, 3, 4, 5, 'text']],
    ['last', [5, 'text']],
    ['last:3', [3, 4, 5, 'text']],
    ['last=2', [4, 5, 'text']],
    ['1h', [1, 2, 3, 4, 5, 'text']],
    ['2020-01-31', [1, 2, 3, 4, 5, 'text']],
    ['time:0', [1, 2, 3, 4, 5, 'text']],
  ])(
    'fanfare sub --from %s begins there, for all topics of a pattern, and goes on live',
    async (from, messages) => {
      const { server, url } = await filled();
      const program = await subscriber(
        url,
        '**',
        '--from',
        from,
        '--json',
        '--count',
        String(messages.length + 1),
      );
      await program.says('"text"');
      await server.publish('c', 'live');
      const { code, stdout } = await outcome(program);
      expect(code).toBe(0);
      expect(fields(stdout, 'message')).toEqual([...messages, 'live']);
      expect(fields(stdout, 'replay')).toEqual([...messages.map(() => '**'), undefined]);
    },
  );

  it('fanfare sub --from takes up after an offset that it has printed', async () => {
    const { url } = await filled();
    const first = await outcome(await subscriber(url, 'a/b', '--from', 'earliest', '--json', '--count', '2'));
    const offset = String(fields(first.stdout, 'offset').at(-1));
    const second = await outcome(await subscriber(url, 'a/*', '--from', offset, '--count', '3'));
    expect(second.stdout).toBe('a/b\t3\na/b\t4\na/b\t5\n');
  });

  it('fanfare sub --from says so when the offset is one of another log', async () => {
    const { url } = await filled();
    const program = await outcome(await subscriber(url, 'c', '--from', 'another.17', '--count', '1'));
    expect(program.stdout).toBe('text\n');
    expect(program.stderr).toContain(
      "Messages of topic 'c' are missing: the server no longer has all of them since that offset",
    );
  });

  it('fanfare sub --from says so when the server keeps no messages', async () => {
    const { url } = await startLabServer('nothing');
    const program = await subscriber(url, 'c', '--from', 'earliest');
    // Proves: the subscriber says so, and subscribes all the same.
    await program.says(`${url} keeps no messages: topic 'c' starts with new ones.\n`, 'stderr');
  });

  it.each(['never', '', 'last:', 'last:x', '10', '10y', '2020-13-01', 'time:-1'])(
    'fanfare sub --from refuses %j',
    async (from) => {
      const { code, stderr } = await outcome(fanfare('sub', 'c', `--from=${from}`));
      expect(code).toBe(2);
      expect(stderr).toContain('It must be one of: new, earliest, last');
    },
  );
});

describe('fanfare sub, when its server is away for a while', () => {
  it('fanfare sub resumes after the last message when its server comes back, and misses none', async () => {
    const data = temporaryDirectory();
    const first = fanfare('serve', '--port', '0', '--data', data);
    await first.says(/Messages:.*\n/);
    const url = /http:\/\/[^\s"]+/.exec(first.stdout)?.[0] ?? '';
    const program = await subscriber(url, 'news/*', 'news/b', '--from', 'earliest', '--count', '7');
    const publish = (topic: string, message: string): Promise<unknown> =>
      outcome(fanfare('pub', '--create', topic, message, '--url', url));
    await publish('news/a', 'one');
    await publish('news/b', 'two');
    await program.says('news/b\ttwo\n');
    first.process.kill('SIGKILL');
    await first.exitCode;
    await program.says('Lost the connection', 'stderr');
    const second = fanfare('serve', '--port', new URL(url).port, '--data', data);
    await second.says(/Messages:.*\n/);
    await publish('news/a', 'three');
    await publish('news/c', 'four');
    const { code, stdout, stderr } = await outcome(
      await (async () => {
        await program.says('four');
        await publish('news/a', 'five');
        await program.says('five');
        await publish('news/a', 'six');
        await program.says('six');
        await publish('news/a', 'seven');
        return program;
      })(),
    );
    expect(code).toBe(0);
    expect(stdout.trim().split('\n')).toEqual([
      'news/a\tone',
      'news/b\ttwo',
      'news/a\tthree',
      'news/c\tfour',
      'news/a\tfive',
      'news/a\tsix',
      'news/a\tseven',
    ]);
    expect(stderr).toContain(`Reconnected to ${url}. Continuing after the last received message.\n`);
    expect(stderr).not.toContain('missing');
  });

  it('fanfare sub says so when the server has lost its messages', async () => {
    const port = await freePort();
    const first = await startServer(port);
    const program = await subscriber(first.url, 'news', '--count', '2');
    await first.server.publish('news', 'before');
    await program.says('before');
    await first.server.stop();
    await program.says('Lost the connection', 'stderr');
    const second = await startServer(port);
    await program.says(
      "Messages of topic 'news' that were published in the meantime may be missing",
      'stderr',
    );
    await second.server.publish('news', 'after');
    expect(await outcome(program)).toMatchObject({ code: 0, stdout: 'before\nafter\n' });
  });
});

describe('fanfare sub, when it is told something', () => {
  it('fanfare sub says how many messages it missed, and goes on', async () => {
    const { url, io } = await startLabServer('nothing');
    const program = await subscriber(url, 'prices', '--count', '1');
    io.emit('gap', { topic: 'prices', dropped: 3, envelope: true });
    io.emit('gap', { topic: 'prices', dropped: 1, envelope: true });
    io.emit('gap', { topic: 'prices', envelope: true });
    io.emit('message', { topic: 'prices', message: 'next', time: 1 });
    const { code, stdout, stderr } = await outcome(program);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'next\n' });
    for (const many of ['3 messages', '1 message', 'Messages'])
      expect(stderr).toMatch(new RegExp(`^${many} of topic 'prices' (is|are) missing here`, 'm'));
  });

  it('fanfare sub ends with 1 when the server ends its subscription', async () => {
    const { url, io } = await startLabServer('nothing');
    const program = await subscriber(url, 'prices');
    io.emit('error', { topic: 'prices', code: 'log_damaged', detail: 'The data is damaged.' });
    expect(await outcome(program)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("'prices': The data is damaged.") as string,
    });
  });
});

describe('fanfare pub TOPIC -', () => {
  it('fanfare pub TOPIC - publishes many lines at once, in their order, and prints an answer for each', async () => {
    const { url } = await startServer();
    const shell = `seq 1 5000 | "${process.execPath}" "${fanfarePath}" pub numbers - --create --json --url ${url}`;
    const { code, stdout, stderr } = await outcome(new Program('bash', ['-o', 'pipefail', '-c', shell]));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const places = fields(stdout, 'offset').map((offset) => Number(String(offset).split('.')[1]));
    expect(places).toEqual(Array.from({ length: 5_000 }, (_, at) => at + 1));
    const read = await outcome(fanfare('history', 'numbers', '--json', '--url', url));
    expect(fields(read.stdout, 'message')).toEqual(Array.from({ length: 5_000 }, (_, at) => at + 1));
  });

  it('fanfare pub TOPIC - says how many messages it published at a time', async () => {
    const { url } = await startServer();
    const publisher = fanfare('pub', 'news', '-', '--create', '--url', url);
    publisher.process.stdin?.end('one\ntwo\nthree\n');
    expect((await outcome(publisher)).stderr).toBe(
      "Message published to topic 'news'\n2 messages published to topic 'news'\n",
    );
  });

  it('fanfare pub TOPIC - takes only a line feed for the end of a line', async () => {
    const { url } = await startServer();
    const publisher = fanfare('pub', 'news', '-', '--create', '--url', url);
    publisher.process.stdin?.end('a\u2028b\u0085c\rd\r\n\nlast');
    await outcome(publisher);
    const { stdout } = await outcome(fanfare('history', 'news', '--json', '--url', url));
    expect(fields(stdout, 'message')).toEqual(['a\u2028b\u0085c\rd', '', 'last']);
  });

  it.each([
    ['a server that takes fewer at once', { batchMessagesMax: 1 }],
    ['a server that takes less at once', { batchBytesMax: 10 }],
  ])('fanfare pub TOPIC - publishes them one by one to %s', async (_what, limits) => {
    const { url } = await startServer(0, limits);
    const publisher = fanfare('pub', 'news', '-', '--create', '--url', url);
    publisher.process.stdin?.end('one\ntwo\nthree\n');
    expect((await outcome(publisher)).stderr).toBe("Message published to topic 'news'\n".repeat(3));
  });

  it('fanfare pub TOPIC - publishes them one by one to a server that knows nothing else', async () => {
    const { url } = await startLabServer('nothing');
    await subscriber(url, 'news');
    const publisher = fanfare('pub', 'news', '-', '--url', url);
    publisher.process.stdin?.end('one\ntwo\nthree\n');
    expect(await outcome(publisher)).toMatchObject({
      code: 0,
      stderr: "Message published to topic 'news'\n".repeat(3),
    });
  });

  it('fanfare pub TOPIC - stops at the first that fails, and tells what was sent along with it', async () => {
    const rules = [{ match: 'small', publishBytesMax: 10 }];
    const { url } = await startServer(0, { rules });
    const publisher = fanfare('pub', 'small', '-', '--create', '--url', url);
    publisher.process.stdin?.end('one\ntwo\ntoo long a message\nfour\n');
    const { code, stderr } = await outcome(publisher);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /Failed to publish message: .* \(published before it: 2, and 1 after it in the same request\)\n$/,
    );
    const { stdout } = await outcome(fanfare('history', 'small', '--json', '--url', url));
    expect(fields(stdout, 'message')).toEqual(['one', 'two', 'four']);
  });
});

describe('fanfare topics', () => {
  it('fanfare topics creates topics, lists them, and deletes them', async () => {
    const { url } = await startServer();
    const run = (...args: string[]): Promise<unknown> => outcome(fanfare('topics', ...args, '--url', url));
    expect(await run('create', 'a', 'b/c', '..', 'ü "x"')).toEqual({
      code: 0,
      stdout: '',
      stderr: ['a', 'b/c', '..', 'ü "x"'].map((topic) => `Created topic '${topic}'\n`).join(''),
    });
    expect(await run('create', 'a')).toMatchObject({ code: 0, stderr: "Topic 'a' already exists\n" });
    const { stdout } = await outcome(fanfare('pub', 'a', '1', '--json', '--url', url));
    const [lastOffset] = fields(stdout, 'offset');
    expect(await run()).toEqual({
      code: 0,
      stdout: `..\t0\t0\t-\na\t0\t1\t${String(lastOffset)}\nb/c\t0\t0\t-\nü "x"\t0\t0\t-\n`,
      stderr: '',
    });
    expect(await run('list', '--json', '--prefix', 'b/')).toMatchObject({
      stdout: '{"topic":"b/c","subscribers":0,"messages":0,"published":0}\n',
    });
    expect(await run('delete', 'a', '..')).toMatchObject({
      code: 0,
      stderr: "Deleted topic 'a'\nDeleted topic '..'\n",
    });
    expect(await run('delete', 'a')).toEqual({
      code: 1,
      stdout: '',
      stderr: "Failed to delete topic 'a': Topic 'a' does not exist\n",
    });
    expect(await run('create', '$x')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("Failed to create topic '$x': The topic must not begin with") as string,
    });
  });

  it('fanfare topics lists as many as there are', async () => {
    const { url } = await startServer();
    const names = Array.from({ length: 2_100 }, (_, at) => `topic ${String(at).padStart(5, '0')}`);
    await outcome(fanfare('topics', 'create', ...names, '--url', url));
    const { stdout } = await outcome(fanfare('topics', '--json', '--url', url));
    expect(fields(stdout, 'topic')).toEqual(names);
  });

  it('fanfare topics says so when the server is not a Fanfare server', async () => {
    const url = await startOtherServer();
    expect(await outcome(fanfare('topics', '--url', url))).toEqual({
      code: 1,
      stdout: '',
      stderr: `Failed to list the topics: ${url} does not support this. Is it a Fanfare server?\n`,
    });
  });

  it('fanfare topics shows a table in a terminal, and asks before it deletes', async () => {
    const { url } = await filled();
    const list = inTerminal(`topics --url ${url}`, { width: 80 });
    await expect
      .poll(() => list.screen.join('\n'))
      .toMatch(/^TOPIC +SUBSCRIBERS +MESSAGES +LAST OFFSET\na\/b +0 +5 +\S+\.5\nc +0 +1 +\S+\.6$/m);
    const kept = inTerminal(`topics delete a/b --url ${url}`, { width: 80 });
    await kept.shows("Delete topic 'a/b' and its 5 messages? [y/N]");
    kept.type('n', 'Enter');
    await kept.shows("Kept topic 'a/b'");
    expect(await kept.exitCode()).toBe(0);
    const interrupted = inTerminal(`topics delete a/b --url ${url}`, { width: 80 });
    await interrupted.shows("Delete topic 'a/b'");
    interrupted.type('C-c');
    expect(await interrupted.exitCode()).toBe(130);
    const deleted = inTerminal(`topics delete a/b c --url ${url}`, { width: 80 });
    await deleted.shows("Delete topic 'a/b' and its 5 messages? [y/N]");
    deleted.type('y', 'Enter');
    await deleted.shows("Delete topic 'c' and its 1 message? [y/N]");
    deleted.type('yes', 'Enter');
    await deleted.shows("Deleted topic 'c'");
    const sure = inTerminal(`topics delete c --yes --url ${url}`, { width: 80 });
    await sure.shows("Failed to delete topic 'c': Topic 'c' does not exist");
    expect(await sure.exitCode()).toBe(1);
  });
});

describe('fanfare history', () => {
  it('fanfare history prints time and message, and the topic of a pattern', async () => {
    const { url } = await filled();
    const one = await outcome(fanfare('history', 'a/b', '--limit', '2', '--url', url));
    expect(one).toMatchObject({ code: 0, stderr: '' });
    expect(one.stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z\t1\n\S+Z\t2\n$/);
    const all = await outcome(fanfare('history', '**', '--from', 'last', '--url', url));
    expect(all.stdout).toMatch(/^\S+Z\ta\/b\t5\n\S+Z\tc\ttext\n$/);
  });

  it('fanfare history prints envelopes with --json, with messages as they were published', async () => {
    const { url } = await startServer();
    const publisher = fanfare('pub', 'news', '-', '--json', '--create', '--url', url);
    const messages = ['1.0', '12345678901234567890', '{"a":1,"a":[1e400]}', '"\\u0041"', 'null'];
    publisher.process.stdin?.end(`${messages.join('\n')}\n`);
    await outcome(publisher);
    const { stdout } = await outcome(fanfare('history', 'news', '--json', '--url', url));
    expect(stdout.replaceAll(/"offset":"[^"]+"/g, '"offset":0').replaceAll(/"time":\d+/g, '"time":0')).toBe(
      messages.map((message) => `{"topic":"news","message":${message},"offset":0,"time":0}\n`).join(''),
    );
  });

  it('fanfare history prints all there is, and no more than it is asked for', async () => {
    const { url } = await startServer();
    const shell = `seq 1 2500 | "${process.execPath}" "${fanfarePath}" pub n - --create --json --url ${url}`;
    await outcome(new Program('bash', ['-c', shell]));
    const read = async (...args: string[]): Promise<unknown[]> =>
      fields((await outcome(fanfare('history', 'n', '--json', ...args, '--url', url))).stdout, 'message');
    expect(await read()).toHaveLength(2_500);
    expect(await read('--limit', '1500')).toHaveLength(1_500);
    expect(await read('--from', 'last:1200')).toEqual(Array.from({ length: 1_200 }, (_, at) => at + 1_301));
    expect(await read('--from', 'new')).toEqual([]);
  });

  it('fanfare history says so when messages after the offset are missing', async () => {
    const { url } = await filled();
    expect(await outcome(fanfare('history', 'c', '--from', 'another.1', '--url', url))).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/\ttext\n$/) as string,
      stderr: 'Messages are missing here: the server no longer has all of them.\n',
    });
  });

  it('fanfare history ends with 1 when there is no such topic', async () => {
    const { url } = await startServer();
    expect(await outcome(fanfare('history', 'nobody', '--url', url))).toEqual({
      code: 1,
      stdout: '',
      stderr: "Failed to read topic 'nobody': Topic 'nobody' does not exist\n",
    });
  });
});
