import { useCallback, useEffect, useRef, useState } from 'react';
import { ApiError } from './api.ts';

export interface Polled<T> {
  readonly data?: T;
  readonly error?: ApiError;
  /** Polls at once. */
  readonly refresh: () => void;
}

const longestMs = 5_000;

/**
 * Polls the server, with a pause after each response, and backs off while requests fail. Failures keep the
 * last data.
 *
 * @param ask - sends the request; with a new function, the old data is dropped
 */
export function usePoll<T>(ask: (before: T | undefined) => Promise<T>, everyMs: number): Polled<T> {
  const [state, setState] = useState<{ ask: typeof ask; data?: T; error?: ApiError }>({ ask });
  const again = useRef<() => void>(() => {});
  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let data: T | undefined;
    let failures = 0;
    const poll = async (): Promise<void> => {
      clearTimeout(timer);
      try {
        data = await ask(data);
        failures = 0;
        if (!isOver) setState({ ask, data });
      } catch (thrown) {
        failures++;
        const error = thrown instanceof ApiError ? thrown : new ApiError(0, 'unknown', String(thrown));
        if (!isOver) setState({ ask, ...(data !== undefined && { data }), error });
      }
      if (!isOver) timer = setTimeout(() => void poll(), Math.min(longestMs, everyMs * 2 ** failures));
    };
    again.current = () => void poll();
    void poll();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [ask, everyMs]);
  const refresh = useCallback(() => again.current(), []);
  return state.ask === ask ? { ...state, refresh } : { refresh };
}
