import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../packages/cli/test/harness.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Lints one file as if it had this path in the repository. */
function lint(path: string, source: string): string {
  const directory = temporaryDirectory();
  copyFileSync(join(root, '.oxlintrc.json'), join(directory, '.oxlintrc.json'));
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), source);
  const bin = join(root, 'node_modules/.bin');
  const { stdout, status } = spawnSync(join(bin, 'oxlint'), [], {
    cwd: directory,
    encoding: 'utf8',
    // In the temporary directory oxlint would not find this program.
    env: { ...process.env, OXLINT_TSGOLINT_PATH: join(bin, 'tsgolint') },
  });
  return status === 0 ? '' : stdout;
}

const server = 'packages/server/src';

describe('the direction of imports', () => {
  it.each([
    ['packages/protocol/src/topic.ts', 'node:fs'],
    [`${server}/log/topic-log.ts`, '../message-path/admit.ts'],
    [`${server}/subscriptions/subscription-index.ts`, '../socketio/room-fan-out.ts'],
    [`${server}/subscriptions/subscription-index.ts`, 'socket.io'],
    [`${server}/message-path/append.ts`, '../log/local/local-topic-log.ts'],
    [`${server}/message-path/append.ts`, '../log/store/store.ts'],
    [`${server}/message-path/broadcast.ts`, 'socket.io'],
    [`${server}/message-path/broadcast.ts`, '../socketio/room-fan-out.ts'],
    [`${server}/message-path/admit.ts`, '../http/problem.ts'],
    [`${server}/message-path/admit.ts`, '../server.ts'],
    [`${server}/message-path/admit.ts`, '../config/settings.ts'],
    [`${server}/http/publish-route.ts`, '../socketio/events.ts'],
    [`${server}/http/publish-route.ts`, '../log/local/local-topic-log.ts'],
    [`${server}/socketio/events.ts`, '../http/problem.ts'],
    [`${server}/socketio/events.ts`, 'fastify'],
    ['packages/cli/src/serve.ts', '../../server/src/server.ts'],
    ['packages/console/src/app.tsx', '@fanfare/server'],
  ])('lint refuses an import in the wrong direction: %s must not import %s', (path, imported) => {
    expect(lint(path, `import * as it from '${imported}';\nexport default it;\n`)).toContain(
      'no-restricted-imports',
    );
  });

  it.each([
    [`${server}/compose-log.ts`, './log/local/local-topic-log.ts'],
    [`${server}/message-path/append.ts`, '../log/topic-log.ts'],
    [`${server}/socketio/events.ts`, 'socket.io'],
    [`${server}/http/publish-route.ts`, 'fastify'],
    [`${server}/http/publish-route.ts`, '../message-path/admit.ts'],
  ])('lint allows an import in the right direction: %s can import %s', (path, imported) => {
    expect(lint(path, `import * as it from '${imported}';\nexport default it;\n`)).toBe('');
  });

  it('lint refuses a file that imports itself by way of another file', () => {
    expect(lint('packages/cli/src/a.ts', "import { a } from './a.ts';\nexport { a };\n")).toContain('import');
  });
});
