import type { TopicDetails } from '@fanfare/protocol';
import { useState } from 'react';
import { formatClock, formatCount, formatTime, plural } from '../format.ts';
import { usePageContext } from '../page-context.ts';
import { ConfirmDialog } from './confirm-dialog.tsx';

interface Props {
  readonly topic: string;
  readonly info: TopicDetails | undefined;
  readonly onDeleted: () => void;
}

export function TopicHeader({ topic, info, onDeleted }: Props) {
  const { api, identity } = usePageContext();
  const [isAsking, setIsAsking] = useState(false);
  const remove = async (): Promise<void> => {
    await api.delete(topic);
    onDeleted();
  };
  return (
    <div className="row spread">
      <div className="title">
        <h1>{topic}</h1>
        {info && (
          <p className="quiet number">
            {plural(info.messages, 'message')} kept · {plural(info.subscribers, 'subscriber')} ·{' '}
            {formatCount(info.published)} published since the server started
            {info.lastTime !== undefined && (
              <span title={formatTime(info.lastTime)}> · last at {formatClock(info.lastTime)}</span>
            )}
          </p>
        )}
      </div>
      {identity.admin && info && (
        <button type="button" className="plain bad" onClick={() => setIsAsking(true)}>
          Delete …
        </button>
      )}
      {isAsking && info && (
        <ConfirmDialog
          title={`Delete ${topic}?`}
          action="Delete"
          onConfirm={remove}
          onClose={() => setIsAsking(false)}
        >
          This permanently deletes the topic and its {plural(info.messages, 'message')}. Subscribers stay
          subscribed.
        </ConfirmDialog>
      )}
    </div>
  );
}
