import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { soonMs, within } from '../../../test/waits.ts';
import { echoApp, startEngine } from './harness.ts';

/** Debian's own Python: only this one finds Debian's python3-socketio. */
const python = '/usr/bin/python3';

/** Runs the client. @returns its output, when it has ended */
async function runClient(...args: readonly string[]): Promise<string> {
  const path = fileURLToPath(new URL('python/client.py', import.meta.url));
  const program = spawn(python, ['-u', path, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void program.kill('SIGKILL'));
  let output = '';
  program.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  await within(soonMs, 'the Python client ends', once(program, 'close'), () => output);
  return output;
}

it.each(
  ['threads', 'asyncio'].flatMap((kind) =>
    ['polling', 'websocket', 'upgrade'].map((transport) => [kind, transport] as const),
  ),
)(
  'python-socketio with %s over %s logs in, and gets 200 acknowledgements and 200 events',
  async (kind, transport) => {
    const app = echoApp();
    const { url } = await startEngine(app);
    const output = await runClient(url, kind, transport);
    const values = [...Array(200).keys()].join(',');
    expect(output.trim().split('\n')).toEqual([
      'refused Invalid namespace',
      `acknowledged ${values}`,
      `emitted ${values}`,
      transport === 'polling' ? 'polling' : 'websocket',
      'disconnected',
    ]);
    expect(app.happened.filter((what) => what.startsWith('disconnected'))).toEqual([
      expect.stringMatching(/^disconnected: (?:server|client) disconnect$/) as string,
    ]);
  },
);
