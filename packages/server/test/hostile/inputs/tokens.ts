import { createHmac } from 'node:crypto';
import fc, { type Arbitrary } from 'fast-check';
import { secret } from '../../access/tokens.ts';
import { broken, loadedNames, topicName } from './requests.ts';

/** An expiry long after the end of the tests. */
const farAway = 4_000_000_000;

function encode(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

function sign(head: string, claims: string, digest: string): string {
  const signed = `${head}.${claims}`;
  return `${signed}.${createHmac(digest, secret).update(signed).digest('base64url')}`;
}

/** A token with all rights. */
export const masterToken: string = sign(
  encode({ alg: 'HS256' }),
  encode({ sub: 'ann', exp: farAway, fanfare: { publish: ['**'], subscribe: ['**'], admin: true } }),
  'sha256',
);

const usually = (usual: unknown, ...others: readonly unknown[]): Arbitrary<unknown> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );

const head: Arbitrary<object> = fc
  .record(
    {
      alg: usually('HS256', 'none', 'NONE', 'HS512', 'RS256', '__proto__', '', null, 7, ['HS256']),
      typ: usually('JWT', 'none', 7),
      kid: fc.oneof(fc.constantFrom(...loadedNames), fc.anything()),
      jku: fc.constantFrom('http://127.0.0.1:1/', 'file:///etc/passwd', 7),
      jwk: fc.constant({ kty: 'oct', k: '' }),
      x5u: fc.constant('http://127.0.0.1:1/'),
      crit: fc.constantFrom(['exp'], ['b64'], 7, ['__proto__']),
      b64: fc.boolean(),
      zip: fc.constant('DEF'),
    },
    { requiredKeys: ['alg'] },
  )
  .chain((all) =>
    // Most tokens have only correct claims; otherwise none would be accepted.
    fc.boolean().map((isPlain) => (isPlain ? { alg: all.alg } : all)),
  );

const patterns: Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: fc.array(topicName, { maxLength: 5 }) },
  { weight: 2, arbitrary: fc.constant(['**']) },
  { weight: 1, arbitrary: fc.constantFrom(7, null, '**', [7], Array(101).fill('a'), [['a']], { length: 3 }) },
);

const claims: Arbitrary<object> = fc.record(
  {
    sub: fc.oneof(fc.constant('ann'), topicName, fc.anything()),
    exp: usually(farAway, 0, -1, 1e300, '9', null, farAway + 0.5),
    iat: usually(0, farAway, -1, 'now', {}),
    nbf: usually(0, farAway, 'now'),
    aud: fc.constantFrom('a', ['a'], 7, {}),
    fanfare: fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record(
          { publish: patterns, subscribe: patterns, admin: usually(false, true, 1) },
          { requiredKeys: [] },
        ),
      },
      { weight: 1, arbitrary: fc.anything() },
    ),
    ['__proto__']: fc.constant({ x: 1 }),
  },
  { requiredKeys: ['exp', 'sub'] },
);

const signed: Arbitrary<string> = fc
  .tuple(
    head.map(encode),
    fc.oneof(
      { weight: 8, arbitrary: claims.map((one) => encode(stringify(one))) },
      { weight: 1, arbitrary: broken(claims.map(stringify)).map(encode) },
      { weight: 1, arbitrary: fc.json().map(encode) },
    ),
    fc.constantFrom('sha256', 'sha256', 'sha256', 'sha512'),
  )
  .map(([first, second, digest]) => sign(first, second, digest));

function stringify(value: unknown): string {
  // `__proto__` as an own member, which an object literal cannot create.
  return (
    JSON.stringify(value, (_name, part: unknown) => (typeof part === 'bigint' ? Number(part) : part)) ?? ''
  );
}

/** Valid tokens, almost valid ones, and texts that are not tokens. */
export const token: Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(masterToken) },
  { weight: 6, arbitrary: signed },
  { weight: 2, arbitrary: broken(signed) },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.constantFrom('', '.', '..', '...', 'a.b.c', 'e30.e30.', `${masterToken}.`, masterToken.repeat(60)),
      fc.integer({ min: 1, max: 9_000 }).map((length) => 'a'.repeat(length)),
    ),
  },
);
