import { describe, expect, it } from 'vitest';
import { fanfarePath, outcome, Program, startServer } from './harness.ts';
import { Terminal } from './terminal.ts';

/** As tmux has them. Its end of a style may stand before or after spaces. */
const escape = String.fromCharCode(27);

function inTerminal(command: string, environment = ''): Terminal {
  return new Terminal(
    `env -u FORCE_COLOR -u NO_COLOR ${environment} TERM=screen '${process.execPath}' '${fanfarePath}' ${command}`,
    { width: 100, height: 60 },
  );
}

/** A server with two topics, and a message of one. */
async function filled(): Promise<string> {
  const { server, url } = await startServer(0, {
    rules: [{ match: '**', create: 'publish', keep: { count: 1 } }],
  });
  await server.publish('orders/7', { item: 'tea' });
  await server.publish('orders/8', 'coffee');
  return url;
}

const commands = [
  ['topics', /^TOPIC +SUBSCRIBERS +MESSAGES +LAST OFFSET$/m],
  ["history 'orders/*'", /^TIME +TOPIC +MESSAGE$/m],
  ["sub 'orders/*' --from earliest --count 1", /^orders\/7\s+\{"item":"tea"\}$/m],
  ['--help', /^Usage: fanfare/m],
  ['history missing', /^Failed to read topic 'missing': .*$/m],
] as const;

describe('on a terminal', () => {
  it('on a terminal, output has colours and tables have titles; with NO_COLOR there are no colours', async () => {
    const url = await filled();
    const lineOf = (command: string): string => (command === '--help' ? command : `${command} --url ${url}`);
    const terminals = commands.map(([command, text]) => ({ terminal: inTerminal(lineOf(command)), text }));
    const plain = inTerminal(lineOf('topics'), 'NO_COLOR=1');
    for (const { terminal, text } of terminals) {
      await terminal.exitCode();
      expect(terminal.screen.join('\n')).toMatch(text);
      expect(terminal.painted).toContain(escape);
    }
    await plain.exitCode();
    expect(plain.screen.join('\n')).toMatch(commands[0][1]);
    expect(plain.painted).not.toContain(escape);
  });
});

describe('in a pipe', () => {
  it('in a pipe, output has no colours and tables have no titles, whatever the environment says of colours', async () => {
    const url = await filled();
    const run = async (...args: string[]): ReturnType<typeof outcome> =>
      outcome(
        new Program(process.execPath, [fanfarePath, ...args, '--url', url], {
          FORCE_COLOR: '1',
          NO_COLOR: '',
        }),
      );
    expect((await run('topics')).stdout).toMatch(/^orders\/7\t0\t1\t\S+\norders\/8\t0\t1\t\S+\n$/);
    expect((await run('history', 'orders/*')).stdout).toMatch(
      /^\S+Z\torders\/7\t\{"item":"tea"\}\n\S+Z\torders\/8\tcoffee\n$/,
    );
    const sub = await run('sub', 'orders/*', '--from', 'earliest', '--count', '1');
    expect(sub.stdout).toBe('orders/7\t{"item":"tea"}\n');
    expect((await run('history', 'missing')).stderr).not.toContain(escape);
  });
});
