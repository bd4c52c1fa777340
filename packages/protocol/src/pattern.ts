import { refuseField } from './errors.ts';
import { parseName, type Topic } from './topic.ts';

declare const legalPattern: unique symbol;

/** A legal pattern: a topic in which a whole segment is `*`, or the last is `**`. Only {@link parseInterest} makes one. */
export type Pattern = string & { readonly [legalPattern]: true };

/** What somebody is interested in: one topic, or all that match a pattern. */
export type Interest = Topic | Pattern;

/**
 * Reads a topic or a pattern: a topic's rules, but a whole segment may be `*` (exactly one segment) and the last
 * may be `**` (zero or more).
 *
 * @throws FanfareError with the field `topic`: `bad_request` when it is missing or no string, else
 * `topic_name_invalid`
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
 * Whether a topic is one that a pattern stands for, or the very topic. Takes time in proportion to their length, and makes
 * nothing: it is asked of every topic that there is, for each pattern of a token.
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
    // `**` stands for no segment too.
    if (at === topic.length) return wanted + 3 === interest.length && interest.endsWith('/**');
    if (code !== topic.charCodeAt(at++)) return false;
    isStart = code === slash;
  }
  return at === topic.length;
}

/** Whether every topic that one interest stands for is one that another stands for. Sees not all that is so, but nothing that is not. */
export function covers(wide: Interest, narrow: Interest): boolean {
  return fits(wide, narrow, false);
}

/** Whether there could be a topic that both interests stand for. */
export function overlaps(one: Interest, other: Interest): boolean {
  return fits(one, other, true);
}

/**
 * Takes time in proportion to the length of the shorter, and makes nothing: it is asked of each pattern of a token, for each
 * subscription.
 *
 * @param isMutual - whether what is open in the other may be filled in by this one, too
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
    // `**` stands for no segment too.
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

/** Whether what is left is `**`. */
function isRest(interest: Interest, at: number): boolean {
  return (
    at + 2 === interest.length && interest.charCodeAt(at) === star && interest.charCodeAt(at + 1) === star
  );
}
