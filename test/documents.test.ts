import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errorCodes, reservedTopics } from '@fanfare/protocol';
import {
  defaultKeep,
  envsOf,
  fixedLimits,
  flagOf,
  settingKinds,
  settingNames,
} from '@fanfare/server/settings';
import { describe, expect, it } from 'vitest';
import { exitCodes } from '../packages/cli/src/exit-codes.ts';

const root = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const manifest = (path: string): { version?: string; dependencies?: Record<string, string> } =>
  JSON.parse(read(`${path}/package.json`)) as { version?: string };

/** What stands in the first columns of a table in a document. */
function rows(markdown: string): string[][] {
  const lines = markdown.split('\n').filter((line) => line.startsWith('|') && !line.startsWith('| ---'));
  return lines.map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

/** A default as it stands in the table. */
function shown(value: unknown): string {
  return Array.isArray(value) ? 'none' : `\`${String(value)}\``;
}

describe('the documents', () => {
  it('name every error code with its status and whether a retry helps', () => {
    const documented = rows(read('PROTOCOL.md')).filter(([code = '']) => code in errorCodes);
    const registered = Object.entries(errorCodes).map(([code, { status, retryable }]) => [
      code,
      String(status),
      retryable ? 'yes' : 'no',
    ]);
    expect(new Set(documented.map((row) => row.slice(0, 3)))).toEqual(new Set(registered));
    expect(documented).toHaveLength(registered.length);
  });

  it('name every topic that is reserved', () => {
    const paragraph = /^2\.4 [^]*?\n\n/m.exec(read('PROTOCOL.md'))?.[0] ?? '';
    const quoted = [...paragraph.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
    expect(new Set(quoted.filter((name) => name !== 'topic_name_reserved'))).toEqual(reservedTopics);
  });

  it('name every exit code', () => {
    const documented = rows(read('docs/cli.md'))
      .map(([code]) => Number(code))
      .filter((code) => !Number.isNaN(code));
    expect(documented).toEqual(Object.values(exitCodes));
  });

  it('name every setting (docs/configuration.md is written from them)', async () => {
    const table = settingNames.map((name) => {
      const { default: fallback, about } = settingKinds[name];
      const env = envsOf(name);
      return `| \`${name}\` | \`${flagOf(name)}\` | ${env.map((variable) => `\`${variable}\``).join(', ')} | ${shown(fallback)} | ${about} |`;
    });
    const limits = settingNames.flatMap((name) => {
      const { default: fallback, limit } = settingKinds[name];
      return limit ? [`| \`${name}\` | ${shown(fallback)} | ${limit.unit} | ${limit.why} |`] : [];
    });
    const fixed = Object.entries(fixedLimits).map(
      ([name, { value, unit, why }]) => `| ${name} | ${value} | ${unit} | ${why} |`,
    );
    const page = `# Configuration

Each setting of \`fanfare serve\` can be given as a flag, as an environment variable, or by its name in a JSON file that
\`--config\` (or \`FANFARE_CONFIG\`) names; a flag is stronger than the environment, and the environment than the file.
\`createServer()\` takes them by name, and so does \`attach()\`, but for
\`host\`, \`port\` and \`requestTimeoutMs\`, which are the app's there. When settings are wrong, the server does not start, and names all that
are.

| setting | flag | environment | default | |
| --- | --- | --- | --- | --- |
${table.join('\n')}

A file, for example:

    {"port": 5001, "data": "/var/lib/fanfare", "topicsMax": 1000}

## Limits

All that clients can make the server do is bounded. What is over a limit is refused with a code of PROTOCOL.md §6, and changes
nothing. These bounds are settings:

| setting | default | unit | why |
| --- | --- | --- | --- |
${limits.join('\n')}

A rate lets through at once what it allows in a second. Many messages published with one request count one by one; when they are
more than that, they need a second in which nothing was published, and as long is to be waited after them as they are over it. What
is limited for an address counts together, over HTTP and over Socket.IO, and the address is that of the connection: behind a proxy
the proxy's. What a program publishes through \`createServer()\` or \`attach()\` is not limited in rate.

These are no settings:

| limit | value | unit | why |
| --- | --- | --- | --- |
${fixed.join('\n')}

## Rules

What is kept of a topic is decided by the first rule that matches its name. Without one, the newest ${defaultKeep.count.toLocaleString('en')} messages are kept,
for ${defaultKeep.ageMs / 86_400_000} days, ${defaultKeep.bytes / 1_048_576} MiB of them at the most, on disk (in memory with \`--memory\`).

    {
      "rules": [
        {"match": "prices/**", "keep": "none", "create": "publish"},
        {"match": "orders/*", "keep": {"count": 1000000, "age": "30d", "bytes": "1GiB"}},
        {"match": "state/*", "keep": {"count": 1}, "publishBytesMax": "64KiB"}
      ]
    }

| member | default | |
| --- | --- | --- |
| \`match\` | | A topic or a pattern: \`*\` stands for one segment, \`**\` at the end for any number of them. |
| \`keep\` | as above | \`"none"\`: messages pass through and are not stored, which is fastest. Or bounds; what exceeds any of them goes, the oldest first. |
| \`keep.count\` | as above | How many messages. |
| \`keep.age\` | as above | For how long: a number with \`s\`, \`m\`, \`h\` or \`d\`. |
| \`keep.bytes\` | as above | How many bytes of messages, as a number or with \`KiB\`, \`MiB\` or \`GiB\`. The newest message is kept whatever its size. |
| \`create\` | \`"subscribe"\` | \`"publish"\`: a publish creates the topic. Else it is 404 until somebody has subscribed or declared it. |
| \`publishBytesMax\` | | The largest message, beside the server's own \`publishBytesMax\`. |
| \`publish\` | \`false\` | \`true\`: whoever has a token may publish to the topics, whatever the token says. |
| \`subscribe\` | \`false\` | \`true\`: whoever has a token may read the topics, whatever the token says. |
| \`publisher\` | \`false\` | \`true\`: messages tell who has published them (the \`sub\` of the token), as \`publisher\` in the envelope. |

The first rule that matches decides all of it. A segment of \`match\` may be \`\${sub}\`, which stands for the subject of whoever asks
(PROTOCOL.md 7.6): with

    {"match": "inbox/\${sub}/**", "subscribe": true}

Ann reads what is under \`inbox/ann\`, and nobody else does whose token does not say so.

A rule that is changed counts from the next start on. A topic that kept nothing and does now tells whoever resumes from
before that messages are missing.
`;
    await expect(page).toMatchFileSnapshot(fileURLToPath(new URL('docs/configuration.md', root)));
  });

  it('link to files that there are', () => {
    const documents = ['.', 'docs', 'docs/decisions', 'examples'].flatMap((folder) =>
      readdirSync(new URL(`${folder}/`, root))
        .filter((file) => file.endsWith('.md'))
        .map((file) => `${folder}/${file}`),
    );
    expect(documents.length).toBeGreaterThan(10);
    for (const document of documents) {
      for (const [, target = ''] of read(document).matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
        if (target.startsWith('https:')) continue;
        const file = new URL(target, new URL(document, root));
        expect([document, target, existsSync(file)]).toEqual([document, target, true]);
      }
    }
  });
});

