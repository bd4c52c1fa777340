import type { TopicInfo } from '@fanfare/protocol';

export interface TopicRow extends TopicInfo {
  /** Messages per second since the last poll; undefined at the first. */
  readonly rate?: number;
}

export interface TopicLook {
  readonly rows: readonly TopicRow[];
  /** The time of the poll, in milliseconds. */
  readonly at: number;
  /** Whether the server has more topics than were fetched. */
  readonly isCut: boolean;
}

/**
 * Adds rates since the last poll to topics. The rate of a topic that was deleted and created again starts at
 * 0.
 */
export function withRates(
  topics: readonly TopicInfo[],
  at: number,
  before: TopicLook | undefined,
): readonly TopicRow[] {
  const seconds = before ? (at - before.at) / 1_000 : 0;
  if (!before || seconds <= 0) return topics;
  const earlier = new Map(before.rows.map(({ topic, published }) => [topic, published]));
  return topics.map((topic) => {
    const start = earlier.get(topic.topic);
    if (start === undefined) return topic;
    return { ...topic, rate: Math.max(0, topic.published - start) / seconds };
  });
}
