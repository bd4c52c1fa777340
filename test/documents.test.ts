import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errorCodes, reservedTopics } from '@fanfare/protocol';
import { settingsSchema } from '@fanfare/server';
import {
  canReload,
  defaultKeep,
  envsOf,
  fixedLimits,
  flagOf,
  formatValue,
  secretFileEnvOf,
  settingKinds,
  settingNames,
  type Settings,
} from '@fanfare/server/settings';
import { describe, expect, it } from 'vitest';
import { exitCodes } from '../packages/cli/src/exit-codes.ts';

const root = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const manifest = (path: string): { version?: string; dependencies?: Record<string, string> } =>
  JSON.parse(read(`${path}/package.json`)) as { version?: string };

/** The first columns of a table in a document. */
function rows(markdown: string): string[][] {
  const lines = markdown.split('\n').filter((line) => line.startsWith('|') && !line.startsWith('| ---'));
  return lines.map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

/** A default value as written in the table. */
function shown(name: keyof Settings): string {
  const { default: value } = settingKinds[name];
  return Array.isArray(value) ? 'none' : `\`${formatValue(name, value)}\``;
}

describe('the documents', () => {
  it('the documents name every error code with its status and whether a retry helps', () => {
    const documented = rows(read('PROTOCOL.md')).filter(([code = '']) => code in errorCodes);
    const registered = Object.entries(errorCodes).map(([code, { status, retryable }]) => [
      code,
      String(status),
      retryable ? 'yes' : 'no',
    ]);
    expect(new Set(documented.map((row) => row.slice(0, 3)))).toEqual(new Set(registered));
    expect(documented).toHaveLength(registered.length);
  });

  it('the documents name every reserved topic', () => {
    const paragraph = /^2\.4 [^]*?\n\n/m.exec(read('PROTOCOL.md'))?.[0] ?? '';
    const quoted = [...paragraph.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
    expect(new Set(quoted.filter((name) => name !== 'topic_name_reserved'))).toEqual(reservedTopics);
  });

  it('the documents name every exit code', () => {
    const documented = rows(read('docs/cli.md'))
      .map(([code]) => Number(code))
      .filter((code) => !Number.isNaN(code));
    expect(documented).toEqual(Object.values(exitCodes));
  });

  it('the documents name every setting (docs/configuration.md is generated from them)', async () => {
    const table = settingNames.map((name) => {
      const secretFile = secretFileEnvOf(name);
      const env = [...envsOf(name), ...(secretFile === undefined ? [] : [secretFile])];
      const change = canReload(name) ? 'reload' : 'restart';
      return `| \`${name}\` | \`${flagOf(name)}\` | ${env.map((variable) => `\`${variable}\``).join(', ')} | ${shown(name)} | ${change} | ${settingKinds[name].about} |`;
    });
    const limits = settingNames.flatMap((name) => {
      const { limit } = settingKinds[name];
      return limit
        ? [`| \`${name}\` | ${shown(name)} | ${limit.unit} | ${limit.beyond} | ${limit.why} |`]
        : [];
    });
    const fixed = Object.entries(fixedLimits).map(
      ([name, { value, unit, beyond, why }]) => `| ${name} | ${value} | ${unit} | ${beyond} | ${why} |`,
    );
    const page = `# Configuration

You can set each setting of \`fanfare serve\` in three places, listed by precedence:

1. as a flag;
2. as an environment variable;
3. by its name in a YAML or JSON file, which \`--config\` (or \`FANFARE_CONFIG\`) names.

\`createServer()\` and \`attach()\` take the settings by name. \`attach()\` does not take \`host\`, \`port\` and \`requestTimeoutMs\`,
because the HTTP server belongs to the app. If a setting is wrong, the server does not start, and lists all wrong settings.

| command | what it does |
| --- | --- |
| \`fanfare init\` | Writes \`fanfare.yaml\` with all settings as comments: descriptions and defaults. It also writes \`fanfare.schema.json\`, with which editors check and complete the file. |
| \`fanfare config check fanfare.yaml\` | Reports every problem at once, with its line in the file. It also reads the keys, and the secrets of webhooks. It starts nothing. The exit code is 2 if there is a problem. |
| \`fanfare config print --config fanfare.yaml\` | Prints the settings in force, where each value comes from, and whether a change needs a restart. Secrets are masked. With \`--json\`, each setting is a line of JSON. |
| \`fanfare config schema\` | Prints the JSON Schema ([settings.schema.json](settings.schema.json)). |

\`config check\` and \`config print\` take all flags of \`fanfare serve\`, and read the same environment variables.

| setting | flag | environment | default | a change needs a | description |
| --- | --- | --- | --- | --- | --- |
${table.join('\n')}

An example of a file:

    port: 5001
    data: /var/lib/fanfare
    stallTimeoutMs: 1m
    publishBytesMax: 64KiB
    rules:
      - match: prices/**
        keep: none

The same file as JSON:

    {
      "port": 5001, "data": "/var/lib/fanfare", "stallTimeoutMs": "1m", "publishBytesMax": "64KiB",
      "rules": [{"match": "prices/**", "keep": "none"}]
    }

## Units

Times (settings with \`Ms\` in their names) are whole numbers with the unit \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`, such as \`10s\`. Sizes
(\`Bytes\`) have the unit \`B\`, \`KiB\`, \`MiB\` or \`GiB\`, such as \`64MiB\`. A number without a unit is in milliseconds or in bytes. \`KB\` and
\`MB\` are refused, because they can mean 1,000 or 1,024.

## Secrets

\`key\`, \`redis\` and the \`secret\` of a webhook are secrets. The server never shows them in logs and errors, and \`fanfare config print\` masks them. Other users of
a machine can read flags, so put secrets into files: \`keyFile\` names a file with a key, and the environment variable
\`FANFARE_REDIS_FILE\` a file with the value of \`redis\`. It is read at the start and at each reload. White space around the value does not count.

## Reload

The server reads its settings again on SIGHUP, and on \`POST /reload\`, which needs a token with \`admin\` if the server has a key:

    kill -HUP PID
    curl -X POST http://localhost:5000/reload -H "Authorization: Bearer $TOKEN"

For systemd: \`ExecReload=/bin/kill -HUP $MAINPID\`. Flags and the environment stay those of the start, so change the file. In a terminal, SIGHUP means that the terminal is closed,
and stops the server.

- The column \`a change needs a\` of the table says which settings a reload changes: rules, keys, origins, limits and the level of
  the log. The answer lists them in \`changed\`, and in \`needRestart\` those that still have their old values.
- A reload is atomic. If the file cannot be read, or any setting or key is wrong, nothing changes. The server logs all problems,
  and \`POST /reload\` responds with them (\`settings_invalid\`).
- No connection is dropped. After a change of keys, connections stay until their tokens expire. After a change of rules, a
  subscription that is no longer allowed ends with \`not_authorized\`.
- A lower limit does not end what exists: open connections, topics and subscriptions stay. WebSockets that are open keep the
  maximum size of a packet from their handshake, and streams the stall timeout with which they began. A changed rate begins anew.
- A change of [webhooks](webhooks.md#what-is-promised) needs a restart. Until then, all rules stay as they were.
- Turning tokens on or off (the first key, or none any more) needs a restart.
- Each of several nodes has its own settings, so reload all of them. Until then, \`/readyz\` has a warning.

## Limits

Everything that clients can make the server do has a limit. A refused request gets a code of PROTOCOL.md §6, and changes nothing.
These limits are settings:

| setting | default | unit | beyond the limit | reason |
| --- | --- | --- | --- | --- |
${limits.join('\n')}

A rate limit allows a burst: the number of a whole second at once. The messages of a batch count one by one. A batch
larger than the rate is accepted only after one second without publishes. Then the client must wait until the rate has made up for it. A limit for
an address covers HTTP and Socket.IO together. The address is that of the connection, so clients of a proxy that \`trustProxy\`
does not name share one address. Rates do not limit publishes of the program itself, through \`createServer()\` or \`attach()\`.

These limits are not settings:

| limit | value | unit | beyond the limit | reason |
| --- | --- | --- | --- | --- |
${fixed.join('\n')}

## Rules

The first rule that matches the name of a topic decides which of its messages are kept. A topic that matches no rule keeps its
newest ${defaultKeep.count.toLocaleString('en')} messages, for ${defaultKeep.ageMs / 86_400_000} days and up to ${defaultKeep.bytes / 1_048_576} MiB, on disk (with \`--memory\` in memory).

    {
      "rules": [
        {"match": "prices/**", "keep": "none", "create": "publish"},
        {"match": "orders/*", "keep": {"count": 1000000, "age": "30d", "bytes": "1GiB"}},
        {"match": "state/*", "keep": {"count": 1}, "publishBytesMax": "64KiB"}
      ]
    }

| member | default | description |
| --- | --- | --- |
| \`match\` | | A topic or a pattern. \`*\` stands for one segment, \`**\` at the end for any number of segments. |
| \`keep\` | as above | \`"none"\`: messages are delivered but not stored, which is fastest. Otherwise bounds: when one is exceeded, the oldest messages are deleted. |
| \`keep.count\` | as above | Maximum number of messages. |
| \`keep.age\` | as above | Maximum age of messages: a number with the unit \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`. |
| \`keep.bytes\` | as above | Maximum size of all messages: a number of bytes, or a number with the unit \`B\`, \`KiB\`, \`MiB\` or \`GiB\`. The newest message is kept whatever its size. |
| \`create\` | \`"subscribe"\` | \`"publish"\`: a publish creates the topic. \`"subscribe"\`: a publish is refused with status 404 until a client has subscribed to the topic or declared it. |
| \`publishBytesMax\` | | Maximum size of a message. The setting \`publishBytesMax\` of the server applies too. |
| \`publish\` | \`false\` | \`true\`: every client with a token may publish to the topics, whatever rights the token has. |
| \`subscribe\` | \`false\` | \`true\`: every client with a token may read the topics, whatever rights the token has. |
| \`publisher\` | \`false\` | \`true\`: envelopes name the publisher of a message (the \`sub\` of the token) in the field \`publisher\`. |
| \`webhook\` | | A URL that gets an HTTP request for each message, or when topics get and lose their subscribers: [webhooks.md](webhooks.md). |

Rules are not combined: all members of the first rule that matches apply. A segment of \`match\` can be \`\${sub}\`, which stands for
the subject of the client (PROTOCOL.md 7.6). For example:

    {"match": "inbox/\${sub}/**", "subscribe": true}

With this rule, Ann can read the topics below \`inbox/ann\`. Other clients can read them only if their tokens allow it.

After a reload or a restart, changed rules also apply to the messages that are stored already. If a topic kept nothing before and keeps messages now, clients that
resume from an earlier offset are told that messages are missing.
`;
    await expect(page).toMatchFileSnapshot(fileURLToPath(new URL('docs/configuration.md', root)));
  });

  it('the JSON Schema of configuration files is generated from the settings', async () => {
    const schema = `${JSON.stringify(settingsSchema(), null, 2)}\n`;
    await expect(schema).toMatchFileSnapshot(fileURLToPath(new URL('docs/settings.schema.json', root)));
  });

  it('the documents link only to files that exist', () => {
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

  it('the packages have one version, and exact versions of all their dependencies', () => {
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

  it('the packages run no install script here, and need none elsewhere', () => {
    const scripted = Object.entries(lock.packages)
      .filter(([, { dev, hasInstallScript }]) => hasInstallScript && !dev)
      .map(([path]) => path);
    // Both scripts only check that their binary exists, which is a separate package (decision 6).
    expect(scripted).toEqual(['node_modules/lmdb', 'node_modules/msgpackr-extract']);
    expect(read('.npmrc')).toMatch(/^ignore-scripts=true$/m);
  });

  it('no dependency is older than the first version without its known vulnerabilities', () => {
    const floors = { 'engine.io': [6, 6, 12], 'socket.io-parser': [4, 2, 7], ws: [8, 21, 0] };
    for (const [name, floor] of Object.entries(floors)) {
      // The old clients of older-clients.test.ts bring old ones, which no user gets.
      const found = Object.entries(lock.packages).filter(
        ([path, { dev }]) => path.endsWith(`node_modules/${name}`) && dev !== true,
      );
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
