import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { outcome, Program, temporaryDirectory, withoutLife } from '../packages/cli/test/harness.ts';
import { FreshRoot, whyNoFreshRoot } from './fresh-root.ts';
import { ReleaseClone } from './release-clone.ts';
import { readText } from './repository.ts';

interface Step {
  readonly name: string;
  readonly value: string;
}

/** The instructions of the Dockerfile, each on one line. */
function stepsOf(dockerfile: string): readonly Step[] {
  return dockerfile
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, name = '', value = ''] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
      return { name, value };
    });
}

/** The instructions after the last FROM make the image. */
function stagesOf(steps: readonly Step[]): {
  readonly first: readonly Step[];
  readonly last: readonly Step[];
} {
  const at = steps.findLastIndex(({ name }) => name === 'FROM');
  return { first: steps.slice(0, at), last: steps.slice(at + 1) };
}

/** The words of an instruction in the form of JSON, for a shell. */
function quoted(words = '[]'): string {
  return (JSON.parse(words) as string[]).map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
}

const whyNot = whyNoFreshRoot();

it.skipIf(whyNot !== undefined)(
  `the steps of the Dockerfile make an image that serves as a user without rights on a read-only root, passes its health check, and stops on SIGTERM${whyNot === undefined ? '' : ` (${whyNot})`}`,
  { timeout: 300_000 },
  async () => {
    const clone = ReleaseClone.make({ isBuilt: true });
    expect(await clone.release('--set', '3.4.5')).toMatchObject({ code: 0 });
    clone.commit();
    expect(await clone.release()).toMatchObject({ code: 0 });
    const context = join(clone.directory, 'dist/fanfare-3.4.5');
    const { first, last } = stagesOf(stepsOf(readText('deploy/docker/Dockerfile')));
    const all = (name: string): string[] =>
      last.filter((step) => step.name === name).map(({ value }) => value);
    const root = await FreshRoot.start();
    const succeeds = async (command: string): Promise<string> => {
      const { code, stdout, stderr } = await root.run(command);
      expect([command, code, code === 0 ? '' : stderr]).toEqual([command, 0, '']);
      return stdout;
    };

    // The stage `install`. The fresh root has no network, so npm takes its packages from its cache.
    const warm = new Program('bash', [
      '-c',
      `cp -r ${context} ${context}.warm && cd ${context}.warm && npm ci --omit=dev --ignore-scripts`,
    ]);
    expect(await outcome(warm)).toMatchObject({ code: 0 });
    const known = new Set(['ARG', 'COPY', 'FROM', 'RUN', 'WORKDIR']);
    expect(first.filter(({ name }) => !known.has(name))).toEqual([]);
    const folder = first.find(({ name }) => name === 'WORKDIR')?.value;
    expect(first.filter(({ name }) => name === 'COPY')).toEqual([{ name: 'COPY', value: '. .' }]);
    await succeeds(`mkdir -p ${folder} && cp -r ${context}/. ${folder}`);
    for (const { value } of first.filter(({ name }) => name === 'RUN'))
      await succeeds(`cd ${folder} && export npm_config_offline=true && ${value}`);

    // The image.
    expect(all('COPY')).toEqual([`--from=install ${folder} ${folder}`]);
    for (const command of all('RUN')) await succeeds(command);
    const env = all('ENV').join(' ');
    const [user = ''] = all('USER');
    const [data = ''] = all('VOLUME');
    const [uid, gid] = user.split(':');
    const entry = `${quoted(all('ENTRYPOINT')[0])} ${quoted(all('CMD')[0])}`;
    const check = quoted(/CMD (\[.*\])$/.exec(all('HEALTHCHECK')[0] ?? '')?.[1]);
    const rights = '--clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all';
    const readOnly = ['/', '/etc', '/opt', '/usr/local', '/var', '/srv', '/run', '/tmp'].map(
      (path) => `mountpoint -q ${path} || mount --bind ${path} ${path}; mount -o remount,bind,ro ${path}`,
    );
    const contained = (command: string): string =>
      [
        `mount --bind ${data} ${data}`,
        ...readOnly,
        `cd ${all('WORKDIR')[0]}`,
        `exec setpriv --reuid=${uid} --regid=${gid} ${rights} env --ignore-environment ${env} ${command}`,
      ].join('\n');
    const inContainer = (command: string): Program =>
      root.program(`unshare --mount bash -c "$SCRIPT"`, { SCRIPT: contained(command) });

    expect((await outcome(inContainer(check))).code).toBe(1);
    const open = await outcome(inContainer(entry));
    expect([open.code, open.stderr]).toEqual([2, expect.stringContaining('--key-file') as string]);

    const secrets = temporaryDirectory();
    const key = join(secrets, 'token.key');
    writeFileSync(key, 'a secret that is long enough for HS256, which needs 32 bytes');
    await succeeds(`chmod 755 ${secrets} && chgrp ${gid} ${key} && chmod 640 ${key}`);
    const server = inContainer(`FANFARE_KEY_FILE=${key} ${entry}`);
    await server.says(/^Tokens:.*\n/m);
    expect(await outcome(inContainer(check))).toMatchObject({ code: 0, stderr: '' });
    expect(await succeeds('curl --silent http://127.0.0.1:5000/readyz')).toContain('"ready":true');
    expect(await succeeds(`stat --format=%u ${data}/fanfare-data/log.mdb`)).toBe(`${uid}\n`);
    expect((await outcome(inContainer(`touch ${folder}/x`))).stderr).toContain('Read-only file system');
    const [port] = all('EXPOSE')[0]?.split(' ') ?? [];
    expect(port).toBe('5000');
    await succeeds(`kill -TERM $(pgrep --uid ${uid})`);
    expect([await server.exitCode, withoutLife(server.stderr)]).toEqual([0, '']);
  },
);
