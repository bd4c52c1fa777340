import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../bench/src/free-port.ts';
import { Program, temporaryDirectory } from '../packages/cli/test/harness.ts';
import { startServer } from '../packages/server/test/harness.ts';
import { until } from './waits.ts';

const page = readFileSync(new URL('../docs/webhooks.md', import.meta.url), 'utf8');
const quiet = { warn: (): void => {}, error: (): void => {} };

/** The code of the page in a language. */
function codeIn(language: string): string {
  const [, code = ''] = new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 's').exec(page) ?? [];
  return code;
}

describe('docs/webhooks.md', () => {
  it.each([
    ['js', 'receiver.mjs', process.execPath],
    ['python', 'receiver.py', '/usr/bin/python3'],
  ])(
    'the receiver of docs/webhooks.md in %s prints what is signed, once, and refuses the rest',
    async (language, name, program) => {
      const directory = temporaryDirectory();
      const secretCommand = /echo "whsec_.*/.exec(page)?.[0] ?? '';
      expect(await new Program('sh', ['-c', `cd ${directory} && ${secretCommand}`]).exitCode).toBe(0);
      const secretFile = join(directory, 'webhook.secret');
      writeFileSync(join(directory, name), codeIn(language));
      const port = await freePort();
      const receiver = new Program('sh', ['-c', `cd ${directory} && exec ${program} ${name}`], {
        PORT: String(port),
      });
      onTestFinished(() => void receiver.process.kill());
      const url = `http://127.0.0.1:${port}/`;
      await until('the receiver listens', () =>
        fetch(url, { method: 'HEAD' }).then(
          () => true,
          () => false,
        ),
      );

      const { server } = await startServer({
        logger: quiet,
        webhookNetworks: '127.0.0.1',
        rules: [
          {
            match: 'orders/*',
            create: 'publish',
            webhook: { url, on: ['message', 'occupied', 'vacated', 'closed'], secretFile },
          },
        ],
      });
      await server.publish('orders/7', 'tea');
      await receiver.says(/message orders\/7 tea\n/);
      const subscription = server.subscribe('orders/7');
      await subscription.ready;
      await receiver.says(/occupied orders\/7 /);
      subscription.close();
      await receiver.says(/vacated orders\/7 /);
      await server.delete('orders/7');
      await receiver.says(/closed orders\/7 /);
      expect(receiver.stdout.match(/tea/g)).toHaveLength(1);

      const forged = await fetch(url, {
        method: 'POST',
        body: '{"type":"message","data":{"topic":"forged"}}',
        headers: {
          'webhook-id': 'msg_1',
          'webhook-timestamp': String(Math.floor(Date.now() / 1_000)),
          'webhook-signature': `v1,${Buffer.alloc(32).toString('base64')}`,
          connection: 'close',
        },
      });
      expect(forged.status).toBe(401);
      expect(receiver.stdout).not.toContain('forged');
    },
  );
});
