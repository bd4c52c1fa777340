import { resolveSettings, SettingsError, createServer } from '@fanfare/server';
import { describe, expect, it } from 'vitest';
import { startServer } from '../harness.ts';
import { bearer, secret } from './tokens.ts';

const hosts = [
  '127.0.0.1',
  'localhost',
  '::1',
  '127.9.9.9',
  '0.0.0.0',
  '::',
  '192.168.1.7',
  'example.com',
  '127.0.0.1.evil.example',
];
const loopback = new Set(['127.0.0.1', 'localhost', '::1', '127.9.9.9']);
const keys: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'no key': {},
  'an empty key': { key: '', keyFile: '', jwksUrl: '' },
  'a key': { key: secret },
  'a file': { keyFile: '/keys.json' },
  'a URL': { jwksUrl: 'https://id.example/keys' },
};

describe('the address that a server listens on', () => {
  it.each(
    hosts.flatMap((host) =>
      Object.keys(keys).flatMap((key) => [false, true].map((open) => ({ host, key, open }))),
    ),
  )(
    'a server that others can reach needs a key or `open`: $host with $key, open: $open',
    ({ host, key, open }) => {
      const start = (): unknown => resolveSettings({ flags: { host, open, ...keys[key] }, env: {} });
      const isAllowed = loopback.has(host) || open || !['no key', 'an empty key'].includes(key);
      if (isAllowed) expect(start).not.toThrow();
      else expect(start).toThrow(/may read and publish everything/);
    },
  );

  it('a server with a key requires tokens even with `open`', async () => {
    const { url } = await startServer({ host: '0.0.0.0', key: secret, open: true });
    const ask = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${url}/topics`, { headers: { ...headers, connection: 'close' } })).status;
    expect([await ask({}), await ask(await bearer())]).toEqual([401, 200]);
  });
});

describe('a wrong key', () => {
  const canary = 'canary-5b1e';
  it.each([
    [{ key: canary }, /key \(--key\): A secret for HS256 must have at least 32 bytes/],
    [{ key: `{"kty":"oct","k":"${canary}"` }, /key \(--key\): The key begins like JSON/],
    [{ key: `{"kty":"RSA","n":"${canary}","e":"AQAB"}` }, /key \(--key\): The key/],
    [{ key: `-----BEGIN PRIVATE KEY-----\n${canary}` }, /private key/],
    [
      { keyFile: '/there/is/none' },
      /keyFile \(--key-file\) '\/there\/is\/none': The file cannot be read \(ENOENT\)/,
    ],
  ])(
    'a server with a wrong key does not start, and its error does not contain the key: %s',
    async (settings, reason) => {
      const error: unknown = await createServer({ port: 0, ...settings })
        .start()
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(SettingsError);
      expect(String(error)).toMatch(reason);
      expect(String(error)).not.toContain(canary);
    },
  );

  it('a wrong key is reported before the server starts if possible', () => {
    const wrong = (flags: Record<string, unknown>): unknown => {
      try {
        return resolveSettings({ flags, env: {} });
      } catch (error) {
        return (error as Error).message;
      }
    };
    for (const jwksUrl of [
      'http://id.example/keys',
      'ftp://id.example',
      'keys',
      'https://user:canary@id.example/',
    ]) {
      expect(wrong({ jwksUrl })).toMatch(/--jwks-url must be an https URL/);
      expect(wrong({ jwksUrl })).not.toContain('canary');
    }
    expect(wrong({ keyAlgorithm: 'none' })).toMatch(/--key-algorithm must be one of HS256/);
    expect(wrong({ key: 5 })).toBe('--key must be a string.');
  });
});
