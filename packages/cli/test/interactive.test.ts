import { describe, expect, it } from 'vitest';
import { fanfare, fanfarePath, outcome, startServer } from './harness.ts';
import { startLabServer } from './lab-servers.ts';
import { inTerminal, Terminal } from './terminal.ts';

const menu = '1. Subscribe to a topic\n2. Unsubscribe from a topic\n3. Listen for messages\n4. Exit\n';

describe('fanfare sub from a pipe', () => {
  it('fanfare sub at its menu subscribes, listens and unsubscribes, and shows what comes at any time on a line of its own', async () => {
    const { server, url } = await startServer();
    const program = fanfare('sub', '--url', url);
    program.type('1\nbreaking news\n');
    await program.says("Subscribed to topic 'breaking news'\n");
    await server.publish('breaking news', 'while the menu waits');
    await program.says(/^Received message for topic 'breaking news': while the menu waits$/m);
    program.type('3\n');
    await program.says('Listening.');
    await server.publish('breaking news', { a: [1] });
    await program.says(/^Received message for topic 'breaking news': \{"a":\[1\]\}$/m);
    program.type('\n2\nbreaking news\n');
    await program.says("Unsubscribed from topic 'breaking news'\n");
    await server.publish('breaking news', 'too late');
    program.type('4\n');
    const { code, stdout, stderr } = await outcome(program);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toContain('too late');
    expect(stdout.split(menu)).toHaveLength(5);
  });

  it('fanfare sub at its menu takes a choice while it listens, and says what it does not understand', async () => {
    const { url } = await startServer();
    const program = fanfare('sub', '--url', url);
    program.process.stdin?.end('3\nx\n2\nnews\n1\n$x\n1\nnews\n3\n4\n');
    const { code, stdout } = await outcome(program);
    expect(code).toBe(0);
    for (const sentence of [
      'You have no subscriptions yet. Choose 1 first.',
      'Please choose 1, 2, 3 or 4.',
      "You are not subscribed to topic 'news'",
      "Failed to subscribe: The topic must not begin with '$'",
      "Subscribed to topic 'news'",
    ]) {
      expect(stdout).toContain(sentence);
    }
  });

  it('fanfare sub at its menu ends with its input, unless it is listening', async () => {
    const { server, url } = await startServer();
    const ending = fanfare('sub', '--url', url);
    ending.process.stdin?.end('1\nnews\n');
    expect(await outcome(ending)).toMatchObject({ code: 0, stderr: '' });

    const listening = fanfare('sub', '--url', url);
    listening.process.stdin?.end('1\nnews\n3\n');
    await listening.says('Listening.');
    await server.publish('news', 'still there');
    await listening.says("Received message for topic 'news': still there\n");
    listening.process.kill('SIGINT');
    expect(await outcome(listening)).toMatchObject({ code: 130 });
  });

  it.each(['nothing', 'never'] as const)(
    'fanfare sub at its menu works with a server that acknowledges with %s',
    async (acknowledgement) => {
      const { url } = await startLabServer(acknowledgement);
      const program = fanfare('sub', '--url', url);
      program.type('1\nnews\n');
      await program.says("Subscribed to topic 'news'\n");
      expect(await outcome(fanfare('pub', 'news', 'hello', '--url', url))).toMatchObject({ code: 0 });
      await program.says("Received message for topic 'news': hello\n");
    },
  );
});

