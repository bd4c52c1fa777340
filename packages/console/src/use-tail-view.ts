import { useCallback, useEffect, useRef, useState } from 'react';
import { emptyView, type MessageTail, type TailView } from './message-tail.ts';

export interface RenderedTail {
  readonly view: TailView;
  /** How many rows have come since the painting, while it is paused. */
  readonly waiting: number;
  /** To be called after each row; what came is painted with the next frame. */
  readonly schedule: () => void;
}

/** Paints a tail at most once a frame, however much comes. */
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
