import { FanfareError } from '@fanfare/protocol';
import { explainToken, exposureOf, KeyError, mintToken, type Algorithm } from '@fanfare/server/tokens';
import { CommandError, exitCodes } from './exit-codes.ts';
import { print, say } from './output.ts';
import type { Secret } from './read-secret.ts';

export interface MintFlags {
  readonly subject: string;
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  readonly admin: boolean;
  /** How long the token is valid, in milliseconds. */
  readonly lifetimeMs: number;
  readonly key: Secret | undefined;
  readonly keyAlgorithm: Algorithm | undefined;
  readonly kid: string | undefined;
  readonly audience: string | undefined;
  readonly issuer: string | undefined;
}

/**
 * `fanfare token mint`: prints a token.
 *
 * @throws CommandError if the key is missing or cannot sign, or a claim is wrong
 */
export async function runMint({
  keyAlgorithm,
  kid,
  audience,
  issuer,
  lifetimeMs,
  ...flags
}: MintFlags): Promise<void> {
  const now = Date.now();
  const { key } = flags;
  if (!key)
    throw new CommandError(
      exitCodes.usage,
      'The key to sign with is missing: use --key-file or FANFARE_KEY.',
    );
  const exposure = key.path === undefined ? undefined : exposureOf(key.path);
  if (exposure !== undefined) say(exposure);
  try {
    const token = await mintToken(
      {
        key: key.text,
        ...(keyAlgorithm !== undefined && { algorithm: keyAlgorithm }),
        ...(kid !== undefined && { kid }),
        ...(audience !== undefined && { audience }),
        ...(issuer !== undefined && { issuer }),
        subject: flags.subject,
        endsAt: now + lifetimeMs,
        publish: flags.publish,
        subscribe: flags.subscribe,
        isAdmin: flags.admin,
      },
      now,
    );
    print(token);
  } catch (error) {
    if (error instanceof KeyError)
      throw new CommandError(exitCodes.usage, `Cannot sign with ${key.source}: ${error.message}`);
    if (error instanceof FanfareError) throw new CommandError(exitCodes.usage, error.message);
    throw error;
  }
}

/**
 * `fanfare token explain`: prints the claims of a token, without verifying them.
 *
 * @throws CommandError if the text is not a token
 */
export function runExplain(token: string): void {
  const explained = explainToken(token.trim());
  if (!explained) throw new CommandError(exitCodes.refused, 'This is not a signed JSON Web Token.');
  const { header, claims } = explained;
  const fanfare = (claims['fanfare'] ?? {}) as Readonly<Record<string, unknown>>;
  const { sub, iss, aud, iat, nbf, exp } = claims;
  const lines = [
    ['subject', sub],
    [
      'signed',
      `${header['alg'] as string}${typeof header['kid'] === 'string' ? ` (key ${header['kid']})` : ''}`,
    ],
    ...(iss === undefined ? [] : [['issuer', iss]]),
    ...(aud === undefined ? [] : [['audience', audienceOf(aud)]]),
    ['issued', timeOf(iat)],
    ...(nbf === undefined ? [] : [['valid from', timeOf(nbf)]]),
    ['expires', `${timeOf(exp)}${typeof exp === 'number' && exp * 1_000 <= Date.now() ? ' (expired)' : ''}`],
    ['may publish to', rightsOf(fanfare['publish'], fanfare['admin'])],
    ['may read', rightsOf(fanfare['subscribe'], fanfare['admin'])],
    ['admin', fanfare['admin'] === true ? 'yes' : 'no'],
  ];
  for (const [name, value] of lines) print(`${String(name)}: ${String(value)}`);
  say('The signature was not verified.');
}

function timeOf(seconds: unknown): string {
  if (typeof seconds !== 'number' || Math.abs(seconds) > 8.64e12) return 'not set';
  return new Date(seconds * 1_000).toISOString();
}

/** The audiences of a token. A server accepts the token only if one of them is its `audience`. */
function audienceOf(aud: unknown): string {
  return Array.isArray(aud) ? aud.map(String).join(', ') : String(aud);
}

function rightsOf(patterns: unknown, admin: unknown): string {
  if (admin === true) return 'everything';
  return Array.isArray(patterns) && patterns.length > 0 ? patterns.join(', ') : 'only what rules allow';
}
