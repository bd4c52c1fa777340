import type { TopicInfo } from '@fanfare/protocol';

export interface TopicRow extends TopicInfo {
  /** Messages a second since the last look; undefined at the first. */
  readonly rate?: number;
}

export interface TopicLook {
  readonly rows: readonly TopicRow[];
  /** When it was, in milliseconds. */
  readonly at: number;
  /** Whether there are more topics than were looked at. */
  readonly isCut: boolean;
}

/** The topics with their rates since the look before. A topic that was made anew begins again. */
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
