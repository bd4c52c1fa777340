import { createHmac } from 'node:crypto';

/** The secret of a server that requires tokens. */
export const benchKey = 'what the benchmark signs its tokens with';

/** A token that is signed with the secret. It can publish and read every topic, but is not an admin's. */
export const benchToken: string = sign({
  sub: 'bench',
  exp: 4_102_444_800,
  fanfare: { publish: ['**'], subscribe: ['**'] },
});

function sign(claims: object): string {
  const text = [{ alg: 'HS256' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${text}.${createHmac('sha256', benchKey).update(text).digest('base64url')}`;
}
