import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fanfare, fanfarePath, outcome, Program, startServer, temporaryDirectory } from './harness.ts';

const key = 'a secret of more than thirty-two bytes';

async function mint(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await outcome(fanfare('token', 'mint', '--key', key, ...args));
  expect([code, stderr]).toEqual([0, '']);
  return stdout.trim();
}

const withEnv = (env: Record<string, string>, ...args: string[]): Program =>
  new Program(process.execPath, [fanfarePath, ...args], env);

describe('fanfare token', () => {
  it('fanfare token mints what fanfare token explain explains', async () => {
    const token = await mint(
      'ann',
      '--publish',
      'a/*',
      'b',
      '--subscribe',
      '**',
      '--expires',
      '15m',
      '--kid',
      'k1',
    );
    const { code, stdout, stderr } = await outcome(fanfare('token', 'explain', token));
    expect([code, stderr]).toEqual([0, 'The signature was not verified.\n']);
    expect(stdout).toMatch(
      /^subject: ann\nsigned: HS256 \(key k1\)\nissued: .*Z\nexpires: .*Z\nmay publish to: a\/\*, b\nmay read: \*\*\nadmin: no\n$/,
    );
    const piped = fanfare('token', 'explain');
    piped.process.stdin?.end(`${await mint('root', '--admin')}\n`);
    expect((await outcome(piped)).stdout).toMatch(
      /may publish to: everything\nmay read: everything\nadmin: yes\n$/,
    );
    expect((await outcome(fanfare('token', 'explain', 'nonsense'))).code).toBe(1);
  });

  it('fanfare token says who made a token, whom it is meant for, and from when on it counts', async () => {
    const token = await mint('ann', '--audience', 'me', '--issuer', 'https://id.example');
    const said = (await outcome(fanfare('token', 'explain', token))).stdout;
    expect(said).toMatch(
      /^subject: ann\nsigned: HS256\nissuer: https:\/\/id\.example\naudience: me\nissued: /,
    );
    const claims = Buffer.from('{"sub":"ann","aud":["a","b"],"nbf":0,"exp":1}').toString('base64url');
    const other = `${token.split('.')[0]}.${claims}.x`;
    expect((await outcome(fanfare('token', 'explain', other))).stdout).toContain(
      'audience: a, b\nissued: not set\nvalid from: 1970-01-01T00:00:00.000Z\nexpires: ',
    );
  });

  it('fanfare token takes the key of a flag before that of the environment, where an empty variable says nothing', async () => {
    const file = join(temporaryDirectory(), 'key');
    writeFileSync(file, `${key}\n`, { mode: 0o600 });
    const { url } = await startServer(0, { key });
    const other = 'x'.repeat(40);
    for (const [env, flags] of [
      [{ FANFARE_KEY: other }, ['--key-file', file]],
      [{ FANFARE_KEY_FILE: '/there/is/none' }, ['--key', key]],
      [{ FANFARE_KEY: '', FANFARE_KEY_FILE: file, FANFARE_KEY_ALGORITHM: '', FANFARE_AUDIENCE: '' }, []],
    ] as const) {
      const minted = await outcome(withEnv(env, 'token', 'mint', 'ann', ...flags));
      expect([flags, minted.code, minted.stderr]).toEqual([flags, 0, '']);
      const token = join(temporaryDirectory(), 'token');
      writeFileSync(token, minted.stdout);
      // The flag is stronger here as well.
      const listed = withEnv({ FANFARE_TOKEN: 'none' }, 'topics', '--url', url, '--token-file', token);
      expect([flags, (await outcome(listed)).code]).toEqual([flags, 0]);
    }
  });

  it('fanfare token warns when other users can read the file of the key, as the server does, and not when it is public', async () => {
    const directory = temporaryDirectory();
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const write = (name: string, text: string | Buffer, mode: number): string => {
      const path = join(directory, name);
      writeFileSync(path, text);
      chmodSync(path, mode);
      return path;
    };
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    const warning = (path: string): string =>
      `Other users of this machine can read the key file '${path}': run \`chmod 600 '${path}'\`.`;
    for (const mode of [0o644, 0o640, 0o604, 0o600, 0o400]) {
      const isExposed = (mode & 0o077) !== 0;
      const [secret, signer] = [write(`${mode}`, key, mode), write(`${mode}.pem`, pem, mode)];
      if (mode === 0o644 || mode === 0o600) {
        const { code, stderr } = await outcome(fanfare('token', 'mint', 'ann', '--key-file', signer));
        expect([mode, code, stderr]).toEqual([mode, 0, isExposed ? `${warning(signer)}\n` : '']);
      }
      const logged: string[] = [];
      const log = (_fields: object, message: string): void => void logged.push(message);
      const start = async (keyFile: string): Promise<unknown> =>
        startServer(0, { keyFile, logger: { warn: log, error: log } });
      await start(secret);
      await start(write(`${mode}.public`, publicKey.export({ type: 'spki', format: 'pem' }), mode));
      expect([mode, logged]).toEqual([mode, isExposed ? [warning(secret)] : []]);
    }
  });

  it('fanfare token signs with a private key, which a server verifies with the public one', async () => {
    const directory = temporaryDirectory();
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const [file, keyFile] = [join(directory, 'private.pem'), join(directory, 'public.pem')];
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    writeFileSync(keyFile, publicKey.export({ type: 'spki', format: 'pem' }));
    const { url } = await startServer(0, { keyFile });
    const { stdout: token } = await outcome(fanfare('token', 'mint', 'ann', '--key-file', file));
    expect((await outcome(fanfare('topics', '--url', url, '--token', token.trim()))).code).toBe(0);
    expect((await outcome(fanfare('topics', '--url', url))).code).toBe(1);
  });

  it('fanfare token refuses what a server would', async () => {
    for (const args of [
      ['mint', 'ann'],
      ['mint', 'ann', '--key', 'short'],
      ['mint', 'ann', '--key', key, '--key-algorithm', 'HS512'],
      ['mint', 'ann', '--key', key, '--key-algorithm', 'none'],
      ['mint', 'ann', '--key', 'short', '--key-algorithm', 'RS256'],
      ['mint', 'ann', '--key', key, '--publish', '$x'],
      ['mint', 'ann', '--key', key, '--expires', 'soon'],
      ['mint', 'ann', '--key-file', '/there/is/none'],
      ['mint', '', '--key', key],
    ]) {
      const { code, stderr } = await outcome(fanfare('token', ...args));
      expect([args, code]).toEqual([args, 2]);
      expect(stderr).not.toContain(key);
    }
  });
});

