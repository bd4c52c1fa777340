import { judge, type Verdict } from '../continuity/judge.ts';

/** The numbers of the second publisher begin here. */
export const secondFrom = 1_000_000;

/**
 * Judges the messages of two publishers separately, because their messages have no order between them.
 *
 * @param received - the numbers of the messages of each subscriber, in the order of arrival
 * @param published - how many messages each of the two published
 */
export function judgePublishers(
  received: readonly (readonly number[])[],
  published: readonly [number, number],
): readonly [Verdict, Verdict] {
  const isSecond = (number: number): boolean => number >= secondFrom;
  return [
    judge(
      received.map((numbers) => numbers.filter((number) => !isSecond(number))),
      published[0],
    ),
    judge(
      received.map((numbers) => numbers.filter(isSecond).map((number) => number - secondFrom)),
      published[1],
    ),
  ];
}
