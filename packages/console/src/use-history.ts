import { useEffect, useRef, useState } from 'react';
import { messageOf } from './api.ts';
import { emptyWindow, openWindow, withNewer, withOlder, type HistoryWindow } from './history-window.ts';
import { usePageContext } from './page-context.ts';

/** Where to start reading. */
export type HistoryStart =
  | { readonly kind: 'newest' }
  | { readonly kind: 'earliest' }
  | { readonly kind: 'time'; readonly time: number }
  | { readonly kind: 'offset'; readonly offset: string };

export interface ShownHistory {
  readonly window: HistoryWindow;
  readonly isLoading: boolean;
  readonly error: string | undefined;
  /** Whether the server no longer has all messages after the requested offset. */
  readonly isIncomplete: boolean;
  readonly loadOlder: () => void;
  readonly loadNewer: () => void;
}

const pageMessages = 200;

/**
 * The kept messages of a topic, loaded page by page.
 *
 * @param canGoBack - whether older messages can be loaded; patterns can only be read towards the newest
 *   message
 */
export function useHistory(topic: string, start: HistoryStart, canGoBack: boolean): ShownHistory {
  const { api } = usePageContext();
  const [window, setWindow] = useState(emptyWindow);
  const [isLoading, setIsLoading] = useState(false);
  const [error, setError] = useState<string>();
  const [isIncomplete, setIsIncomplete] = useState(false);
  const isBusy = useRef(false);

  const load = async (make: () => Promise<HistoryWindow>): Promise<void> => {
    if (isBusy.current) return;
    isBusy.current = true;
    setIsLoading(true);
    try {
      setWindow(await make());
      setError(undefined);
    } catch (thrown) {
      setError(messageOf(thrown));
    }
    isBusy.current = false;
    setIsLoading(false);
  };
  useEffect(() => {
    let isOver = false;
    setWindow(emptyWindow);
    setIsLoading(true);
    setError(undefined);
    api
      .messages(topic, { ...queryOf(start), limit: pageMessages })
      .then(
        (page) => {
          if (isOver) return;
          setIsIncomplete(page.recovered === false);
          setWindow(openWindow(page, start.kind === 'earliest' || !canGoBack));
        },
        (thrown: unknown) => {
          if (!isOver) setError(messageOf(thrown));
        },
      )
      .finally(() => {
        if (!isOver) setIsLoading(false);
      });
    return () => {
      isOver = true;
    };
  }, [api, topic, start, canGoBack]);

  const older = async (): Promise<HistoryWindow> => {
    const before = window.rows[0]?.offset;
    const page = await api.messages(topic, { before, limit: pageMessages });
    return withOlder(window, page);
  };
  const newer = async (): Promise<HistoryWindow> =>
    withNewer(window, await api.messages(topic, { from: window.next, limit: pageMessages }));
  return {
    window,
    isLoading,
    error,
    isIncomplete,
    loadOlder: () => void (window.hasOlder && load(older)),
    loadNewer: () => void load(newer),
  };
}

function queryOf(start: HistoryStart): Readonly<Record<string, string | number>> {
  switch (start.kind) {
    case 'newest':
      return { last: pageMessages };
    case 'earliest':
      return { from: 'earliest' };
    case 'time':
      return { time: start.time };
    case 'offset':
      return { from: start.offset };
  }
}
