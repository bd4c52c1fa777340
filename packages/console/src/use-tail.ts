import { useEffect, useState } from 'react';
import { messageOf } from './api.ts';
import { describeGap } from './gap-text.ts';
import { usePageContext } from './page-context.ts';
import { MessageTail } from './message-tail.ts';
import { useTailView, type RenderedTail } from './use-tail-view.ts';

export interface LiveTail extends RenderedTail {
  /** Messages that arrived in the last second. */
  readonly rate: number;
  /** Why the subscription has ended. */
  readonly error: string | undefined;
}

/** How many kept messages are shown before the first new one. */
const pastMessages = 50;

const rateMs = 1_000;

/** The newest messages of a topic or pattern, live. */
export function useTail(topic: string, isPaused: boolean): LiveTail {
  const { fanfare } = usePageContext();
  const [tail] = useState(() => new MessageTail());
  const [rate, setRate] = useState(0);
  const [error, setError] = useState<string>();
  const painting = useTailView(tail, isPaused);
  const { schedule } = painting;
  useEffect(() => {
    const subscription = fanfare.subscribe(
      topic,
      {
        from: { last: pastMessages },
        onGap: (gap) => {
          tail.pushGap(describeGap(gap));
          schedule();
        },
        onError: (thrown) => setError(messageOf(thrown)),
      },
      (envelope) => {
        tail.push(envelope);
        schedule();
      },
    );
    return () => subscription.close();
  }, [fanfare, topic, tail, schedule]);
  useEffect(() => {
    let before = { total: tail.total, at: performance.now() };
    const timer = setInterval(() => {
      const now = { total: tail.total, at: performance.now() };
      setRate(((now.total - before.total) * 1_000) / (now.at - before.at));
      before = now;
    }, rateMs);
    return () => clearInterval(timer);
  }, [tail]);
  return { ...painting, rate, error };
}
