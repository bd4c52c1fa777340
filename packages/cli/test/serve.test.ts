import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { flagOf, settingNames } from '@fanfare/server/settings';
import { io } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent } from '../../../test/waits.ts';
import { fanfare, fanfarePath, outcome, Program, temporaryDirectory, withoutLife } from './harness.ts';

/** Keeps messages in memory, unless it is told where. */
async function serving(...args: string[]): Promise<{ program: Program; url: string }> {
  const program = fanfare('serve', ...(args.includes('--data') ? [] : ['--memory']), ...args);
  await program.says(/Messages:.*\n/);
  return { program, url: /http:\/\/[^\s"]+/.exec(program.stdout)?.[0] ?? '' };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function write(path: string, content: string): string {
  writeFileSync(path, content);
  return path;
}

describe('fanfare serve', () => {
  it('fanfare serve --admin-listen says where operators find health and metrics, and they are there', async () => {
    const { program, url } = await serving('--port', '0', '--admin-listen', '0');
    await program.says(/^Operators: .*$/m);
    const [, admin = '', paths] =
      /^Operators: {2}(http:\/\/localhost:\d+) \((.*)\)$/m.exec(program.stdout) ?? [];
    expect(paths).toBe('/healthz, /readyz, /metrics and /stats');
    expect(admin).not.toBe(url);
    expect(await (await fetch(`${admin}/metrics`)).text()).toContain('fanfare_publishes_total 0');
    const taken = new Program(process.execPath, [
      fanfarePath,
      'serve',
      '--memory',
      '--port=0',
      `--admin-listen=127.0.0.1:${new URL(admin).port}`,
    ]);
    expect(await taken.exitCode).toBe(1);
    expect(taken.stderr).toContain('(EADDRINUSE). Change adminListen (--admin-listen).');
    expect(taken.stderr.trim().split('\n').length).toBe(1);
  });

  it('fanfare serve says in four lines where it serves, how to subscribe and to publish, and where messages are kept', async () => {
    const { program, url } = await serving('--port', '0');
    expect(program.stdout.split('\n')).toEqual([
      expect.stringMatching(/^Fanfare serves on http:\/\/localhost:\d+ /) as string,
      expect.stringMatching(new RegExp(`^Subscribe:  (npx )?fanfare sub news --url ${url}$`)) as string,
      expect.stringMatching(new RegExp(`^Publish:    (npx )?fanfare pub news hello --url ${url}$`)) as string,
      'Messages:   kept in memory, until the server stops',
      'Access:     this machine only. Set a key before you use a proxy: the server cannot detect every proxy.',
      '',
    ]);
    expect(await (await fetch(url)).text()).toMatch(/^Fanfare /);
  });

  it.each([['SIGTERM'], ['SIGINT']] as const)(
    'fanfare serve ends with 0 on %s, with a client connected',
    async (signal) => {
      const { program, url } = await serving('--port', '0');
      const client = io(url, { reconnection: false });
      onTestFinished(() => void client.close());
      await nextEvent(client, 'connect', 'the client connects');
      const gone = nextEvent(client, 'disconnect', 'the server lets its clients go when it stops');
      program.process.kill(signal);
      expect(await outcome(program)).toMatchObject({ code: 0, stderr: '' });
      // Not «io server disconnect», after which a client would not come back by itself.
      expect(await gone).toMatch(/^transport (close|error)$/);
    },
  );

  it('fanfare serve ends with 0 on SIGHUP in a terminal, also when that is closed', async () => {
    const serve = `'${process.execPath}' '${fanfarePath}' serve --memory --port 0`;
    const start = async (): Promise<{ terminal: Program; pid: number; gone: Promise<unknown> }> => {
      const terminal = new Program('script', [
        '--quiet',
        '--return',
        '--command',
        `echo pid $$; exec ${serve}`,
        '/dev/null',
      ]);
      await terminal.says(/Messages:.*\r\n/);
      const client = io(/serves on (\S+)/.exec(terminal.stdout)?.[1] ?? '', { reconnection: false });
      onTestFinished(() => void client.close());
      await nextEvent(client, 'connect', 'the client connects');
      const gone = nextEvent(client, 'disconnect', 'the server lets its clients go when it stops');
      return { terminal, pid: Number(/pid (\d+)/.exec(terminal.stdout)?.[1]), gone };
    };
    const signalled = await start();
    process.kill(signalled.pid, 'SIGHUP');
    expect([await signalled.terminal.exitCode, await signalled.gone]).toEqual([0, 'transport close']);
    const closed = await start();
    closed.terminal.process.kill('SIGKILL');
    expect(await closed.gone).toBe('transport close');
    await expect.poll(() => isRunning(closed.pid)).toBe(false);
  });

  it('fanfare serve reads its settings again on SIGHUP without a terminal, or keeps them and says what is wrong', async () => {
    const config = write(join(temporaryDirectory(), 'fanfare.yaml'), 'topicsMax: 1\n');
    const { program, url } = await serving('--port', '0', '--config', config);
    const declare = async (topic: string): Promise<number> =>
      (await fetch(`${url}/topics/${topic}`, { method: 'PUT', headers: { connection: 'close' } })).status;
    expect([await declare('a'), await declare('b')]).toEqual([201, 429]);
    write(config, 'topicsMax: 2\nport: x\n');
    program.process.kill('SIGHUP');
    await program.says(`port in ${config}:2 must be a whole number from 0 to 65535`, 'stderr');
    expect(await declare('b')).toBe(429);
    write(config, 'topicsMax: 2\nidWindowMs: 1h\n');
    program.process.kill('SIGHUP');
    await program.says('The settings were reloaded. Some changes need a restart.', 'stderr');
    expect(program.stderr).toContain('"changed":["topicsMax"],"needRestart":["idWindowMs"]');
    expect(await declare('b')).toBe(201);
    program.process.kill('SIGTERM');
    expect((await outcome(program)).code).toBe(0);
  });

  it('fanfare serve logs only errors with --log-level error, until a reload', async () => {
    const config = write(join(temporaryDirectory(), 'fanfare.yaml'), 'logLevel: error\n');
    const { program } = await serving('--port', '0', '--config', config);
    program.process.kill('SIGHUP');
    write(config, 'logLevel: loud\n');
    program.process.kill('SIGHUP');
    await program.says('must be one of info, warn, error, silent', 'stderr');
    expect(program.stderr).not.toContain('The settings were reloaded');
    write(config, 'logLevel: info\n');
    program.process.kill('SIGHUP');
    await program.says('"changed":["logLevel"]', 'stderr');
  });

  it('fanfare serve goes on after SIGUSR1, which opens no port for debuggers', async () => {
    const { program, url } = await serving('--port', '0');
    program.process.kill('SIGUSR1');
    await program.says('SIGUSR1 is ignored: ', 'stderr');
    expect((await fetch(url, { headers: { connection: 'close' } })).status).toBe(200);
    program.process.kill('SIGTERM');
    const { code, stderr } = await outcome(program);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('Debugger')]);
  });

  it('fanfare serve says in one sentence that it may have too few files, however few', async () => {
    for (const limit of [20, 42, 64, 255]) {
      const command = `ulimit -n ${limit}; exec '${process.execPath}' '${fanfarePath}' serve --memory --port 0`;
      const { code, stdout, stderr } = await outcome(new Program('bash', ['-c', command]));
      expect([limit, code, stdout, stderr.split('\n')]).toEqual([
        limit,
        1,
        '',
        [expect.stringMatching(/[Tt]oo (?:few|low).* \(`ulimit -n`\)\.$/), ''],
      ]);
    }
  });

  it('fanfare serve says so when it has run out of file descriptors, and when it has some again', async () => {
    const command = `ulimit -n 256; exec '${process.execPath}' '${fanfarePath}' serve --memory --port 0`;
    const program = new Program('bash', ['-c', command]);
    await program.says(/Messages:.*\n/);
    const port = Number(/:(\d+)/.exec(program.stdout)?.[1]);
    const sockets = Array.from({ length: 256 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    onTestFinished(() => sockets.forEach((socket) => void socket.destroy()));
    await program.says('Out of file descriptors: new connections are dropped', 'stderr');
    for (const socket of sockets) socket.destroy();
    await program.says('There are file descriptors again', 'stderr');
    expect(withoutLife(program.stderr).trim().split('\n')).toHaveLength(2);
    expect((await fetch(`http://127.0.0.1:${port}`, { headers: { connection: 'close' } })).status).toBe(200);
  });

  it('fanfare serve logs its start with all settings and its stop as JSON, without secrets', async () => {
    const key = 'canary canary canary canary canary';
    const args = ['serve', '--memory', '--port', '0', '--publish-bytes-max', '2KiB'];
    const program = new Program(process.execPath, [fanfarePath, ...args], { FANFARE_KEY: key });
    await program.says(/Messages:.*\n/);
    program.process.kill('SIGTERM');
    expect(await program.exitCode).toBe(0);
    const lines = program.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(lines).toMatchObject([
      {
        msg: 'The server has started.',
        url: expect.stringMatching(/^http/) as string,
        settings: { publishBytesMax: 2_048, outboxBytesMax: 1_048_576, key: '********' },
      },
      { msg: 'The server is stopping.' },
      { msg: 'The server has stopped.' },
    ]);
    expect(program.stderr).not.toContain('canary');
  });

  it('fanfare serve logs lines for people on a terminal', async () => {
    const serve = `'${process.execPath}' '${fanfarePath}' serve --memory --port 0`;
    const terminal = new Program('script', ['--quiet', '--return', '--command', serve, '/dev/null']);
    await terminal.says(/Messages:.*\r\n/);
    expect(terminal.stdout).toMatch(
      /^\d\d:\d\d:\d\d info  The server has started\. \{"url":"http[^\n]*\}\r?\n/m,
    );
    expect(terminal.stdout).not.toContain('"settings"');
  });

  it.each([
    ['while it starts', 'Server.prototype', 'listen'],
    ['as soon as it has said that it serves', 'process.stdout', 'write'],
  ])('fanfare serve ends with 0 on a SIGTERM %s', async (_, owner, method) => {
    const preload = `
      import { Server } from 'node:net';
      const { ${method}: original } = ${owner};
      ${owner}.${method} = function (...args) {
        const result = original.apply(this, args);
        process.kill(process.pid, 'SIGTERM');
        ${owner}.${method} = original;
        return result;
      };`;
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(preload)}` };
    const program = new Program(process.execPath, [fanfarePath, 'serve', '--memory', '--port', '0'], env);
    expect(await outcome(program)).toMatchObject({ code: 0, stderr: '' });
  });

  it('fanfare serve says in one sentence what to do when the port is taken', async () => {
    const taken = createHttpServer().listen(0, '127.0.0.1');
    onTestFinished(() => void taken.close());
    await nextEvent(taken, 'listening', 'the port is taken');
    const { port } = taken.address() as AddressInfo;
    expect(await outcome(fanfare('serve', '--memory', '--port', String(port)))).toEqual({
      code: 1,
      stdout: '',
      stderr: `Another program uses port ${port}: stop it, or choose another port with --port ${port + 1}.\n`,
    });
  });

  it.each(['0.0.0.0', '::', '192.168.1.1', 'example.org', '127.0.0.1.evil.example', '::ffff:1.2.3.4'])(
    'fanfare serve does not listen on %s without --open',
    async (host) => {
      const { code, stdout, stderr } = await outcome(
        fanfare('serve', '--memory', '--port', '0', '--host', host),
      );
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain('--open');
      expect(stderr.trim().split('\n')).toHaveLength(1);
    },
  );

  it.each([['127.0.0.2'], ['::1'], ['localhost'], ['0.0.0.0', '--open']])(
    'fanfare serve listens on %s',
    async (...host) => {
      const { url } = await serving('--port', '0', '--host', ...host);
      expect((await fetch(url)).status).toBe(200);
    },
  );

  it('fanfare serve takes a setting from flag, environment and file, in this order of force', async () => {
    const config = join(temporaryDirectory(), 'fanfare.json');
    writeFileSync(config, '{"port": 0, "host": "127.0.0.4"}');
    const serve = async (env: Record<string, string>, ...args: string[]): Promise<string> => {
      const program = new Program(
        process.execPath,
        [fanfarePath, 'serve', '--memory', '--config', config, ...args],
        env,
      );
      await program.says(/serves on (\S+)/);
      return /\d+\.\d+\.\d+\.\d+/.exec(program.stdout)?.[0] ?? '';
    };
    expect(await serve({})).toBe('127.0.0.4');
    expect(await serve({ FANFARE_HOST: '127.0.0.3' })).toBe('127.0.0.3');
    expect(await serve({ FANFARE_HOST: '127.0.0.3' }, '--host', '127.0.0.2')).toBe('127.0.0.2');
  });

  it('fanfare serve keeps messages in its data directory, over a restart', async () => {
    const data = join(temporaryDirectory(), 'new', 'data');
    const first = await serving('--port', '0', '--data', data);
    expect(first.program.stdout).toContain(`Messages:   kept in ${data}\n`);
    await outcome(fanfare('pub', '--create', 'news', 'still there', '--url', first.url));
    first.program.process.kill('SIGTERM');
    expect(await outcome(first.program)).toMatchObject({ code: 0, stderr: '' });
    const second = await serving('--port', '0', '--data', data);
    const read = await outcome(fanfare('history', 'news', '--json', '--url', second.url));
    expect(JSON.parse(read.stdout)).toMatchObject({ message: 'still there' });
  });

  it('fanfare serve says who has the data directory already', async () => {
    const data = temporaryDirectory();
    const { program } = await serving('--port', '0', '--data', data);
    const { code, stdout, stderr } = await outcome(fanfare('serve', '--port', '0', '--data', data));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      `The data directory '${data}' is in use by another server (process ${program.process.pid} on ${hostname()}). ` +
        'Stop that server first, let this one wait for it (`waitForData`), or name another directory.\n',
    );
  });

  it.each<[string, (directory: string) => string, string, number]>([
    ['is a file', (directory) => write(join(directory, 'file'), 'x'), 'cannot be used', 1],
    [
      'has something else',
      (directory) => dirname(write(join(directory, 'notes.txt'), 'x')),
      "it has 'notes.txt'",
      1,
    ],
    [
      'is damaged',
      (directory) => dirname(write(join(directory, 'log.mdb'), 'x'.repeat(50_000))),
      'it is damaged',
      4,
    ],
    ['cannot be made', () => '/proc/fanfare', 'cannot be used', 1],
  ])(
    'fanfare serve says what is wrong with a data directory that %s, and what to do',
    async (_what, make, sentence, code) => {
      const data = make(temporaryDirectory());
      const ended = await outcome(fanfare('serve', '--port', '0', '--data', data));
      const { stderr } = ended;
      expect(ended).toMatchObject({ code, stdout: '' });
      expect(stderr).toContain(sentence);
      expect(stderr).toMatch(/^The data (directory|file) '[^\n]+ (Name|Run) [^\n]+\.\n$/);
    },
  );

  it('fanfare serve that waits for its data directory says so, and ends with 0 on SIGTERM', async () => {
    const data = temporaryDirectory();
    await serving('--port', '0', '--data', data);
    const waiting = fanfare('serve', '--port', '0', '--data', data, flagOf('waitForData'), '3600000');
    await waiting.says('This server waits for up to 3600 seconds.', 'stderr');
    waiting.process.kill('SIGTERM');
    expect(await waiting.exitCode).toBe(0);
    expect(waiting.stdout).toBe('');
  });

  it('a second SIGTERM ends fanfare serve at once, while the first one still waits for load balancers', async () => {
    const { program, url } = await serving('--port', '0', flagOf('stopNoticeMs'), '3600000');
    program.process.kill('SIGTERM');
    const isStopping = async (): Promise<boolean> => (await fetch(`${url}/readyz`)).status === 503;
    await expect.poll(isStopping).toBe(true);
    program.process.kill('SIGTERM');
    expect(await program.exitCode).toBe(143);
  });

  it('fanfare serve lets go of its data directory when the port is taken', async () => {
    const taken = await serving('--port', '0');
    const data = temporaryDirectory();
    const { port } = new URL(taken.url);
    const failed = await outcome(fanfare('serve', '--port', port, '--data', data));
    expect(failed).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Another program uses port \d+/) as string,
    });
    await serving('--port', '0', '--data', data);
  });

  it('fanfare serve takes rules as JSON, and says what is wrong with them', async () => {
    const { url } = await serving(
      '--port',
      '0',
      '--rules',
      '[{"match": "**", "keep": "none", "create": "publish"}]',
    );
    const { stdout } = await outcome(fanfare('pub', 'prices', '1', '--json', '--url', url));
    expect(JSON.parse(stdout)).toMatchObject({ stored: 'none' });
    const wrong = await outcome(fanfare('serve', '--memory', '--rules', '[{"match": "a/**/b"}]'));
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^--rules \[0\] match must be .*\n$/) as string,
    });
  });

  it('fanfare serve names what is wrong with its flags beside a file that it cannot read', async () => {
    const { code, stderr } = await outcome(
      fanfare('serve', '--config', '/nowhere.json', '--topics-max', '0'),
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(/^Cannot read \/nowhere\.json \(ENOENT\)\.\n--topics-max must be .*\n$/);
  });

  it('fanfare serve respects the environment variable PORT', async () => {
    const program = new Program(process.execPath, [fanfarePath, 'serve'], { PORT: 'x' });
    expect(await outcome(program)).toMatchObject({
      code: 2,
      stderr: 'PORT must be a whole number from 0 to 65535, not "x".\n',
    });
  });

  it('fanfare serve names every problem of its settings at once', async () => {
    const config = join(temporaryDirectory(), 'fanfare.json');
    writeFileSync(config, '{"prot": 1, "topicsMax": "many"}');
    const program = new Program(
      process.execPath,
      [fanfarePath, 'serve', '--config', config, '--port', '70000', '--host', '0.0.0.0'],
      { FANFARE_PUBLISH_BYTES_MAX: '-1' },
    );
    const { code, stderr } = await outcome(program);
    expect(code).toBe(2);
    const lines = stderr.trim().split('\n');
    expect(lines).toHaveLength(5);
    for (const name of ['"prot"', 'topicsMax', '--port', '--open', 'FANFARE_PUBLISH_BYTES_MAX'])
      expect(stderr).toContain(name);
  });

  it.each([
    ['no such file', undefined],
    ['no JSON', '{'],
  ])('fanfare serve says which configuration file it cannot read: %s', async (_what, content) => {
    const config = join(temporaryDirectory(), 'fanfare.json');
    if (content !== undefined) writeFileSync(config, content);
    const { code, stderr } = await outcome(fanfare('serve', '--config', config));
    expect(code).toBe(2);
    expect(stderr).toContain(config);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('fanfare', () => {
  it('fanfare shows help without loading the server, and every setting in it', async () => {
    // V8 writes down every script that it compiled.
    const coverage = temporaryDirectory();
    const program = new Program(process.execPath, [fanfarePath, 'serve', '--help'], {
      NODE_V8_COVERAGE: coverage,
    });
    const { code, stdout } = await outcome(program);
    expect(code).toBe(0);
    for (const name of settingNames) expect(stdout).toContain(flagOf(name));
    const scripts = readdirSync(coverage)
      .map((file) => readFileSync(join(coverage, file), 'utf8'))
      .join();
    expect(scripts).toContain('/commander/');
    expect(scripts).not.toMatch(/\/(socket\.io|fastify|pino)\//);
  });

  it.each([
    [[], 2],
    [['--help'], 0],
    [['--version'], 0],
    [['nonsense'], 2],
    [['sub', '--nonsense'], 2],
    [['sub', 'news', '--count', '0'], 2],
    [['serve', 'extra'], 2],
    [['pub', 'news'], 2],
  ])('fanfare ends with the right exit code: %j with %i', async (args, code) => {
    expect((await outcome(fanfare(...args))).code).toBe(code);
  });
});
