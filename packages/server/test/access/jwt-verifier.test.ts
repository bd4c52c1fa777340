import { createHmac, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FanfareError } from '@fanfare/protocol';
import { SignJWT } from 'jose';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startListening } from '../../../../test/waits.ts';
import { KeyError, parseKeySet, parseKeys } from '../../src/access/jwt-keys.ts';
import { openVerifier, type KeySettings, type OpenVerifierParts } from '../../src/access/verifier-factory.ts';
import type { TokenVerifier } from '../../src/access/token-verifier.ts';
import { unrestrictedIdentity } from '../../src/access/identity.ts';
import { heapBytes } from '../heap.ts';
import { noKeys, secret, tokenFor } from './tokens.ts';

const now = 1_800_000_000_000;
const seconds = now / 1_000;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const smallRsa = generateKeyPairSync('rsa', { modulusLength: 1_024 });
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const ed25519 = generateKeyPairSync('ed25519');
const long = 'x'.repeat(64);
const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
const jwk = (key: KeyObject, more: object): object => ({ ...key.export({ format: 'jwk' }), ...more });
const set = (...keys: readonly object[]): string => JSON.stringify({ keys });

function open(settings: Partial<KeySettings>, parts: Partial<OpenVerifierParts> = {}): TokenVerifier {
  const verifier = openVerifier(
    { ...noKeys, ...settings },
    { now: () => now, monotonicMs: () => 0, onFailure: () => {}, onWarning: () => {}, ...parts },
  );
  if (!verifier) throw new Error('no verifier');
  onTestFinished(() => verifier.close());
  return verifier;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const good = { sub: 'ann', iat: seconds, exp: seconds + 60 };
const signed = (
  key: KeyObject | Uint8Array,
  alg: string,
  claims: object = good,
  header: object = {},
): Promise<string> => new SignJWT({ ...claims }).setProtectedHeader({ alg, ...header }).sign(key);

/** The verdict of the verifier on a token: the subject, or the code of the refusal. */
async function verdict(verifier: TokenVerifier, token: string): Promise<string> {
  try {
    return String((await verifier.verify(token)).subject);
  } catch (error) {
    return error instanceof FanfareError ? error.code : `not coded: ${String(error)}`;
  }
}

describe('a valid token', () => {
  it.each([
    ['HS256', long, bytes(long)],
    ['HS384', long, bytes(long)],
    ['HS512', long, bytes(long)],
    ['RS256', pem(rsa.publicKey), rsa.privateKey],
    ['PS256', pem(rsa.publicKey), rsa.privateKey],
    ['ES256', pem(p256.publicKey), p256.privateKey],
    ['EdDSA', pem(ed25519.publicKey), ed25519.privateKey],
  ] as const)(
    'a token that is signed with %s is accepted, and with any other algorithm it is refused',
    async (alg, key, signer) => {
      const verifier = open({ key, keyAlgorithm: alg });
      expect(await verdict(verifier, await signed(signer, alg))).toBe('ann');
      for (const other of ['HS256', 'HS384', 'HS512', 'RS256', 'PS256', 'RS512', 'ES256', 'EdDSA', 'PS512']) {
        const token = await signed(signer, other).catch(() => undefined);
        if (other !== alg && token !== undefined)
          expect([other, await verdict(verifier, token)]).toEqual([other, 'not_authenticated']);
      }
    },
  );

  it('a verified token gives the rights in its claims, and is cached until it expires', async () => {
    let time = now;
    const verifier = open({ key: long }, { now: () => time });
    const fanfare = { publish: ['a/*'], subscribe: ['**'], admin: true };
    const token = await signed(bytes(long), 'HS256', { ...good, fanfare });
    expect(verifier.known(token)).toBeUndefined();
    const identity = await verifier.verify(token);
    expect(identity).toEqual({
      subject: 'ann',
      issuedAt: now,
      endsAt: now + 60_000,
      publish: ['a/*'],
      subscribe: ['**'],
      isAdmin: true,
    });
    expect(verifier.known(token)).toBe(identity);
    time = now + 60_000;
    expect(verifier.known(token)).toBeUndefined();
    expect(await verdict(verifier, token)).toBe('token_expired');
  });

  it('the cache of verified tokens is bounded', async () => {
    const verifier = open({ key: long });
    const tokens = await Promise.all(
      Array.from({ length: 1_001 }, (_, at) => signed(bytes(long), 'HS256', { ...good, sub: `s${at}` })),
    );
    for (const token of tokens) await verifier.verify(token);
    expect(tokens.filter((token) => verifier.known(token) === undefined)).toEqual([tokens[0]]);
  });
});

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token with a valid signature and any content. */
function raw(header: unknown, claims: unknown, key = long): string {
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}

const hs = { alg: 'HS256' };
const withFanfare = (fanfare: unknown): string => raw(hs, { ...good, fanfare });
const fine = raw(hs, good);
const [head = '', body = '', signature = ''] = fine.split('.');

/** A server whose key is the secret `long` refuses each of these tokens. */
const negative: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [
      'none',
      'None',
      'NONE',
      'nOnE',
      '',
      ' HS256',
      'hs256',
      'HS256\0',
      'HS1',
      'HS384',
      'HS512',
      'RS256',
      'RS384',
    ]
      .concat([
        'RS512',
        'PS256',
        'PS384',
        'PS512',
        'ES256',
        'ES256K',
        'ES384',
        'ES512',
        'EdDSA',
        'Ed25519',
        'Ed448',
      ])
      .concat(['dir', 'A256KW', 'RSA-OAEP', '__proto__', 'constructor', 'toString'])
      .map((alg) => [`alg ${JSON.stringify(alg)}`, raw({ alg }, good)]),
  ),
  ...Object.fromEntries(
    [null, 1, true, [], ['HS256'], {}, { toString: 'HS256' }].map((alg) => [
      `alg ${JSON.stringify(alg)}`,
      raw({ alg }, good),
    ]),
  ),
  'no alg': raw({}, good),
  'alg none without a signature': `${encode({ alg: 'none' })}.${encode(good)}.`,
  'no signature': `${head}.${body}.`,
  'no signature and no dot': `${head}.${body}`,
  'half a signature': `${head}.${body}.${signature.slice(0, 20)}`,
  'a longer signature': `${fine}AAAA`,
  'another signature': `${head}.${body}.${randomBytes(32).toString('base64url')}`,
  'a signature of zeros': `${head}.${body}.${Buffer.alloc(32).toString('base64url')}`,
  'the signature of another secret': raw(hs, good, 'y'.repeat(64)),
  'the signature of the empty secret': raw(hs, good, ''),
  'other claims under the signature': `${head}.${encode({ ...good, sub: 'root' })}.${signature}`,
  'another header under the signature': `${encode({ alg: 'HS256', typ: 'x' })}.${body}.${signature}`,
  'four parts': `${fine}.x`,
  'five parts': `${fine}.x.y`,
  'an empty header': `.${body}.${signature}`,
  'empty claims': `${head}..${signature}`,
  nothing: '',
  dots: '..',
  'a text': 'let me in',
  padding: `${fine}=`,
  'base64 that is not base64url': `${head}.${body}.+/+/`,
  'a space before': ` ${fine}`,
  'a line feed behind': `${fine}\n`,
  'NUL in it': `${head}.${body}\0.${signature}`,
  'too long': raw(hs, { ...good, filler: 'x'.repeat(8_192) }),
  'a header that is not JSON': raw('{', good),
  'a header that is an array': raw([], good),
  'a header that is null': raw('null', good),
  'claims that are no JSON': raw(hs, '{'),
  'claims that are an array': raw(hs, [good]),
  'claims that are null': raw(hs, 'null'),
  'claims that are a text': raw(hs, '"ann"'),
  crit: raw({ alg: 'HS256', crit: ['exp'] }, good),
  'crit that is empty': raw({ alg: 'HS256', crit: [] }, good),
  'crit of something unknown': raw({ alg: 'HS256', crit: ['x'], x: 1 }, good),
  'an unencoded payload': raw({ alg: 'HS256', b64: false, crit: ['b64'] }, good),
  jku: raw({ alg: 'HS256', jku: 'https://evil.example/keys' }, good),
  x5u: raw({ alg: 'HS256', x5u: 'https://evil.example/cert' }, good),
  x5c: raw({ alg: 'HS256', x5c: [] }, good),
  jwk: raw({ alg: 'HS256', jwk: { kty: 'oct', k: encode(long) } }, good),
  'a kid that is a number': raw({ alg: 'HS256', kid: 1 }, good),
  'a kid that is null': raw({ alg: 'HS256', kid: null }, good),
  'a kid that is an object': raw({ alg: 'HS256', kid: {} }, good),
  ...Object.fromEntries(
    [undefined, null, '1900000000', true, [seconds + 60], {}].map((exp) => [
      `exp ${JSON.stringify(exp)}`,
      raw(hs, { ...good, exp }),
    ]),
  ),
  'exp that is beyond numbers': raw(hs, `{"sub":"ann","exp":1e400}`),
  'exp that is beyond numbers in milliseconds': raw(hs, `{"sub":"ann","exp":1e308}`),
  'exp that is beyond the calendar': raw(hs, { ...good, exp: 8_640_000_000_001 }),
  'exp in the prototype': raw(hs, `{"sub":"ann","__proto__":{"exp":${seconds + 60}}}`),
  ...Object.fromEntries(
    [undefined, null, '', 1, true, ['ann'], {}, 'a\0b', 'a\nb', 's'.repeat(256)].map((sub) => [
      `sub ${JSON.stringify(sub)?.slice(0, 20)}`,
      raw(hs, { ...good, sub }),
    ]),
  ),
  'a sub of half a surrogate': raw(hs, `{"sub":"\\ud800","exp":${seconds + 60}}`),
  'nbf to come': raw(hs, { ...good, nbf: seconds + 61 }),
  'nbf that is a text': raw(hs, { ...good, nbf: 'now' }),
  'iat to come': raw(hs, { ...good, iat: seconds + 61 }),
  'iat that is a text': raw(hs, { ...good, iat: 'now' }),
  'iat below zero': raw(hs, { ...good, iat: -1 }),
  'exp in milliseconds': raw(hs, { ...good, exp: now + 60_000 }),
  'iat in milliseconds': raw(hs, { ...good, iat: now }),
  'nbf in milliseconds': raw(hs, { ...good, nbf: now }),
  'aud of somebody else': raw(hs, { ...good, aud: 'other' }),
  'aud of many': raw(hs, { ...good, aud: ['a', 'b'] }),
  'aud that is empty': raw(hs, { ...good, aud: '' }),
  ...Object.fromEntries(
    [null, 1, 'x', [], true].map((fanfare) => [`fanfare ${JSON.stringify(fanfare)}`, withFanfare(fanfare)]),
  ),
  ...Object.fromEntries(
    [{ admin: 'true' }, { admin: 1 }, { admin: null }, { publish: '**' }, { publish: {} }, { publish: [1] }]
      .concat([
        { subscribe: [''] },
        { subscribe: ['$x'] },
        { subscribe: ['**/a'] },
        { subscribe: ['a\0'] },
      ] as never[])
      .concat([{ subscribe: [null] }, { publish: Array.from({ length: 101 }, () => 'a') }] as never[])
      .map((fanfare) => [`fanfare ${JSON.stringify(fanfare).slice(0, 60)}`, withFanfare(fanfare)]),
  ),
};

