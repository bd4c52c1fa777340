import { refuseField } from './errors.ts';
import { parseName, type Topic } from './topic.ts';

declare const legalPattern: unique symbol;

/**
 * A valid pattern: a topic in which a whole segment is `*`, or the last one is `**`. Only {@link
 * parseInterest} creates it.
 */
export type Pattern = string & { readonly [legalPattern]: true };

/** The topic or pattern of a subscription. */
export type Interest = Topic | Pattern;

/**
 * Parses a topic or a pattern. A pattern follows the rules of topics, but a whole segment can be `*` (exactly
 * one segment), and the last one can be `**` (any number of segments).
 *
 * @throws FanfareError with the field `topic`: `bad_request` if it is missing or not a string, else
 *   `topic_name_invalid`
 */
export function parseInterest(input: unknown): Interest {
  const name = parseName(input);
  if (name.split('/').slice(0, -1).includes('**')) {
    throw refuseField('topic_name_invalid', 'topic', "Only the last segment of a pattern may be '**'.");
  }
  return name as Interest;
}

export function isPattern(interest: Interest): interest is Pattern {
  return /(?:^|\/)\*{1,2}(?:\/|$)/.test(interest);
}

const slash = 0x2f;
const star = 0x2a;

/**
 * Whether a topic equals an interest, or matches it if it is a pattern. Its time is linear in the lengths,
 * and it allocates nothing, because the server calls it for every topic with every pattern of a token.
 */
export function matches(interest: Interest, topic: Topic): boolean {
  let at = 0;
  let isStart = true;
  for (let wanted = 0; wanted < interest.length; wanted++) {
    const code = interest.charCodeAt(wanted);
    if (isStart && code === star) {
      const next = interest.charCodeAt(wanted + 1);
      if (next === star && wanted + 2 === interest.length) return true;
      if (next === slash || wanted + 1 === interest.length) {
        while (at < topic.length && topic.charCodeAt(at) !== slash) at++;
        continue;
      }
    }
    // `**` also matches zero segments.
    if (at === topic.length) return wanted + 3 === interest.length && interest.endsWith('/**');
    if (code !== topic.charCodeAt(at++)) return false;
    isStart = code === slash;
  }
  return at === topic.length;
}

/**
 * Whether `wide` matches every topic that `narrow` matches. It may miss cases, but is never wrong when it
 * says yes.
 */
export function covers(wide: Interest, narrow: Interest): boolean {
  return fits(wide, narrow, false);
}

/** Whether a topic can exist that both interests match. */
export function overlaps(one: Interest, other: Interest): boolean {
  return fits(one, other, true);
}

/**
 * Compares two interests segment by segment. Its time is linear in the shorter length, and it allocates
 * nothing, because the server calls it for each pattern of a token with each subscription.
 *
 * @param isMutual - whether wildcards of `other` match segments of `one`, too
 */
function fits(one: Interest, other: Interest, isMutual: boolean): boolean {
  let at = 0;
  let otherAt = 0;
  for (;;) {
    if (isRest(one, at)) return true;
    if (isRest(other, otherAt)) return isMutual;
    if (isStar(one, at) || (isMutual && isStar(other, otherAt))) {
      at = segmentEnd(one, at);
      otherAt = segmentEnd(other, otherAt);
    } else {
      while (!isSegmentEnd(one, at) && one.charCodeAt(at) === other.charCodeAt(otherAt)) {
        at++;
        otherAt++;
      }
      if (!isSegmentEnd(one, at) || !isSegmentEnd(other, otherAt)) return false;
    }
    // `**` also matches zero segments.
    if (otherAt === other.length) return at === one.length || isRest(one, at + 1);
    if (at === one.length) return isMutual && isRest(other, otherAt + 1);
    at++;
    otherAt++;
  }
}

function isSegmentEnd(interest: Interest, at: number): boolean {
  return at === interest.length || interest.charCodeAt(at) === slash;
}

function segmentEnd(interest: Interest, from: number): number {
  let at = from;
  while (!isSegmentEnd(interest, at)) at++;
  return at;
}

function isStar(interest: Interest, at: number): boolean {
  return interest.charCodeAt(at) === star && isSegmentEnd(interest, at + 1);
}

/** Whether the rest of the interest is `**`. */
function isRest(interest: Interest, at: number): boolean {
  return (
    at + 2 === interest.length && interest.charCodeAt(at) === star && interest.charCodeAt(at + 1) === star
  );
}
