import { useCallback, useEffect, useRef, useState } from 'react';
import { emptyView, type MessageTail, type TailView } from './message-tail.ts';

export interface RenderedTail {
  readonly view: TailView;
  /** How many rows have arrived since the last frame, during a pause. */
  readonly waiting: number;
  /** Must be called after each row. The next frame paints the new rows. */
  readonly schedule: () => void;
}

/** Renders a tail at most once a frame, so that the page stays responsive at any message rate. */
export function useTailView(tail: MessageTail, isPaused: boolean): RenderedTail {
  const [view, setView] = useState(emptyView);
  const [waiting, setWaiting] = useState(0);
  const frame = useRef(0);
  const schedule = useCallback(() => {
    if (frame.current !== 0) return;
    frame.current = requestAnimationFrame(() => {
      frame.current = 0;
      if (!tail.isPaused) setView(tail.paint());
      setWaiting(tail.waiting);
    });
  }, [tail]);
  useEffect(() => {
    tail.isPaused = isPaused;
    schedule();
  }, [tail, isPaused, schedule]);
  useEffect(
    () => () => {
      cancelAnimationFrame(frame.current);
      frame.current = 0;
    },
    [tail],
  );
  return { view, waiting, schedule };
}
