import type { TopicInfo } from '@fanfare/protocol';
import { useCallback } from 'react';
import { usePageContext } from './page-context.ts';
import { withRates, type TopicLook } from './topic-rates.ts';
import { usePoll, type Polled } from './use-poll.ts';

/** Maximum number of listed topics. A search by prefix finds others. */
export const listedMax = 20_000;

const pageMax = 1_000;
const pollMs = 2_500;

/** Polls the topics whose names start with a prefix. */
export function useTopics(prefix: string): Polled<TopicLook> {
  const { api } = usePageContext();
  const ask = useCallback(
    async (before: TopicLook | undefined): Promise<TopicLook> => {
      const at = performance.now();
      const topics: TopicInfo[] = [];
      let cursor: string | undefined;
      do {
        const page = await api.topics({ prefix, cursor, limit: pageMax });
        topics.push(...page.topics);
        cursor = page.cursor;
      } while (cursor !== undefined && topics.length < listedMax);
      return { rows: withRates(topics, at, before), at, isCut: cursor !== undefined };
    },
    [api, prefix],
  );
  return usePoll(ask, pollMs);
}
