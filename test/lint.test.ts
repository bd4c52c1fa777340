import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../packages/cli/test/harness.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Source {
  /** From the root of the repository. */
  readonly path: string;
  readonly source: string;
}

/** Lints files as if they had these paths in the repository. @returns the rules that each file breaks */
function lint(files: readonly Source[]): ReadonlyMap<string, readonly string[]> {
  const directory = temporaryDirectory();
  copyFileSync(join(root, '.oxlintrc.json'), join(directory, '.oxlintrc.json'));
  for (const { path, source } of files) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), source);
  }
  const bin = join(root, 'node_modules/.bin');
  const { stdout } = spawnSync(join(bin, 'oxlint'), ['--format=json'], {
    cwd: directory,
    encoding: 'utf8',
    // In the temporary directory oxlint would not find this program.
    env: { ...process.env, OXLINT_TSGOLINT_PATH: join(bin, 'tsgolint') },
  });
  const { diagnostics, number_of_files: count } = JSON.parse(stdout) as Report;
  expect(count).toBe(files.length);
  const broken = new Map(files.map(({ path }): [string, string[]] => [path, []]));
  for (const { code, filename } of diagnostics) {
    const codes = broken.get(filename);
    // Two patterns can forbid one import.
    if (codes && !codes.includes(code)) codes.push(code);
  }
  return broken;
}

interface Report {
  readonly diagnostics: readonly { readonly code: string; readonly filename: string }[];
  readonly number_of_files: number;
}

/** A folder and what a file in it imports. */
type Import = readonly [folder: string, imported: string];

/** One run for all of them, because a run takes a second. */
function lintImports(imports: readonly Import[]): [string, readonly string[]][] {
  const files = imports.map(([folder, imported], at) => ({
    path: `${folder}/case-${at}.ts`,
    source: `import * as it from '${imported}';\nexport default it;\n`,
  }));
  const broken = lint(files);
  return imports.map(([folder, imported], at) => [
    `${folder} imports ${imported}`,
    broken.get(files[at]?.path ?? '') ?? [],
  ]);
}

const server = 'packages/server/src';

describe('the direction of imports', () => {
  it('lint refuses every import in the wrong direction', () => {
    const imports: readonly Import[] = [
      ['packages/protocol/src', 'node:fs'],
      ['packages/fanout/src', '@fanfare/protocol'],
      ['packages/fanout/src/outbox', '../internals.ts'],
      ['packages/fanout/src/outbox', '../../test/harness.ts'],
      ['packages/fanout/src/outbox', 'socket.io'],
      ['packages/fanout/src/outbox', 'ws'],
      ['packages/fanout/src/outbox', '@fanfare/protocol'],
      ['packages/engine/src', '@fanfare/protocol'],
      ['packages/engine/src', 'engine.io'],
      [`${server}/log`, '../message-path/admit.ts'],
      [`${server}/subscriptions`, '../app-io/room-fan-out.ts'],
      [`${server}/subscriptions`, 'socket.io'],
      [`${server}/nodes`, 'socket.io'],
      [`${server}/message-path`, '../webhooks/webhooks.ts'],
      [`${server}/webhooks`, '../http/body.ts'],
      [`${server}/nodes`, '../clients/client-app.ts'],
      [`${server}/message-path`, '../log/redis/redis-topic-log.ts'],
      [`${server}/message-path`, '../log/local/local-topic-log.ts'],
      [`${server}/message-path`, '../log/store/store.ts'],
      [`${server}/message-path`, 'socket.io'],
      [`${server}/message-path`, '../app-io/room-fan-out.ts'],
      [`${server}/message-path`, '../http/problem.ts'],
      [`${server}/message-path`, '../server.ts'],
      [`${server}/message-path`, '../config/settings.ts'],
      [`${server}/http`, '../clients/commands.ts'],
      [`${server}/http`, '../log/local/local-topic-log.ts'],
      [`${server}/clients`, '../http/problem.ts'],
      [`${server}/app-io`, 'fastify'],
      ['packages/cli/src', '../../server/src/server.ts'],
      ['packages/console/src', '@fanfare/server'],
    ];
    const wanted = [expect.stringContaining('no-restricted-imports') as string];
    expect(lintImports(imports)).toEqual(
      imports.map(([folder, imported]) => [`${folder} imports ${imported}`, wanted]),
    );
  });

  it('lint allows every import in the right direction', () => {
    const imports: readonly Import[] = [
      [server, './log/local/local-topic-log.ts'],
      [`${server}/message-path`, '../log/topic-log.ts'],
      [`${server}/app-io`, 'socket.io'],
      [`${server}/http`, 'fastify'],
      [`${server}/http`, '../message-path/admit.ts'],
      ['packages/fanout/src', 'socket.io'],
      ['packages/fanout/src', './outbox/frame.ts'],
      ['packages/fanout/src/outbox', './frame.ts'],
      ['packages/fanout/src/outbox', 'node:net'],
      ['packages/engine/src', '@fanfare/fanout/outbox'],
      ['packages/engine/src', 'ws'],
    ];
    expect(lintImports(imports)).toEqual(
      imports.map(([folder, imported]) => [`${folder} imports ${imported}`, []]),
    );
  });

  it('lint refuses a file that imports itself by way of another file', () => {
    const path = 'packages/cli/src/a.ts';
    const broken = lint([{ path, source: "import { a } from './a.ts';\nexport { a };\n" }]);
    expect(broken.get(path)).toContainEqual(expect.stringContaining('import('));
  });
});