describe('a token that is not valid', () => {
  it.each(Object.entries(negative))('an invalid token is refused: %s', async (_name, token) => {
    const verifier = open({ key: long });
    const error: unknown = await verifier.verify(token).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(FanfareError);
    expect((error as FanfareError).code).toBe('not_authenticated');
    // The error text contains no part of the token.
    for (const part of token.split('.')) if (part.length > 8) expect(String(error)).not.toContain(part);
    expect(verifier.known(token)).toBeUndefined();
  });

  it('the tests have over a hundred invalid tokens, and the verifier accepts a valid one', async () => {
    expect(Object.keys(negative).length).toBeGreaterThan(100);
    expect(await verdict(open({ key: long }), fine)).toBe('ann');
  });

  const century = Math.floor(100 * 365.25 * 86_400);
  it.each([
    ['exp in milliseconds', { exp: now + 60_000 }, /exp is more than 100 years ahead: .*not in milliseconds/],
    ['exp in over 100 years', { exp: seconds + century + 1 }, /exp is more than 100 years ahead/],
    ['iat in milliseconds', { iat: now }, /iat is more than 100 years ahead: .*not in milliseconds/],
    ['nbf in milliseconds', { nbf: now }, /nbf is more than 100 years ahead: .*not in milliseconds/],
    ['exp as a text', { exp: '1900000000' }, /exp must be a number: the seconds since 1970/],
    ['no exp', { exp: undefined }, /has no exp/],
    ['iat to come', { iat: seconds + 61 }, /issued in the future/],
    ['nbf to come', { nbf: seconds + 61 }, /is not valid yet/],
    ['nbf as a text', { nbf: 'now' }, /nbf must be a number/],
    ['no sub', { sub: undefined }, /has no sub/],
    ['a number as sub', { sub: 42 }, /sub must be a string, not a number/],
    ['an array as sub', { sub: ['ann'] }, /sub must be a string, not an array/],
    ['null as sub', { sub: null }, /sub must be a string, not null/],
    ['an aud', { aud: 'other' }, /no `audience`/],
  ] as const)('the refusal of an invalid token names the wrong claim: %s', async (_name, claims, reason) => {
    const verifier = open({ key: long });
    await expect(verifier.verify(raw(hs, { ...good, ...claims }))).rejects.toThrow(reason);
  });

  it('a token can expire in 100 years', async () => {
    const token = raw(hs, { ...good, exp: seconds + century });
    expect(await verdict(open({ key: long }), token)).toBe('ann');
  });

  it('a token from a clock that is a minute ahead is accepted, and does not last longer', async () => {
    const verifier = open({ key: long });
    const ahead = { nbf: seconds + 60, iat: seconds + 60 };
    expect(await verdict(verifier, raw(hs, { ...good, ...ahead, exp: seconds + 1 }))).toBe('ann');
    expect(await verdict(verifier, raw(hs, { ...good, ...ahead, exp: seconds }))).toBe('token_expired');
  });

  it('an expired token is refused as `token_expired`', async () => {
    const verifier = open({ key: long });
    for (const exp of [seconds, seconds - 1, 0, 0.5])
      expect(await verdict(verifier, raw(hs, { ...good, exp }))).toBe('token_expired');
  });

  it('a token that is signed with a public key as a secret is refused', async () => {
    for (const { publicKey } of [rsa, p256, ed25519]) {
      const verifier = open({ key: pem(publicKey) });
      for (const text of [
        pem(publicKey),
        pem(publicKey).trim(),
        JSON.stringify(publicKey.export({ format: 'jwk' })),
      ])
        expect(await verdict(verifier, raw(hs, good, text))).toBe('not_authenticated');
    }
  });

  it('a token is refused if another key of the same kind signed it, or if its signature has another form', async () => {
    const verifier = open({ key: pem(rsa.publicKey) });
    expect(await verdict(verifier, await signed(otherRsa.privateKey, 'RS256'))).toBe('not_authenticated');
    const elliptic = open({ key: pem(p256.publicKey) });
    const text = `${encode({ alg: 'ES256' })}.${encode(good)}`;
    const der = sign('sha256', Buffer.from(text), p256.privateKey).toString('base64url');
    const zero = Buffer.alloc(64).toString('base64url');
    for (const part of [der, zero])
      expect(await verdict(elliptic, `${text}.${part}`)).toBe('not_authenticated');
  });

  it('a token for another audience is refused', async () => {
    const verifier = open({ key: long, audience: 'fanfare' });
    expect(await verdict(verifier, raw(hs, { ...good, aud: 'fanfare' }))).toBe('ann');
    expect(await verdict(verifier, raw(hs, { ...good, aud: ['x', 'fanfare'] }))).toBe('ann');
    for (const aud of [undefined, 'Fanfare', 'fanfare2', [], [['fanfare']], null])
      expect(await verdict(verifier, raw(hs, { ...good, aud }))).toBe('not_authenticated');
  });
});

