import { exceedsBytes, FanfareError, fieldsOf, parseInterest, type Interest } from '@fanfare/protocol';
import { fixedLimits } from '../limits/fixed-limits.ts';
import type { Identity } from './identity.ts';

/** The longest subject, in bytes of UTF-8. */
const subjectBytesMax = 255;

const { value: patternsMax } = fixedLimits.tokenPatternsMax;

/** How far the clock of whoever issues tokens may be before ours, in seconds. */
export const skewSeconds = 60;

/** The last second that there is a date of. */
const secondsMax = 8_640_000_000_000;

const controlCharacter = /\p{Cc}/u;

/**
 * Reads the claims of a token whose signature was verified: `sub`, `exp`, `iat` and `fanfare`.
 *
 * @param now - in milliseconds since 1970
 * @throws FanfareError `not_authenticated`, `token_expired`
 */
export function parseClaims(input: unknown, now: number): Identity {
  const claim = fieldsOf(input, 'A token');
  const subject = parseSubject(claim('sub'));
  const endsAt = parseTime(claim('exp'), 'exp') * 1_000;
  if (endsAt <= now) throw new FanfareError('token_expired', 'The token has ended.');
  const given = claim('iat');
  // Whoever does not say when a token was issued has it count as the oldest of all.
  const issuedAt = given === undefined ? 0 : parseTime(given, 'iat') * 1_000;
  if (issuedAt > now + skewSeconds * 1_000) throw refuseToken('It was issued in the future.');
  return { subject, issuedAt, endsAt, ...parseRights(claim('fanfare')) };
}

/** @throws FanfareError `not_authenticated` */
export function parseSubject(input: unknown): string {
  if (typeof input !== 'string' || input === '') throw refuseToken('It has no sub.');
  if (exceedsBytes(input, subjectBytesMax) || !input.isWellFormed() || controlCharacter.test(input))
    throw refuseToken(`Its sub is no text of at most ${subjectBytesMax} bytes without control characters.`);
  return input;
}

/** One sentence for everything that is wrong with a token; nothing of the token is in it. */
export function refuseToken(reason: string): FanfareError {
  return new FanfareError('not_authenticated', `The token is not valid. ${reason}`);
}

function parseTime(input: unknown, name: string): number {
  if (typeof input === 'number' && input >= 0 && input <= secondsMax) return input;
  throw refuseToken(`Its ${name} is no time.`);
}

function parseRights(input: unknown): Pick<Identity, 'publish' | 'subscribe' | 'isAdmin'> {
  if (input === undefined) return { publish: [], subscribe: [], isAdmin: false };
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw refuseToken('Its claim fanfare is no object.');
  const right = fieldsOf(input, 'fanfare');
  const admin = right('admin');
  if (admin !== undefined && typeof admin !== 'boolean') throw refuseToken('fanfare.admin is not true.');
  return {
    publish: parsePatterns(right('publish'), 'publish'),
    subscribe: parsePatterns(right('subscribe'), 'subscribe'),
    isAdmin: admin === true,
  };
}

function parsePatterns(input: unknown, name: string): readonly Interest[] {
  if (input === undefined) return [];
  if (!Array.isArray(input) || input.length > patternsMax)
    throw refuseToken(`fanfare.${name} is no array of at most ${patternsMax} patterns.`);
  return input.map((pattern: unknown) => {
    try {
      return parseInterest(pattern);
    } catch {
      throw refuseToken(`fanfare.${name} has something that is no topic and no pattern.`);
    }
  });
}
