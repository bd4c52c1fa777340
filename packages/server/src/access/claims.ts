import { exceedsBytes, FanfareError, fieldsOf, parseInterest, type Interest } from '@fanfare/protocol';
import { fixedLimits } from '../limits/fixed-limits.ts';
import type { Identity } from './identity.ts';

/** The longest subject, in bytes of UTF-8. */
const subjectBytesMax = 255;

const { value: patternsMax } = fixedLimits.tokenPatternsMax;

/** How far the clock of the issuer of tokens may be ahead of ours, in seconds. */
export const skewSeconds = 60;

/** The latest time that is accepted. A later time is a mistake: usually milliseconds instead of seconds. */
const aheadMax = { years: 100, ms: 100 * 365.25 * 86_400_000 } as const;

const controlCharacter = /\p{Cc}/u;

/**
 * Reads the claims of a token whose signature was verified: `sub`, `exp`, `iat` and `fanfare`.
 *
 * @param now - in milliseconds since 1970
 * @param lifetimeMsMax - the maximum lifetime of a token, from `iat` to `exp`; with it, `iat` is required
 * @throws FanfareError `not_authenticated`, `token_expired`
 */
export function parseClaims(input: unknown, now: number, lifetimeMsMax?: number): Identity {
  const claim = fieldsOf(input, 'A token');
  const subject = parseSubject(claim('sub'));
  const { issuedAt, endsAt } = parseTimes(input, now);
  if (endsAt <= now) throw new FanfareError('token_expired', 'The token has expired.');
  if (issuedAt > now + skewSeconds * 1_000) throw refuseToken('It was issued in the future.');
  if (lifetimeMsMax !== undefined) checkLifetime(claim('iat'), endsAt - issuedAt, lifetimeMsMax);
  return { subject, issuedAt, endsAt, ...parseRights(claim('fanfare')) };
}

function checkLifetime(iat: unknown, lifetimeMs: number, lifetimeMsMax: number): void {
  if (iat === undefined)
    throw refuseToken('It has no iat, which this server needs to check its lifetime (`tokenLifetimeMsMax`).');
  if (lifetimeMs <= lifetimeMsMax) return;
  throw refuseToken(
    `It lasts longer than ${lifetimeMsMax} ms from its iat to its exp (\`tokenLifetimeMsMax\`).`,
  );
}

/**
 * Reads the times of a token: `exp`, `iat` and `nbf`.
 *
 * @returns times in milliseconds since 1970
 * @throws FanfareError `not_authenticated` if one of them is not a time
 */
export function parseTimes(
  input: unknown,
  now: number,
): { readonly issuedAt: number; readonly endsAt: number } {
  const claim = fieldsOf(input, 'A token');
  const time = (name: string): number | undefined =>
    claim(name) === undefined ? undefined : parseTime(claim(name), name, now);
  const endsAt = time('exp');
  if (endsAt === undefined) throw refuseToken('It has no exp.');
  time('nbf');
  // A token without `iat` counts as older than all others.
  return { issuedAt: time('iat') ?? 0, endsAt };
}

/** @throws FanfareError `not_authenticated` */
export function parseSubject(input: unknown): string {
  if (input === undefined || input === '') throw refuseToken('It has no sub.');
  if (typeof input !== 'string') throw refuseToken(`Its sub must be a string, not ${kindOf(input)}.`);
  if (exceedsBytes(input, subjectBytesMax) || !input.isWellFormed() || controlCharacter.test(input))
    throw refuseToken(
      `Its sub must be a string of at most ${subjectBytesMax} bytes without control characters.`,
    );
  return input;
}

/** Refuses a token. The reason MUST NOT contain any part of the token. */
export function refuseToken(reason: string): FanfareError {
  return new FanfareError('not_authenticated', `The token is not valid. ${reason}`);
}

function parseTime(input: unknown, name: string, now: number): number {
  if (typeof input !== 'number' || input < 0)
    throw refuseToken(`Its ${name} must be a number: the seconds since 1970.`);
  const ms = Math.floor(input * 1_000);
  if (ms <= now + aheadMax.ms) return ms;
  throw refuseToken(
    `Its ${name} is more than ${aheadMax.years} years ahead: it must be in seconds since 1970, not in milliseconds.`,
  );
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function parseRights(input: unknown): Pick<Identity, 'publish' | 'subscribe' | 'isAdmin'> {
  if (input === undefined) return { publish: [], subscribe: [], isAdmin: false };
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw refuseToken('Its claim fanfare must be an object.');
  const right = fieldsOf(input, 'fanfare');
  const admin = right('admin');
  if (admin !== undefined && typeof admin !== 'boolean')
    throw refuseToken('fanfare.admin must be true or false.');
  return {
    publish: parsePatterns(right('publish'), 'publish'),
    subscribe: parsePatterns(right('subscribe'), 'subscribe'),
    isAdmin: admin === true,
  };
}

function parsePatterns(input: unknown, name: string): readonly Interest[] {
  if (input === undefined) return [];
  if (!Array.isArray(input) || input.length > patternsMax)
    throw refuseToken(`fanfare.${name} must be an array of at most ${patternsMax} topics and patterns.`);
  return input.map((pattern: unknown) => {
    try {
      return parseInterest(pattern);
    } catch {
      throw refuseToken(`fanfare.${name} must contain only topics and patterns.`);
    }
  });
}