describe('with a token', () => {
  it('sub, pub, topics and history do what their token allows', async () => {
    const { url } = await startServer(0, { key });
    const token = await mint('ann', '--publish', 'mine/**', '--subscribe', 'mine/**');
    const file = join(temporaryDirectory(), 'token');
    writeFileSync(file, `${token}\n`);
    const sub = fanfare('sub', 'mine/*', '--json', '--count', '1', '--url', url, '--token', token);
    await sub.says('Subscribed', 'stderr');
    expect(
      await outcome(withEnv({ FANFARE_TOKEN: token }, 'pub', 'mine/a', 'hi', '--create', '--url', url)),
    ).toMatchObject({ code: 0 });
    expect(JSON.parse((await outcome(sub)).stdout)).toMatchObject({ topic: 'mine/a', message: 'hi' });
    expect(
      (await outcome(withEnv({ FANFARE_TOKEN_FILE: file }, 'history', 'mine/**', '--url', url))).stdout,
    ).toMatch(/hi\n$/);
    expect((await outcome(fanfare('topics', '--token-file', file, '--url', url))).stdout).toMatch(
      /^mine\/a\t/,
    );
    const refused = await outcome(fanfare('sub', 'theirs', '--url', url, '--token', token));
    expect([refused.code, refused.stderr]).toEqual([
      1,
      "Failed to subscribe to topic 'theirs': You may not read 'theirs'.\n",
    ]);
    expect((await outcome(fanfare('pub', 'theirs', 'x', '--url', url, '--token', token))).stderr).toMatch(
      /You may not publish to 'theirs'/,
    );
    expect((await outcome(fanfare('topics', 'delete', 'mine/a', '--url', url, '--token', token))).code).toBe(
      1,
    );
  });

  it('each command says so when its token is missing or wrong, and the token is in no output', async () => {
    const { url } = await startServer(0, { key });
    for (const [args, token] of [
      [['sub', 'a'], undefined],
      [['sub', 'a'], 'canary'],
      [['pub', 'a', 'x'], 'canary'],
      [['topics'], 'canary'],
      [['history', 'a'], 'canary'],
    ] as const) {
      const { code, stdout, stderr } = await outcome(
        fanfare(...args, '--url', url, ...(token ? ['--token', token] : [])),
      );
      expect([args, code]).toEqual([args, 1]);
      expect(stderr).toMatch(token ? /The token is not valid/ : /The server needs a token/);
      expect(stdout + stderr).not.toContain('canary');
    }
  });

  it('each command says so when the server has no key for its token yet', async () => {
    const logged: string[] = [];
    const log = (_fields: object, message: string): void => void logged.push(message);
    const logger = { warn: log, error: log };
    const { url } = await startServer(0, { jwksUrl: 'http://127.0.0.1:1/keys', logger });
    const token = await mint('ann');
    for (const args of [['sub', 'a'], ['pub', 'a', 'x'], ['topics'], ['history', 'a']] as const) {
      const { code, stderr } = await outcome(fanfare(...args, '--url', url, '--token', token));
      expect([args, code]).toEqual([args, 1]);
      expect(stderr).toMatch(/: The key for this token cannot be fetched at the moment: retry later\.\n$/);
    }
    expect(logged).toEqual([
      'Cannot read the keys of the url: still using the last ones.',
      'A client was refused. The key for this token cannot be fetched at the moment: retry later.',
    ]);
  });

  it('fanfare serve takes its key from the environment or a file, and tells it to nobody', async () => {
    const file = join(temporaryDirectory(), 'key');
    writeFileSync(file, `${key}\n`, { mode: 0o600 });
    for (const env of [{ FANFARE_KEY: key }, { FANFARE_KEY_FILE: file }]) {
      const serve = withEnv(env, 'serve', '--port', '0', '--memory', '--host', '0.0.0.0');
      await serve.says(/Messages:.*\nTokens: {5}required from every client .*\n/);
      const url = /http:\S+/.exec(serve.stdout)?.[0] ?? '';
      expect((await outcome(fanfare('topics', '--url', url))).code).toBe(1);
      expect((await outcome(fanfare('topics', '--url', url, '--token', await mint('ann')))).code).toBe(0);
      serve.process.kill('SIGTERM');
      expect((await outcome(serve)).code).toBe(0);
      expect(serve.stdout + serve.stderr).not.toContain(key);
    }
    const wrong = await outcome(withEnv({ FANFARE_KEY: 'canary' }, 'serve', '--port', '0', '--memory'));
    expect([wrong.code, wrong.stderr.includes('at least 32 bytes'), wrong.stderr.includes('canary')]).toEqual(
      [2, true, false],
    );
  });
});
