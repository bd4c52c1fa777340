import type { ConnectionInfo } from '@fanfare/protocol';
import { useCallback } from 'react';
import { usePageContext } from './page-context.ts';
import { usePoll, type Polled } from './use-poll.ts';

export interface Connections {
  readonly rows: readonly ConnectionInfo[];
  /** Whether there are more. */
  readonly isCut: boolean;
}

const listedMax = 5_000;
const pageMax = 1_000;
const pollMs = 2_000;

export function useConnections(): Polled<Connections> {
  const { api } = usePageContext();
  const ask = useCallback(async (): Promise<Connections> => {
    const rows: ConnectionInfo[] = [];
    let cursor: string | undefined;
    do {
      const page = await api.connections({ cursor, limit: pageMax });
      rows.push(...page.connections);
      cursor = page.cursor;
    } while (cursor !== undefined && rows.length < listedMax);
    return { rows, isCut: cursor !== undefined };
  }, [api]);
  return usePoll(ask, pollMs);
}
