import { createHmac } from 'node:crypto';

/** The secret of a server that asks for tokens. */
export const benchKey = 'what the benchmark signs its tokens with';

/** One that is signed with it. It may publish and read every topic, and is no admin's. */
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
