import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { resolveSettings, settingsSchema } from '@fanfare/server';
import { maskedValue, settingKinds, settingNames } from '@fanfare/server/settings';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { settingsTemplate } from '../src/init.ts';
import { readSettingsFile } from '../src/settings-file.ts';
import { fanfarePath, outcome, Program, temporaryDirectory } from './harness.ts';

const secret = 'a-secret-of-more-than-thirty-two-bytes';
const webhookSecret = `whsec_${Buffer.alloc(32, 'secret').toString('base64')}`;

function written(content: string, name = 'fanfare.yaml'): string {
  const path = join(temporaryDirectory(), name);
  writeFileSync(path, content);
  return path;
}

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return outcome(new Program(process.execPath, [fanfarePath, ...args], env));
}

describe('fanfare config check', () => {
  it('fanfare config check reports every problem at once, with file and line', async () => {
    const path = written(`# settings
prot: 5001
loginTimeoutMs: 10x
rules:
  - match: a/**
    keep:
      count: 0
      age: "7"
  - match: a/**/b
key: ${secret.slice(0, 9)}
`);
    const { code, stdout, stderr } = await run(['config', 'check', path], { FANFARE_TOPICS_MAX: '0' });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr.trim().split('\n')).toEqual([
      `${path}:2 has the unknown setting "prot". Did you mean "port"?`,
      `rules in ${path}:7 [0] keep.count must be a whole number greater than 0.`,
      `rules in ${path}:8 [0] keep.age must be a time such as "30s", "15m", "12h" or "7d".`,
      expect.stringContaining(`rules in ${path}:9 [1] match must be a topic or pattern: `) as string,
      'FANFARE_TOPICS_MAX must be a whole number from 1 to 10000000, not "0".',
      expect.stringContaining(`loginTimeoutMs in ${path}:3 must be a time from 100ms to 10m`) as string,
    ]);
  });

  it('fanfare config check reads the keys, and parses the URL of Redis', async () => {
    const path = written(`key: ${secret.slice(0, 9)}\nkeyFile: /nowhere\nredis: http://h\n`);
    const { code, stderr } = await run(['config', 'check', path]);
    expect(code).toBe(2);
    expect(stderr.trim().split('\n')).toEqual([
      expect.stringMatching(/^key \(--key\): A secret for HS256 must have at least 32 bytes/) as string,
      "keyFile (--key-file) '/nowhere': The file cannot be read (ENOENT).",
      expect.stringMatching(/^The URL of Redis must be /) as string,
    ]);
    expect(stderr).not.toContain(secret.slice(0, 9));
  });

  it('fanfare config check reports each problem of a webhook in its line, and does not quote secrets', async () => {
    const path = written(`rules:
  - match: a
    webhook:
      url: ftp://receiver.example
      on: [messages]
      secret: ${webhookSecret.slice(0, 20)}
  - match: b
    keep: none
    webhook: {url: "https://receiver.example", on: [message], secret: ${webhookSecret}}
webhookNetworks: 10.0.0.0/99
`);
    const { code, stderr } = await run(['config', 'check', path]);
    expect(code).toBe(2);
    expect(stderr.trim().split('\n')).toEqual([
      `rules in ${path}:4 [0] webhook.url must be an https URL without a user name and a password.`,
      `rules in ${path}:5 [0] webhook.on must be an array of "message", "occupied", "vacated", "closed".`,
      `rules in ${path}:6 [0] webhook.secret must be "whsec_" and 24 to 64 random bytes as base64.`,
      `rules in ${path}:9 [1] webhook.on has "message", and keep is "none": only stored messages are sent.`,
      expect.stringContaining(`webhookNetworks in ${path}:10 must be addresses and networks`) as string,
    ]);
    expect(stderr).not.toContain(webhookSecret.slice(6, 20));
  });

  it('fanfare config check reads the files with the secrets of webhooks', async () => {
    const webhook = { url: 'https://receiver.example', on: ['closed'], secretFile: '/nowhere' };
    const path = written(JSON.stringify({ rules: [{ match: 'a', webhook }] }));
    expect(await run(['config', 'check', path])).toEqual({
      code: 2,
      stdout: '',
      stderr: "Cannot read webhook.secretFile '/nowhere' (ENOENT).\n",
    });
  });

  it('fanfare config check reports a wrong value of the file even if a flag overrides it', async () => {
    const path = written('port: many\n');
    expect(await run(['config', 'check', path, '--port', '5001'])).toEqual({
      code: 2,
      stdout: '',
      stderr: `port in ${path}:1 must be a whole number from 0 to 65535, not "many".\n`,
    });
  });

  it('fanfare config check warns of misspelt variables', async () => {
    const env = { FANFARE_PRT: '1', FANFARE_SERVICE_HOST: '10.0.0.1' };
    const { code, stderr } = await run(['config', 'check'], env);
    expect([code, stderr]).toEqual([
      0,
      'Warning: FANFARE_PRT is not a setting. Did you mean "FANFARE_PORT"?\n',
    ]);
  });

  it('fanfare config check says so when there is no problem', async () => {
    const path = written('port: 5001\ndata: messages\n');
    expect(await run(['config', 'check', path])).toEqual({
      code: 0,
      stdout: 'The settings are correct (2 settings are not the default).\n',
      stderr: '',
    });
  });

  it.each([
    [`key: "${secret}`, 1, /a character is missing/],
    [`port: 1\nkey: *${secret}`, undefined, /into quotes/],
    [`port: 1\nkey: \`${secret}`, 2, /needs quotes/],
    [`{"port": 1,\n"key": "${secret}" "x"}`, 2, /a character is missing|unexpected/],
    [`port: 1\nport: 2`, 2, /a setting is given twice/],
    [`rules:\n\t- match: a`, 2, /a tab/],
    [`- port: 1`, undefined, /must have settings by name/],
  ])('a file that is malformed is refused without quoting it: %j', async (content, line, reason) => {
    const path = written(content);
    const { code, stderr } = await run(['config', 'check', path]);
    expect(code).toBe(2);
    expect(stderr).toMatch(reason);
    expect(stderr).toContain(line === undefined ? path : `${path}:${line} `);
    expect(stderr).not.toContain(secret);
  });
});

