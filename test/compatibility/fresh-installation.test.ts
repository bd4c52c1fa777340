import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { afterAll, expect, test } from 'vitest';
import { freshInstallation, oldestTypeScript } from './fresh-installation.ts';
import { compatibility, missing } from './suite.ts';
import { TypeChecker } from './type-check.ts';

interface Entry {
  readonly types: string;
  readonly default: string;
}

type Exported = string | Entry | { readonly import: Entry; readonly require: Entry };

interface Manifest {
  readonly exports?: Readonly<Record<string, Exported>>;
  readonly [field: string]: unknown;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

// The installation of a user: the packages as packed, and the current versions of all dependencies.
const found = await freshInstallation();
if ('reason' in found) missing('a fresh installation', found.reason);
else {
  const { directory, packages, oldestNode, versions, remove } = found;
  console.log(`A fresh installation has ${versions}`);
  afterAll(remove);
  compatibility(`a fresh installation without install scripts (${versions})`, {
    node: process.execPath,
    fanfare: join(directory, 'node_modules/fanfare/bin/fanfare.js'),
    programs: directory,
  });

  const folderOf = (name: string): string => join(directory, 'node_modules', name);
  const manifestOf = (name: string): Manifest =>
    JSON.parse(readFileSync(join(folderOf(name), 'package.json'), 'utf8')) as Manifest;
  const run = (args: readonly string[]): string =>
    execFileSync(process.execPath, args, { cwd: directory, encoding: 'utf8' });

  const typeScript = new TypeChecker(directory, oldestTypeScript);

  /** The modules that the packages export, by their import names. */
  const modules = packages.flatMap(({ name }) =>
    Object.entries(manifestOf(name).exports ?? {}).flatMap(([path, target]) =>
      typeof target === 'object' ? [join(name, path)] : [],
    ),
  );

  if ('reason' in oldestNode) missing('npm install --engine-strict on Node 20.19', oldestNode.reason);
  else {
    test('the packages can be installed with --engine-strict on Node 20.19, and run there', () => {
      expect(oldestNode.version).toMatch(/^v20\.19\./);
      const fanfare = join(folderOf('fanfare'), 'bin/fanfare.js');
      const { version } = manifestOf('fanfare');
      expect(execFileSync(oldestNode.path, [fanfare, '--version'], { encoding: 'utf8' })).toContain(version);
    });
  }

  test('only lmdb and msgpackr-extract have install scripts, and the tests above ran without them', () => {
    const lock = readFileSync(join(directory, 'node_modules/.package-lock.json'), 'utf8');
    const installed = Object.entries(
      (JSON.parse(lock) as { packages: Record<string, { hasInstallScript?: boolean }> }).packages,
    );
    const scripted = installed.filter(([, { hasInstallScript }]) => hasInstallScript === true);
    expect(scripted.map(([path]) => path)).toEqual(['node_modules/lmdb', 'node_modules/msgpackr-extract']);
  });

  test('all exports of the packages are in a fresh installation, for ES modules and CommonJS', () => {
    expect(modules.length).toBeGreaterThan(8);
    for (const { name } of packages) {
      const targets = Object.values(manifestOf(name).exports ?? {});
      const texts = JSON.stringify(targets).match(/(?<=")\.\/[^"]+/g) ?? [];
      for (const file of texts)
        expect(readFileSync(join(folderOf(name), file)).length, file).toBeGreaterThan(0);
    }
    // A module that is loaded in both ways exists once: an error of the server is an instance of its class in
    // both.
    const compare = modules.map(
      (name) => `
        import * as esm${modules.indexOf(name)} from '${name}';
        for (const [key, value] of Object.entries(require('${name}')))
          if (esm${modules.indexOf(name)}[key] !== value && !'${name}'.startsWith('@fanfare/client'))
            throw new Error('${name} ' + key);`,
    );
    const require = `import { createRequire } from 'node:module'; const require = createRequire(process.cwd() + '/x.js');`;
    run(['--input-type=module', '-e', require + compare.join('')]);
  });

  test('the SDK can be loaded with `require` where ES modules are not supported, as in Jest and old bundlers', () => {
    const script = `
      const { createServer } = require('node:http');
      const { Server } = require('socket.io');
      const { connect, FanfareError } = require('@fanfare/client');
      const http = createServer();
      const io = new Server(http);
      io.on('connection', (socket) => socket.on('publish', (_message, ack) => ack({ ok: true, topic: 'news' })));
      http.listen(0, '127.0.0.1', async () => {
        const fanfare = connect('http://127.0.0.1:' + http.address().port);
        console.log(await fanfare.publish('news', 'hello'), typeof FanfareError);
        fanfare.close();
        io.close();
      });`;
    const flag = '--no-experimental-require-module';
    const flags = process.allowedNodeEnvironmentFlags.has(flag) ? [flag] : [];
    const output = run([...flags, '--input-type=commonjs', '-e', script]);
    expect(output).toContain("{ ok: true, topic: 'news' } function");
    const script2019 = readFileSync(join(folderOf('@fanfare/client'), 'dist/cjs/index.js'), 'utf8');
    expect(typeScript.newerSyntax('a?.b ?? 1')).toEqual(['QuestionDotToken', 'QuestionQuestionToken']);
    expect(typeScript.newerSyntax(script2019)).toEqual([]);
  });

  test('the script for pages can also be loaded as a module', () => {
    const print = (how: string): string[] => [
      '-e',
      `${how}; console.log(typeof sdk.connect, typeof sdk.FanfareError)`,
    ];
    const name = '@fanfare/client/fanfare.js';
    for (const args of [
      ['--input-type=module', ...print(`import * as sdk from '${name}'`)],
      ['--input-type=commonjs', ...print(`const sdk = require('${name}')`)],
    ])
      expect(run(args)).toBe('function function\n');
  });

  test.each(packages)('publint and are-the-types-wrong find nothing in $name', async ({ tarball }) => {
    const data = readFileSync(tarball);
    const { messages } = await publint({ pack: { tarball: new Uint8Array(data).buffer }, strict: true });
    expect(messages).toEqual([]);
    const result = await checkPackage(createPackageFromTarballData(new Uint8Array(data)));
    expect(result.types === false ? [] : result.problems).toEqual([]);
  });

  test.each([
    ['node10', 'es2020'],
    ['node16', 'node16'],
    ['nodenext', 'nodenext'],
    ['bundler', 'es2022'],
  ])(
    'TypeScript 5.0 with the libraries of ES2020 finds all types with %s, from ES modules and from CommonJS',
    (moduleResolution, module) => {
      expect(typeScript.version).toMatch(/^5\.0\./);
      const program = `${modules.map((name, at) => `import * as module${at} from '${name}';`).join('\n')}
        export const modules = [${modules.map((_name, at) => `module${at}`).join(', ')}];
        import { connect, type Envelope } from '@fanfare/client';
        import { createServer, type Fanfare, type Identified } from '@fanfare/server';
        const ann: Identified = { sub: 'ann', publish: [], subscribe: ['**'] };
        const fanfare: Fanfare = createServer({ identify: () => ann });
        export const both: AsyncIterable<Envelope>[] = [
          connect('http://localhost:5000', { path: '/realtime/' }).subscribe('a'),
          fanfare.subscribe('a', ({ topic }) => topic.length),
        ];
        // @ts-expect-error: the types are there, and not any
        connect(7);
        // @ts-expect-error: the same
        createServer({ port: 'seven' });
        `;
      for (const file of ['types.mts', 'types.cts']) writeFileSync(join(directory, file), program);
      expect(
        typeScript.findings(['types.mts', 'types.cts'], { module, moduleResolution, lib: ['es2020', 'dom'] }),
      ).toEqual([]);
    },
  );

  test('a page without Node has the types of the SDK, and of the script that it loads', () => {
    writeFileSync(
      join(directory, 'page.ts'),
      `/// <reference types="@fanfare/client/fanfare.js" />
      const onPage: Fanfare.Fanfare = Fanfare.connect();
      const show = ({ message }: Fanfare.Envelope): unknown => message;
      onPage.subscribe('news', show);
      // @ts-expect-error: the types are not any
      Fanfare.connect(7);`,
    );
    writeFileSync(
      join(directory, 'module-of-page.ts'),
      `import '@fanfare/client/fanfare.js';
      import { connect } from '@fanfare/client';
      export const clients = [Fanfare.connect(), connect()];`,
    );
    const setup = { module: 'es2020', moduleResolution: 'bundler', lib: ['es2020', 'dom'], types: [] };
    expect(typeScript.findings(['page.ts', 'module-of-page.ts'], setup)).toEqual([]);
  });

  test('each package has its README, its license, and the fields that npm shows', () => {
    const whole = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
    const license = readFileSync(join(root, 'LICENSE'), 'utf8');
    for (const { name } of packages) {
      const manifest = manifestOf(name);
      expect(readFileSync(join(folderOf(name), 'README.md'), 'utf8')).toMatch(new RegExp(`^# ${name}\n`));
      expect(readFileSync(join(folderOf(name), 'LICENSE'), 'utf8')).toBe(license);
      expect(manifest).toMatchObject({
        license: 'MIT',
        engines: whole['engines'],
        version: whole['version'],
        description: expect.stringMatching(/\w/) as string,
        repository: {
          ...(whole['repository'] as object),
          directory: expect.stringMatching(/^packages\//) as string,
        },
      });
      expect((manifest['keywords'] as string[]).length).toBeGreaterThan(2);
    }
  });

  test('every source map of the packages leads to its source', () => {
    let maps = 0;
    for (const { name } of packages) {
      const files = readdirSync(folderOf(name), { recursive: true, encoding: 'utf8' });
      for (const file of files.map((path) => join(folderOf(name), path))) {
        if (file.endsWith('.map')) {
          const { sources } = JSON.parse(readFileSync(file, 'utf8')) as { sources: string[] };
          for (const source of sources) expect(existsSync(resolve(dirname(file), source)), file).toBe(true);
          maps++;
        } else if (/\.(?:[mc]?js|ts)$/.test(file)) {
          const [, map] = /\n\/\/# sourceMappingURL=(.+)/.exec(readFileSync(file, 'utf8')) ?? [];
          if (map !== undefined) expect(existsSync(resolve(dirname(file), map)), file).toBe(true);
        }
      }
    }
    expect(maps).toBeGreaterThan(100);
  });
}
