import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { outcome, Program, temporaryDirectory } from '../packages/cli/test/harness.ts';
import { ReleaseClone } from './release-clone.ts';
import { readText } from './repository.ts';
import { startListening } from './waits.ts';

interface Sbom {
  readonly bomFormat: string;
  readonly metadata: { readonly component: { readonly name: string; readonly version: string } };
  readonly components: readonly { readonly name: string; readonly version: string }[];
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version: string; readonly integrity?: string }>>;
}

const names = ['cli', 'client', 'console', 'engine', 'fanout', 'protocol', 'server'];

/** A registry that takes packages: name, and the integrity of the archive. */
async function startRegistry(): Promise<{ url: string; published: Map<string, string> }> {
  const published = new Map<string, string>();
  const take = async (request: IncomingMessage): Promise<number> => {
    if (request.method !== 'PUT') return 404;
    const { name, versions } = (await json(request)) as {
      name: string;
      versions: Record<string, { dist: { integrity: string } }>;
    };
    published.set(name, Object.values(versions)[0]?.dist.integrity ?? '');
    return 201;
  };
  const registry = createServer((request, response) => {
    void take(request).then((status) => response.writeHead(status).end('{}'));
  });
  const port = await startListening(registry);
  onTestFinished(() => void registry.close());
  return { url: `http://127.0.0.1:${port}/`, published };
}

describe('npm run release', () => {
  it('npm run release refuses uncommitted changes, versions that differ, and a version that CHANGELOG.md does not have', async () => {
    const clone = ReleaseClone.make({ isBuilt: false });
    const { version } = JSON.parse(clone.read('package.json')) as { version: string };
    expect(await clone.release('--set', version)).toMatchObject({ code: 0 });
    const prepared = clone.read('CHANGELOG.md');
    const dirty = await clone.release();
    expect([dirty.code, dirty.stderr]).toEqual([
      1,
      expect.stringMatching(/^There are uncommitted changes\. .*:\nM CHANGELOG\.md\n$/) as string,
    ]);

    clone.edit('packages/engine/package.json', (text) =>
      text.replace(`"version": "${version}"`, '"version": "9.9.9"'),
    );
    clone.edit('packages/cli/package.json', (text) =>
      text.replace(/"@fanfare\/client": ".*"/, '"@fanfare/client": "8.8.8"'),
    );
    clone.commit();
    const differing = await clone.release();
    expect([differing.code, differing.stderr.split('\n').length]).toEqual([1, 3]);
    expect(differing.stderr).toContain(
      `@fanfare/engine has the version 9.9.9, and fanfare-workspace ${version}.`,
    );
    expect(differing.stderr).toContain(`fanfare depends on @fanfare/client 8.8.8, not ${version}.`);

    expect(await clone.release('--set', '7.0.0')).toMatchObject({
      code: 1,
      stderr: 'CHANGELOG.md has nothing under "## Unreleased".\n',
    });
    clone.edit('CHANGELOG.md', (text) => text.replace('## Unreleased\n', '## Unreleased\n\n- A change.\n'));
    expect(await clone.release('--set', '7.0.0')).toMatchObject({ code: 0 });
    writeFileSync(join(clone.directory, 'CHANGELOG.md'), prepared);
    clone.commit();
    expect(await clone.release()).toMatchObject({
      code: 1,
      stderr:
        'CHANGELOG.md has no section for 7.0.0. Begin the release with: npm run release -- --set VERSION\n',
    });
    for (const wrong of ['7', 'v7.0.0', 'next'])
      expect(await clone.release('--set', wrong)).toMatchObject({
        code: 1,
        stderr: `Not a version: '${wrong}'. Write it as 1.2.3.\n`,
      });
    expect(existsSync(join(clone.directory, 'dist'))).toBe(false);
  });

  it(
    'npm run release makes the packages with checksums, an SBOM and the versions of our lock file, twice the same, and one command publishes them',
    { timeout: 300_000 },
    async () => {
      const clone = ReleaseClone.make({ isBuilt: true });
      expect(await clone.release('--set', '3.4.5')).toMatchObject({ code: 0 });
      expect(clone.read('CHANGELOG.md')).toMatch(/^## Unreleased\n\n## 3\.4\.5 - \d{4}-\d\d-\d\d\n/m);
      clone.commit();
      const made = await clone.release();
      const folder = join(clone.directory, 'dist/fanfare-3.4.5');
      expect([made.stderr, made.code, made.stdout]).toEqual([expect.anything(), 0, `Made ${folder}\n`]);
      execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder });
      const sums = clone.read('dist/fanfare-3.4.5/SHA256SUMS');
      const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
        entry.isFile(),
      );
      expect(sums.trim().split('\n')).toHaveLength(files.length - 1);
      expect(readdirSync(folder).filter((name) => name.endsWith('.tgz'))).toHaveLength(names.length);

      const lock = JSON.parse(clone.read('dist/fanfare-3.4.5/package-lock.json')) as Lock;
      const ours = JSON.parse(readText('package-lock.json')) as Lock;
      const isOurs = (path: string): boolean => /^node_modules\/(?:fanfare|@fanfare\/\w+)$/.test(path);
      const installed = Object.entries(lock.packages).filter(([path]) => path !== '');
      expect(installed.filter(([path]) => isOurs(path)).map(([, { version }]) => version)).toEqual(
        names.map(() => '3.4.5'),
      );
      const others = installed.filter(([path]) => !isOurs(path));
      expect(others.length).toBeGreaterThan(50);
      expect(others.filter(([path, { version }]) => ours.packages[path]?.version !== version)).toEqual([]);

      const sbom = JSON.parse(clone.read('dist/fanfare-3.4.5/sbom.cdx.json')) as Sbom;
      expect(sbom).toMatchObject({
        bomFormat: 'CycloneDX',
        metadata: { component: { name: 'fanfare', version: '3.4.5' } },
      });
      expect(JSON.stringify(sbom)).not.toContain(clone.directory);
      const listed = new Set(sbom.components.map(({ name, version }) => `${name} ${version}`));
      const wanted = installed.map(
        ([path, { version }]) => `${path.replace(/^.*node_modules\//, '')} ${version}`,
      );
      expect(wanted.filter((one) => !listed.has(one))).toEqual([]);

      const first = join(temporaryDirectory(), 'first');
      cpSync(folder, first, { recursive: true });
      expect(await clone.release()).toMatchObject({ code: 0 });
      expect(clone.read('dist/fanfare-3.4.5/SHA256SUMS')).toBe(sums);
      execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: first });

      const { url, published } = await startRegistry();
      const [command = ''] =
        /^for .*npm publish.*$/m.exec(readText('CONTRIBUTING.md').replaceAll(/^ +/gm, '')) ?? [];
      const here = command.replaceAll('VERSION', '3.4.5');
      const host = new URL(url).host;
      const npmrc = join(temporaryDirectory(), 'npmrc');
      writeFileSync(npmrc, `registry=${url}\n//${host}/:_authToken=none\n`);
      const publish = await outcome(
        new Program('bash', ['-c', `cd '${clone.directory}' && ${here}`], { npm_config_userconfig: npmrc }),
      );
      expect([publish.stderr, publish.code]).toEqual([expect.anything(), 0]);
      const integrity = installed
        .filter(([path]) => isOurs(path))
        .map(([path, entry]) => [path.replace('node_modules/', ''), entry.integrity] as const);
      expect(Object.fromEntries(published)).toEqual(Object.fromEntries(integrity));
    },
  );
});