describe('fanfare config print', () => {
  it('fanfare config print tells where each value comes from, and masks secrets', async () => {
    const path = written(`port: 5001\nstallTimeoutMs: 1m\nkey: ${secret}\ntopicsMax: 7\n`);
    const redisFile = written(`redis://ann:${secret}@10.0.0.5:6379/2\n`, 'redis');
    const { code, stdout, stderr } = await run(
      ['config', 'print', '--config', path, '--json', '--topics-max', '9'],
      { FANFARE_PORT: '5002', FANFARE_REDIS_FILE: redisFile },
    );
    expect([code, stderr]).toEqual([0, '']);
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { setting: string });
    expect(rows.map(({ setting }) => setting)).toEqual(settingNames);
    const rowOf = (name: string): unknown => rows.find(({ setting }) => setting === name);
    expect(rowOf('port')).toMatchObject({ value: 5002, source: 'FANFARE_PORT', reload: false });
    expect(rowOf('topicsMax')).toMatchObject({ value: 9, source: '--topics-max', reload: true });
    expect(rowOf('stallTimeoutMs')).toMatchObject({ value: 60_000, source: `${path}:2` });
    expect(rowOf('host')).toMatchObject({ value: '127.0.0.1', source: 'default' });
    expect(rowOf('key')).toMatchObject({ value: '********', source: `${path}:3` });
    expect(rowOf('redis')).toMatchObject({
      value: 'redis://********@10.0.0.5:6379/2',
      source: 'FANFARE_REDIS_FILE',
    });
    expect(stdout).not.toContain(secret);
  });

  it('fanfare config print masks the secrets of webhooks and the paths of their URLs, and shows the rest of the rules', async () => {
    const url = 'https://receiver.example/';
    const webhook = { url: `${url}hidden?hidden`, on: ['closed'], secret: webhookSecret };
    const plain = {
      match: 'c',
      webhook: { url: 'https://receiver.example', on: ['closed'], secretFile: 'x' },
    };
    const path = written(JSON.stringify({ rules: [{ match: 'a', webhook }, { match: 'b' }, plain] }));
    const masked = { url: `${url}********`, on: ['closed'], secret: '********' };
    const shown = [{ match: 'a', webhook: masked }, { match: 'b' }, plain];
    for (const flags of [[], ['--json']]) {
      const { code, stdout } = await run(['config', 'print', '--config', path, ...flags]);
      expect([code, stdout]).toEqual([0, expect.stringContaining(JSON.stringify(shown)) as string]);
      expect(stdout).not.toMatch(new RegExp(`hidden|${webhookSecret.slice(6, 20)}`));
    }
  });

  it.each([
    ['redis://h:1', 'redis://h:1'],
    [`redis://:${secret}@h:1`, 'redis://********@h:1'],
    [`redis+sentinel://a,b:2/main?sentinelPassword=${secret}`, 'redis+sentinel://a,b:2/main?********'],
    // It is not clear where these passwords end.
    [`redis://:x/${secret}@h`, '********'],
    [`redis://:x?${secret}@h`, '********'],
    [`redis://:x@${secret}@h`, '********'],
    [secret, '********'],
  ])('the URL of Redis is shown without its password: %s', (redis, shown) => {
    expect(maskedValue('redis', redis)).toBe(shown);
  });

  it('a secret cannot come from a variable and from a file, and a file that is missing is named', async () => {
    const { code, stderr } = await run(['config', 'print'], {
      FANFARE_REDIS: 'redis://h',
      FANFARE_REDIS_FILE: '/nowhere',
    });
    expect([code, stderr]).toEqual([
      2,
      'FANFARE_REDIS cannot be combined with FANFARE_REDIS_FILE: remove one of them.\n' +
        "Cannot read the file '/nowhere' of FANFARE_REDIS_FILE (ENOENT).\n",
    ]);
  });
});