describe('fanfare sub without its server for a while', () => {
  it('fanfare sub without its server takes a subscription for later, and ends at once when it is told to', async () => {
    const { url, io } = await startLabServer('nothing');
    const program = fanfare('sub', '--url', url);
    await program.says('Your choice');
    io.use((_socket, next) => next(new Error('closed for now')));
    io.disconnectSockets();
    await program.says(`Lost the connection to ${url}; reconnecting …\n`);
    program.type('1\nnews\n');
    await program.says("Subscribed to topic 'news' (as soon as the connection is back)\n");
    program.type('4\n');
    expect(await outcome(program)).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('fanfare pub from a pipe', () => {
  it('fanfare pub at its prompt asks for topics and messages, and says what became of them', async () => {
    const { url } = await startServer();
    const subscriber = fanfare('sub', 'news', '--json', '--url', url, '--count', '1');
    await subscriber.says('Subscribed', 'stderr');
    const program = fanfare('pub', '--url', url);
    program.process.stdin?.end('nobody\nhi\nnews\n 5 \n\nexit\nnever read\n');
    const { code, stdout, stderr } = await outcome(program);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n').filter((line) => /ublish message|published/.test(line))).toEqual([
      "Failed to publish message: Topic 'nobody' does not exist",
      "Message published to topic 'news'",
    ]);
    expect(JSON.parse((await outcome(subscriber)).stdout)).toMatchObject({ message: ' 5 ' });
  });

  it('fanfare pub at its prompt goes on when the server is down, and ends with its input', async () => {
    const program = fanfare('pub', '--url', 'http://localhost:9');
    program.process.stdin?.end('news\nhi\n');
    expect(await outcome(program)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(
        'Failed to publish message: Cannot reach http://localhost:9: nothing listens on this port.',
      ) as string,
    });
  });
});

describe('in a terminal', () => {
  it('in a terminal, a message that comes while a line is typed appears above it, and the line stays', async () => {
    const { server, url } = await startServer();
    const terminal = inTerminal(`sub --url ${url}`);
    await terminal.shows('Your choice (1-4):');
    terminal.type('1', 'Enter', 'news', 'Enter');
    await terminal.shows("Subscribed to topic 'news'");
    terminal.type('1', 'Enter');
    await terminal.shows('Topic to subscribe to:');
    terminal.type('half a to');
    await terminal.shows('Topic to subscribe to: half a to');
    await server.publish('news', 'hello');
    await server.publish('news', 'again');
    await terminal.shows(
      "Received message for topic 'news': hello",
      "Received message for topic 'news': again",
      'Topic to subscribe to: half a to',
    );
    terminal.type('pic', 'Enter');
    await terminal.shows("Subscribed to topic 'half a topic'");
    terminal.type('4', 'Enter');
    expect(await terminal.exitCode()).toBe(0);
  });

  it('in a terminal, a typed line that is wider than the terminal stays whole', async () => {
    const { server, url } = await startServer();
    const terminal = inTerminal(`sub --url ${url}`, { width: 40 });
    await terminal.shows('Your choice (1-4):');
    terminal.type('1', 'Enter', 'news', 'Enter');
    await terminal.shows("Subscribed to topic 'news'");
    terminal.type('1', 'Enter', `${'x'.repeat(30)}${'y'.repeat(40)}`);
    await terminal.shows(
      'Topic to subscribe to: xxxxxxxxxxxxxxxxx',
      `${'x'.repeat(13)}${'y'.repeat(27)}`,
      'y'.repeat(13),
    );
    for (const message of ['one', 'two', 'three']) await server.publish('news', message);
    await terminal.shows(
      "Received message for topic 'news': one",
      "Received message for topic 'news': two",
      "Received message for topic 'news': three",
      'Topic to subscribe to: xxxxxxxxxxxxxxxxx',
      `${'x'.repeat(13)}${'y'.repeat(27)}`,
      'y'.repeat(13),
    );
    expect(terminal.screen.filter((line) => line.startsWith('Topic to subscribe to: x'))).toHaveLength(1);
  });

  it('a message cannot command the terminal', async () => {
    const { server, url } = await startServer();
    const terminal = inTerminal(`sub --url ${url}`);
    await terminal.shows('Your choice (1-4):');
    terminal.type('1', 'Enter', 'news', 'Enter');
    await terminal.shows("Subscribed to topic 'news'");
    await server.publish('news', '\u001b[2Jgone\u0007');
    await terminal.shows("Received message for topic 'news': \\u001b[2Jgone\\u0007");

    const piped = new Terminal(
      `(echo 1; echo news; sleep 60) | '${process.execPath}' '${fanfarePath}' sub --url ${url}`,
    );
    await piped.shows("Subscribed to topic 'news'");
    await server.publish('news', '\u001b[2Jgone');
    await piped.shows("Received message for topic 'news': \\u001b[2Jgone");
  });

  it('fanfare sub goes on after Ctrl-Z and fg', async () => {
    const { server, url } = await startServer();
    const terminal = new Terminal(`bash --norc -i`);
    terminal.type(`'${process.execPath}' '${fanfarePath}' sub --url ${url}`, 'Enter');
    await terminal.shows('Your choice (1-4):');
    terminal.type('C-z');
    await terminal.shows('Stopped');
    terminal.type('fg', 'Enter');
    await expect.poll(() => terminal.screen.at(-1)).toBe('Your choice (1-4):');
    terminal.type('1', 'Enter', 'news', 'Enter');
    await terminal.shows("Subscribed to topic 'news'");
    await server.publish('news', 'hello');
    await terminal.shows("Received message for topic 'news': hello");
    terminal.type('C-c');
    await expect.poll(() => terminal.screen.at(-1)).toMatch(/[$#]$/);
  });

  it('Ctrl-D ends fanfare sub with 0 wherever it is pressed', async () => {
    const { url } = await startServer();
    for (const keys of [['1'], ['2'], ['1', 'Enter', 'news', 'Enter', '3']]) {
      const terminal = inTerminal(`sub --url ${url}`);
      await terminal.shows('Your choice (1-4):');
      terminal.type(...keys, 'Enter');
      await terminal.shows(keys.length > 1 ? 'Listening.' : 'Topic to');
      terminal.type('C-d');
      expect(await terminal.exitCode()).toBe(0);
    }
  });

  it('Ctrl-C ends fanfare pub with 130, Ctrl-D with 0', async () => {
    const { url } = await startServer();
    for (const [command, prompt] of [
      ['sub', 'Your choice (1-4):'],
      ['pub', "Topic to publish to ('exit' ends):"],
    ] as const) {
      for (const [key, code] of [
        ['C-c', 130],
        ['C-d', 0],
      ] as const) {
        const terminal = inTerminal(`${command} --url ${url}`);
        await terminal.shows(prompt);
        terminal.type(key);
        expect(await terminal.exitCode()).toBe(code);
      }
    }
  });
});
