import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { outcome, Program, temporaryDirectory } from '../packages/cli/test/harness.ts';
import { FreshRoot, whyNoFreshRoot } from './fresh-root.ts';
import { ReleaseClone } from './release-clone.ts';
import { readText } from './repository.ts';

const page = readText('docs/deploy.md');

/** The commands of each section, by its title. */
const sections = new Map(
  page.split(/^## /m).map((section) => {
    const blocks = [...section.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, code = '']) => code);
    return [section.split('\n', 1)[0] ?? '', blocks];
  }),
);

/** Makes the two releases of the page. npm has their packages in its cache then. */
async function makeReleases(): Promise<{ readonly first: string; readonly second: string }> {
  const clone = ReleaseClone.make({ isBuilt: true });
  const releases = temporaryDirectory();
  const make = async (version: string): Promise<string> => {
    expect(await clone.release('--set', version)).toMatchObject({ code: 0 });
    clone.commit();
    expect(await clone.release()).toMatchObject({ code: 0 });
    const folder = join(releases, `fanfare-${version}`);
    cpSync(join(clone.directory, `dist/fanfare-${version}`), folder, { recursive: true });
    return folder;
  };
  const first = await make('0.1.0');
  clone.edit('CHANGELOG.md', (text) => text.replace('## Unreleased\n', '## Unreleased\n\n- A change.\n'));
  const second = await make('0.2.0');
  const warm = join(releases, 'warm');
  cpSync(first, warm, { recursive: true });
  const npm = new Program('npm', ['ci', '--prefix', warm, '--omit=dev', '--ignore-scripts']);
  expect(await outcome(npm)).toMatchObject({ code: 0 });
  return { first, second };
}

const whyNot = whyNoFreshRoot();

it.skipIf(whyNot !== undefined)(
  `an operator who runs the commands of docs/deploy.md installs, secures, observes, backs up, restores and upgrades a server behind nginx with TLS${whyNot === undefined ? '' : ` (${whyNot})`}`,
  { timeout: 300_000 },
  async () => {
    const { first, second } = await makeReleases();
    const root = await FreshRoot.start();
    const home = temporaryDirectory();
    const tls = '/etc/ssl/rt.example';
    const env = {
      npm_config_offline: 'true',
      PATH: `/usr/local/bin:${process.env['PATH']}:/usr/sbin`,
      NODE_EXTRA_CA_CERTS: `${tls}/fullchain.pem`,
    };
    const bash = async (command: string, folder = home): Promise<string> => {
      const { code, stdout, stderr } = await outcome(root.program(`cd ${folder} && set -e\n${command}`, env));
      const log = code === 0 ? '' : await root.run('cat /run/*.log /var/log/nginx/error.log');
      expect([command, code, stdout, code === 0 ? '' : [stderr, log]]).toEqual([command, 0, stdout, '']);
      return stdout;
    };
    /** Runs the commands of a section. */
    const section = async (title: string, folder?: string): Promise<string[]> => {
      const blocks = sections.get(title) ?? [];
      expect([title, blocks.length]).not.toEqual([title, 0]);
      const outputs: string[] = [];
      for (const block of blocks) outputs.push(await bash(block, folder));
      return outputs;
    };

    const systemctl = fileURLToPath(new URL('systemctl.mjs', import.meta.url));
    await bash(
      [
        `printf '#!/bin/sh\\nexec ${process.execPath} ${systemctl} "$@"\\n' > /usr/local/bin/systemctl`,
        'chmod +x /usr/local/bin/systemctl',
        "echo '127.0.0.1 rt.example localhost' > /etc/hosts",
        `install -d ${tls}`,
        `openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=rt.example -addext subjectAltName=DNS:rt.example -keyout ${tls}/privkey.pem -out ${tls}/fullchain.pem`,
      ].join('\n'),
    );

    const [installed] = await section('Install', first);
    expect(installed).toMatch(/0\.1\.0\n$/);
    const [configured] = await section('Configure');
    expect(configured).toContain('/etc/fanfare/fanfare.yaml');
    const [started] = await section('Start');
    expect(started).toContain('"ready":true');
    expect(await bash('stat --format="%U %a" /var/lib/fanfare /etc/fanfare/token.key')).toBe(
      'fanfare 700\nroot 640\n',
    );
    const [, used] = await section('TLS');
    expect(used).toBe('orders/7\ttea\n');
    const refused = await outcome(
      root.program('fanfare sub orders/7 --count 1 --url https://rt.example', env),
    );
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('token') as string });
    const [metrics] = await section('Observe');
    expect(metrics).toMatch(/^fanfare_ready\{check="log"\} 1$/m);

    const [backedUp] = await section('Back up');
    expect(backedUp).toContain('1 message');
    const publish = (text: string): Promise<string> =>
      bash(`fanfare pub orders/7 ${text} --url https://rt.example --token-file ann.token`);
    const history = (): Promise<string> =>
      bash("fanfare history 'orders/*' --url https://rt.example --token-file ann.token | cut -f 3-");
    await publish('coffee');
    await section('Restore');
    expect(await history()).toBe('tea\n');
    expect(await bash('cat /run/fanfare.service.log')).toContain('restored');
    await publish('milk');

    const [upgrade = '', goBack = '', ...more] = sections.get('Upgrade') ?? [];
    expect(more).toEqual([]);
    await bash(upgrade, second);
    expect(await bash('curl --silent http://127.0.0.1:9464/metrics')).toContain('version="0.2.0"');
    expect(await history()).toBe('tea\nmilk\n');
    await publish('sugar');
    await bash(goBack);
    expect(await bash('curl --silent http://127.0.0.1:9464/metrics')).toContain('version="0.1.0"');
    expect(await history()).toBe('tea\nmilk\nsugar\n');
  },
);