describe('fanfare store', () => {
  it('fanfare store takes the URL of Redis from the file of FANFARE_REDIS_FILE, as the server does', async () => {
    const redisFile = written('redis://127.0.0.1:1\n', 'redis');
    const { code, stderr } = await run(['store', 'export'], { FANFARE_REDIS_FILE: redisFile });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^Redis at 127\.0\.0\.1:1 cannot be reached/)]);
  });
});

describe('configuration files', () => {
  it('a file can be YAML, or JSON with tabs and a byte order mark', async () => {
    const yaml = written('# rules\nrules:\n  - {match: a, keep: none}\nopen: true\n');
    const json = written(
      '\ufeff{\n\t"$schema": "x",\n\t"rules": [\n\t\t{"match": "a", "keep": "none"}\n\t], "open": true\n}\n',
      'x.json',
    );
    for (const path of [yaml, json]) {
      const file = await readSettingsFile(path);
      const { rules, open } = resolveSettings({ flags: {}, env: {}, file });
      expect([path, rules, open]).toEqual([path, [{ match: 'a', keep: 'none' }], true]);
    }
  });

  it('a file that only has comments is fine', async () => {
    const file = await readSettingsFile(written('# nothing\n'));
    expect(resolveSettings({ flags: {}, env: {}, file }).port).toBe(settingKinds.port.default);
  });
});

describe('fanfare init', () => {
  it('fanfare init writes a file with every setting, which the server takes, and never overwrites one', async () => {
    const path = join(temporaryDirectory(), 'fanfare.yaml');
    const { code, stdout } = await run(['init', path]);
    expect(code).toBe(0);
    expect(stdout).toContain(`config check ${path}\n`);
    expect((await run(['config', 'check', path])).stdout).toMatch(/^The settings are correct \(0 /);
    expect(await run(['init', path])).toEqual({
      code: 1,
      stdout: '',
      stderr: `${path} exists: name another file.\n`,
    });
    const schema: unknown = JSON.parse(readFileSync(join(path, '../fanfare.schema.json'), 'utf8'));
    expect(schema).toEqual(settingsSchema());
  });

  it('without the comment signs, the file of fanfare init has every setting with its default', () => {
    const text = settingsTemplate('fanfare.yaml').replaceAll(/^#(?=\w+: )/gm, '');
    const content: unknown = parse(text);
    expect(Object.keys(content as object).toSorted()).toEqual(settingNames.toSorted());
    expect(resolveSettings({ flags: {}, env: {}, file: { path: 'x', content } })).toEqual(
      resolveSettings({ flags: {}, env: {} }),
    );
    expect(new Ajv({ strict: true, allowUnionTypes: true }).validate(settingsSchema(), content)).toBe(true);
  });

  it('the JSON Schema refuses what the server refuses', () => {
    const webhook = { url: 'https://receiver.example', on: ['closed'], secret: webhookSecret };
    const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(settingsSchema());
    for (const content of [
      { prot: 1 },
      { port: 70_000 },
      { stallTimeoutMs: '10x' },
      { publishBytesMax: '1MB' },
      { logLevel: 'loud' },
      { rules: [{ keep: 'none' }] },
      { rules: [{ match: 'a', keep: { age: 5 } }] },
      { rules: [{ match: 'a', webhook: { ...webhook, on: ['messages'] } }] },
      { rules: [{ match: 'a', webhook: { ...webhook, secretFile: 'b' } }] },
      { rules: [{ match: 'a', webhook: { url: webhook.url, on: webhook.on } }] },
    ]) {
      expect([content, validate(content)]).toEqual([content, false]);
      expect(() => resolveSettings({ flags: {}, env: {}, file: { path: 'x', content } })).toThrow(/./);
    }
    for (const content of [
      { trustProxy: 1 },
      { rules: [{ match: 'a', keep: { age: '1h', bytes: 5 }, webhook }] },
    ])
      expect([content, validate(content)]).toEqual([content, true]);
  });
});