describe('an issuer', () => {
  it('every token must have exactly the issuer that is set; without that setting any issuer is accepted', async () => {
    const issuer = 'https://id.example/';
    const [named, nameless] = [open({ key: long, issuer }), open({ key: long })];
    expect(await verdict(named, raw(hs, { ...good, iss: issuer }))).toBe('ann');
    for (const iss of [undefined, 'https://id.example', 'https://ID.example/', [issuer], null, 1]) {
      const token = raw(hs, { ...good, iss });
      await expect(named.verify(token)).rejects.toThrow("Its iss is not the server's `issuer`");
      expect(await verdict(nameless, token)).toBe('ann');
    }
  });
});

describe('a key', () => {
  it.each(['other', '', '../../dev/null', '__proto__', 'constructor', 'k'.repeat(300)])(
    'a key without a name verifies tokens with any `kid`: %j',
    async (kid) => {
      const tokens = {
        [long]: raw({ alg: 'HS256', kid }, good),
        [pem(rsa.publicKey)]: await signed(rsa.privateKey, 'RS256', good, { kid }),
        [set(jwk(p256.publicKey, {}), jwk(rsa.publicKey, { kid: 'named' }))]: await signed(
          p256.privateKey,
          'ES256',
          good,
          { kid },
        ),
        [JSON.stringify(jwk(ed25519.publicKey, {}))]: await signed(ed25519.privateKey, 'EdDSA', good, {
          kid,
        }),
      };
      for (const [key, token] of Object.entries(tokens)) {
        expect(await verdict(open({ key }), token)).toBe('ann');
        for (const other of Object.values(tokens))
          if (other !== token) expect(await verdict(open({ key }), other)).toBe('not_authenticated');
      }
    },
  );

  it('a named key verifies only tokens with its `kid`, and a key without a name verifies all others', async () => {
    const verifier = open({ key: set(jwk(rsa.publicKey, { kid: 'a' }), jwk(otherRsa.publicKey, {})) });
    const cases = [
      [rsa, 'a', 'ann'],
      [otherRsa, 'a', 'not_authenticated'],
      [otherRsa, 'b', 'ann'],
      [otherRsa, undefined, 'ann'],
      [rsa, 'b', 'not_authenticated'],
    ] as const;
    for (const [{ privateKey }, kid, expected] of cases) {
      const token = await signed(privateKey, 'RS256', good, kid === undefined ? {} : { kid });
      expect([kid, await verdict(verifier, token)]).toEqual([kid, expected]);
    }
  });

  it('an Ed25519 key verifies tokens with the `alg` Ed25519 (RFC 9864) and with EdDSA', async () => {
    const keys = [
      { key: pem(ed25519.publicKey) },
      { key: pem(ed25519.publicKey), keyAlgorithm: 'EdDSA' as const },
      { key: JSON.stringify(jwk(ed25519.publicKey, { alg: 'Ed25519' })) },
      { key: set(jwk(ed25519.publicKey, { alg: 'EdDSA', kid: 'a' })) },
    ];
    for (const key of keys)
      for (const alg of ['EdDSA', 'Ed25519'])
        expect(await verdict(open(key), await signed(ed25519.privateKey, alg, good, { kid: 'a' }))).toBe(
          'ann',
        );
  });

  it.each([
    ['that is too short', 'short', undefined, /at least 32 bytes/],
    ['that is too short for its algorithm', 'x'.repeat(47), 'HS384', /at least 48 bytes/],
    ['that is empty', ' ', undefined, /empty/],
    [
      'that is private',
      rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      undefined,
      /private key/,
    ],
    [
      'that is private as a JWK',
      JSON.stringify(p256.privateKey.export({ format: 'jwk' })),
      undefined,
      /private key/,
    ],
    ['of 1,024 bits', pem(smallRsa.publicKey), undefined, /must be a secret, RSA/],
    ['of another curve', pem(p384.publicKey), undefined, /must be a secret, RSA/],
    ['for another algorithm', pem(rsa.publicKey), 'ES256', /cannot be used for ES256/],
    ['that is a secret for RS256', long, 'RS256', /cannot be used for RS256/],
    ['that is not JSON', '{"kty":', undefined, /is not valid JSON/],
    [
      'that is not PEM',
      '-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----',
      undefined,
      /cannot be read/,
    ],
    ['set that is empty', '{"keys":[]}', undefined, /has no key/],
    ['of an unknown alg', JSON.stringify(jwk(rsa.publicKey, { alg: 'RS1' })), undefined, /alg of a key/],
  ] as const)('a key %s is refused', (_name, text, algorithm, reason) => {
    expect(() => parseKeys(text, algorithm)).toThrow(KeyError);
    expect(() => parseKeys(text, algorithm)).toThrow(reason);
  });

  it('a key is found by its `kid`, and used only for its algorithm', async () => {
    const key = set(
      jwk(rsa.publicKey, { kid: 'a', alg: 'RS256' }),
      jwk(rsa.publicKey, { kid: 'b', alg: 'PS256' }),
      jwk(p256.publicKey, { kid: 'c' }),
      jwk(otherRsa.publicKey, { kid: 'e', use: 'enc' }),
      jwk(p384.publicKey, { kid: 'f' }),
      { kty: 'oct', k: encode(long), kid: '__proto__' },
    );
    const verifier = open({ key });
    const cases = [
      [rsa.privateKey, 'RS256', 'a', 'ann'],
      [rsa.privateKey, 'PS256', 'a', 'not_authenticated'],
      [rsa.privateKey, 'PS256', 'b', 'ann'],
      [p256.privateKey, 'ES256', 'c', 'ann'],
      [p256.privateKey, 'ES256', 'a', 'not_authenticated'],
      [otherRsa.privateKey, 'RS256', 'e', 'not_authenticated'],
      [bytes(long), 'HS256', '__proto__', 'ann'],
    ] as const;
    for (const [signer, alg, kid, expected] of cases)
      expect([alg, kid, await verdict(verifier, await signed(signer, alg, good, { kid }))]).toEqual([
        alg,
        kid,
        expected,
      ]);
    expect(await verdict(verifier, await signed(rsa.privateKey, 'RS256'))).toBe('not_authenticated');
  });

  it.each([
    ['of an unknown kind', { kty: 'AKP', kid: 'x', pub: 'AAAA' }, /cannot be read/],
    ['without a kind', { kid: 'x' }, /cannot be read/],
    ['of 1,024 bits', jwk(smallRsa.publicKey, { alg: 'RS256' }), /cannot be used for RS256/],
    ['that lacks a part', { kty: 'RSA', e: 'AQAB' }, /cannot be read/],
    ['that is on no curve', { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA' }, /cannot be read/],
    ['whose kid is a number', jwk(otherRsa.publicKey, { kid: 1 }), /kid of a key/],
    ['that is private', jwk(p256.privateKey, { kid: 'x' }), /private key/],
    ['that is too short', { kty: 'oct', k: 'AAAA' }, /at least 32 bytes/],
    ['that is null', null, /must be an object/],
  ] as const)(
    'an unusable key of a URL does not disable the other keys, and in a file it is an error: a key %s',
    (_name, key, why) => {
      const usable = jwk(rsa.publicKey, { kid: 'good', alg: 'RS256', use: 'sig', x5c: ['MIIC'], x5t: 'x' });
      const keys = [key, usable, key];
      expect(parseKeySet({ keys })).toMatchObject([{ kid: 'good', algorithm: 'RS256' }]);
      expect(() => parseKeySet({ keys: [key] })).toThrow(why);
      expect(() => parseKeys(JSON.stringify({ keys }))).toThrow(why);
    },
  );

  it('keys in a file are rotated while the server runs, and a broken file changes nothing', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'fanfare-keys-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const keyFile = join(directory, 'keys.json');
    const write = (text: string): void => {
      writeFileSync(`${keyFile}.new`, text);
      renameSync(`${keyFile}.new`, keyFile);
    };
    write(set(jwk(rsa.publicKey, { kid: 'old' })));
    const verifier = open({ keyFile });
    const old = await signed(rsa.privateKey, 'RS256', good, { kid: 'old' });
    const next = await signed(otherRsa.privateKey, 'RS256', good, { kid: 'new' });
    const becomes = (token: string, expected: string): Promise<void> =>
      vi.waitFor(async () => expect(await verdict(verifier, token)).toBe(expected), { timeout: 30_000 });
    expect([await verdict(verifier, old), await verdict(verifier, next)]).toEqual([
      'ann',
      'not_authenticated',
    ]);
    write(set(jwk(rsa.publicKey, { kid: 'old' }), jwk(otherRsa.publicKey, { kid: 'new' })));
    await becomes(next, 'ann');
    expect(await verdict(verifier, old)).toBe('ann');
    write(set(jwk(otherRsa.publicKey, { kid: 'new' })));
    await becomes(old, 'not_authenticated');
    expect(await verdict(verifier, next)).toBe('ann');
    expect(() => open({ keyFile: join(directory, 'none') })).toThrow(
      `keyFile (--key-file) '${join(directory, 'none')}': The file cannot be read (ENOENT).`,
    );
  });
});

/** A server of keys, until the test ends. */
async function serveKeys(
  answer: () => string,
): Promise<{ readonly jwksUrl: string; readonly asked: () => number }> {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    response.writeHead(200, { connection: 'close' }).end(answer());
  });
  await startListening(server);
  onTestFinished(() => void server.close());
  return { jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`, asked: () => asked };
}

describe('keys from a URL', () => {
  it('symmetric keys from a URL are ignored, and other keys of the same set are used', async () => {
    const oct = { kty: 'oct', k: encode(long), kid: 'secret' };
    const token = raw({ alg: 'HS256', kid: 'secret' }, good);
    for (const text of [JSON.stringify(oct), set(oct), set({ ...oct, kid: undefined })]) {
      const { jwksUrl } = await serveKeys(() => text);
      const failures: string[] = [];
      const verifier = open({ jwksUrl }, { onFailure: ({ message }) => failures.push(message) });
      expect(await verdict(verifier, token)).toBe('keys_unavailable');
      expect(failures).toEqual([
        expect.stringContaining('Symmetric keys (`kty: oct`) of a URL are not used'),
      ]);
    }
    const { jwksUrl } = await serveKeys(() => set(oct, jwk(rsa.publicKey, { kid: 'a' })));
    const warnings: string[] = [];
    const verifier = open({ jwksUrl }, { onWarning: (sentence) => warnings.push(sentence) });
    expect(await verdict(verifier, await signed(rsa.privateKey, 'RS256', good, { kid: 'a' }))).toBe('ann');
    expect(await verdict(verifier, token)).toBe('not_authenticated');
    expect(warnings).toEqual([expect.stringContaining('Symmetric keys')]);
  });

  it('URL keys without a name verify any `kid`, and are fetched again when a signature does not match', async () => {
    let keys = set(jwk(rsa.publicKey, {}));
    const { jwksUrl, asked } = await serveKeys(() => keys);
    let clock = 1_000_000;
    const verifier = open({ jwksUrl }, { monotonicMs: () => clock });
    const tokenOf = (pair: typeof rsa, sub: string, kid: string): Promise<string> =>
      signed(pair.privateKey, 'RS256', { ...good, sub }, { kid });
    for (let at = 0; at < 5; at++)
      expect(await verdict(verifier, await tokenOf(rsa, `${at}`, `kid ${at}`))).toBe(`${at}`);
    expect(await verdict(verifier, await tokenOf(otherRsa, 'new', 'b'))).toBe('not_authenticated');
    expect(asked()).toBe(1);
    keys = set(jwk(otherRsa.publicKey, {}));
    clock += 30_001;
    expect(await verdict(verifier, await tokenOf(otherRsa, 'new', 'b'))).toBe('new');
    expect(await verdict(verifier, await tokenOf(rsa, 'old', 'a'))).toBe('not_authenticated');
    expect(asked()).toBe(2);
  });

  it('URL keys are fetched if a signature does not match the configured key without a name', async () => {
    const { jwksUrl } = await serveKeys(() => set(jwk(otherRsa.publicKey, { kid: 'b' })));
    const verifier = open({ key: pem(rsa.publicKey), jwksUrl });
    expect(await verdict(verifier, await signed(rsa.privateKey, 'RS256', good, { kid: 'x' }))).toBe('ann');
    expect(await verdict(verifier, await signed(otherRsa.privateKey, 'RS256', good, { kid: 'b' }))).toBe(
      'ann',
    );
  });

  it('URL keys are fetched for the first token and again for a new `kid`, and used while the URL fails', async () => {
    let answer: () => { status: number; body: string } = () => ({
      status: 200,
      body: set(jwk(rsa.publicKey, { kid: 'a' })),
    });
    let asked = 0;
    const server = createServer((_request, response) => {
      asked++;
      const { status, body: text } = answer();
      response.writeHead(status, { connection: 'close' }).end(text);
    });
    await startListening(server);
    onTestFinished(() => void server.close());
    let clock = 1_000_000;
    const failures: string[] = [];
    const verifier = open(
      { jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys` },
      { monotonicMs: () => clock, onFailure: ({ message }) => failures.push(message) },
    );
    for (const token of [
      fine.slice(0, 20),
      negative['jku'],
      raw(hs, { ...good, exp: 1 }),
      negative['alg "none"'],
    ])
      await verdict(verifier, token ?? '');
    expect(asked).toBe(0);
    const known = (sub: string): Promise<string> =>
      signed(rsa.privateKey, 'RS256', { ...good, sub }, { kid: 'a' });
    const unknown = (sub: string): Promise<string> =>
      signed(otherRsa.privateKey, 'RS256', { ...good, sub }, { kid: 'b' });
    expect(await verdict(verifier, await known('1'))).toBe('1');
    for (let at = 0; at < 20; at++)
      expect(await verdict(verifier, await unknown(`${at}`))).toBe('not_authenticated');
    expect(asked).toBe(1);
    clock += 30_001;
    answer = () => ({ status: 500, body: '' });
    for (let at = 0; at < 2; at++)
      expect(await verdict(verifier, await unknown('2'))).toBe('keys_unavailable');
    expect(await verdict(verifier, await known('3'))).toBe('3');
    expect(asked).toBe(2);
    clock += 700_000;
    answer = () => ({ status: 200, body: 'x'.repeat(300_000) });
    expect(await verdict(verifier, await known('4'))).toBe('4');
    // The verdict came at once, with the old keys; the fetch continues in the background.
    await vi.waitFor(() => expect(failures).toHaveLength(2), { timeout: 30_000 });
    expect(failures).toEqual([expect.stringContaining('HTTP 500'), expect.stringContaining('more than')]);
    clock += 30_001;
    answer = () => ({ status: 200, body: set(jwk(otherRsa.publicKey, { kid: 'b' })) });
    expect(await verdict(verifier, await unknown('5'))).toBe('5');
    expect(await verdict(verifier, await known('1'))).toBe('not_authenticated');
    // The keys are fetched again even when all clients send a cached token.
    const remembered = await unknown('5');
    clock += 700_000;
    answer = () => ({ status: 200, body: set(jwk(rsa.publicKey, { kid: 'a' })) });
    await vi.waitFor(() => expect(verifier.known(remembered)).toBeUndefined(), { timeout: 30_000 });
  });

  it('a fetch of keys that stalls in the middle of the response is aborted, and tried again', async () => {
    const keys = set(jwk(rsa.publicKey, { kid: 'a' }));
    let answer = (response: ServerResponse): void => void response.write(keys.slice(0, 20));
    const server = createServer((_request, response) => answer(response));
    await startListening(server);
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    let clock = 1_000_000;
    const failures: string[] = [];
    const verifier = open(
      { jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys` },
      { monotonicMs: () => clock, onFailure: ({ message }) => failures.push(message) },
    );
    const token = await signed(rsa.privateKey, 'RS256', good, { kid: 'a' });
    // An abort signal alone does not end the fetch if garbage is collected meanwhile.
    const collecting = setInterval(heapBytes, 100);
    onTestFinished(() => clearInterval(collecting));
    expect(await verdict(verifier, token)).toBe('keys_unavailable');
    expect(failures).toHaveLength(1);
    clock += 30_001;
    answer = (response) => void response.end(keys);
    expect(await verdict(verifier, token)).toBe('ann');
  });
});

it('a test token is valid, and the unrestricted identity needs no token', async () => {
  const verifier = open({ key: secret }, { now: Date.now });
  expect((await verifier.verify(await tokenFor({ sub: 'bob' }))).subject).toBe('bob');
  expect(unrestrictedIdentity.isAdmin).toBe(true);
});
