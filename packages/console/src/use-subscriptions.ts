import type { Subscription } from '@fanfare/client';
import { useCallback, useEffect, useState } from 'react';
import { messageOf } from './api.ts';
import { describeGap } from './gap-text.ts';
import { usePageContext } from './page-context.ts';
import { MessageTail, type TailView } from './message-tail.ts';
import { useTailView } from './use-tail-view.ts';

export interface Subscriptions {
  /** The subscribed topics. */
  readonly topics: readonly string[];
  readonly view: TailView;
  /** Why the server refused the last subscription. */
  readonly refusal: string | undefined;
  readonly subscribe: (topic: string) => Promise<void>;
  readonly unsubscribe: (topic: string) => void;
}

/** A changing set of subscriptions, and one list of their messages. */
export function useSubscriptions(rowsMax: number): Subscriptions {
  const { fanfare } = usePageContext();
  const [tail] = useState(() => new MessageTail(rowsMax));
  const [open] = useState(() => new Map<string, Subscription>());
  const [topics, setTopics] = useState<readonly string[]>([]);
  const [refusal, setRefusal] = useState<string>();
  const { view, schedule } = useTailView(tail, false);

  const unsubscribe = useCallback(
    (topic: string) => {
      open.get(topic)?.close();
      open.delete(topic);
      setTopics([...open.keys()]);
    },
    [open],
  );
  const subscribe = async (topic: string): Promise<void> => {
    if (open.has(topic)) return;
    const subscription = fanfare.subscribe(
      topic,
      {
        onGap: (gap) => {
          tail.pushGap(`${topic}: ${describeGap(gap)}`);
          schedule();
        },
        onError: () => unsubscribe(topic),
      },
      (envelope) => {
        tail.push(envelope);
        schedule();
      },
    );
    open.set(topic, subscription);
    try {
      await subscription.ready;
      setRefusal(undefined);
      setTopics([...open.keys()]);
    } catch (error) {
      setRefusal(messageOf(error));
    }
  };
  useEffect(
    () => () => {
      for (const subscription of open.values()) subscription.close();
      open.clear();
    },
    [open],
  );
  return { topics, view, refusal, subscribe, unsubscribe };
}