describe('the packages', () => {
  const lock = JSON.parse(read('package-lock.json')) as {
    packages: Record<
      string,
      { version: string; dev?: boolean; hasInstallScript?: boolean; resolved?: string }
    >;
  };

  it('have one version, and exact versions of everything that they depend on', () => {
    for (const path of [
      '.',
      'examples',
      ...readdirSync(new URL('packages/', root)).map((name) => `packages/${name}`),
    ]) {
      const { version, dependencies = {} } = manifest(path);
      expect([path, version]).toEqual([path, manifest('.').version]);
      for (const range of Object.values(dependencies)) expect(range).toMatch(/^\d+\.\d+\.\d+$/);
    }
  });

  it('run no script when they are installed here, and need none elsewhere', () => {
    const scripted = Object.entries(lock.packages)
      .filter(([, { dev, hasInstallScript }]) => hasInstallScript && !dev)
      .map(([path]) => path);
    // Both only look whether their binary is there, which comes as a package of its own (decision 6).
    expect(scripted).toEqual(['node_modules/lmdb', 'node_modules/msgpackr-extract']);
    expect(read('.npmrc')).toMatch(/^ignore-scripts=true$/m);
  });

  it('have nothing under the floors of what has been broken into from outside', () => {
    const floors = { 'engine.io': [6, 6, 12], 'socket.io-parser': [4, 2, 7], ws: [8, 21, 0] };
    for (const [name, floor] of Object.entries(floors)) {
      const found = Object.entries(lock.packages).filter(([path]) => path.endsWith(`node_modules/${name}`));
      expect(found).not.toEqual([]);
      for (const [, { version }] of found) {
        const parts = version.split('.').map(Number);
        const compared =
          parts.map((part, at) => Math.sign(part - (floor[at] ?? 0))).find((sign) => sign !== 0) ?? 0;
        expect([name, version, compared >= 0]).toEqual([name, version, true]);
      }
    }
  });
});
