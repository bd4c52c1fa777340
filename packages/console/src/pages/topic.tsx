import { isPattern, parseInterest, type TopicDetails } from '@fanfare/protocol';
import { useCallback, useId, useState } from 'react';
import { messageOf } from '../api.ts';
import { HistoryPanel } from '../parts/history-panel.tsx';
import { MessageDetails } from '../parts/message-details.tsx';
import { Notice } from '../parts/notice.tsx';
import { PublishPanel } from '../parts/publish-panel.tsx';
import { RulePanel } from '../parts/rule-panel.tsx';
import { SubscribersPanel } from '../parts/subscribers-panel.tsx';
import { Tabs } from '../parts/tabs.tsx';
import { TailPanel } from '../parts/tail-panel.tsx';
import { TopicHeader } from '../parts/topic-header.tsx';
import { mayPublish } from '../rights.ts';
import { usePageContext } from '../page-context.ts';
import type { MessageRow } from '../message-tail.ts';
import { usePoll } from '../use-poll.ts';

type Tab = 'tail' | 'history' | 'subscribers' | 'rule';

const pollMs = 2_000;

/** A topic; or a pattern, of which there are the messages alone. */
export function TopicPage({ topic }: { readonly topic: string }) {
  const kind = kindOf(topic);
  if (kind === 'pattern') {
    return (
      <>
        <h1>{topic}</h1>
        <p className="quiet">This is a pattern. The page shows the messages of all topics that match it.</p>
        <Panels topic={topic} isPattern info={undefined} />
      </>
    );
  }
  if (kind === 'topic') return <ExistingTopic topic={topic} />;
  return (
    <>
      <h1>{topic}</h1>
      <Notice kind="bad">{kind.problem}</Notice>
    </>
  );
}

function ExistingTopic({ topic }: { readonly topic: string }) {
  const { api } = usePageContext();
  const ask = useCallback((): Promise<TopicDetails> => api.topic(topic), [api, topic]);
  const { data, error, refresh } = usePoll(ask, pollMs);
  if (error?.code === 'topic_not_found') return <MissingTopic topic={topic} onMade={refresh} />;
  return (
    <>
      <TopicHeader topic={topic} info={data} onDeleted={refresh} />
      {error && <Notice kind="bad">{error.message}</Notice>}
      {data && <Panels topic={topic} isPattern={false} info={data} />}
    </>
  );
}

function MissingTopic({ topic, onMade }: { readonly topic: string; readonly onMade: () => void }) {
  const { api, identity } = usePageContext();
  const [error, setError] = useState<string>();
  const make = (): void => {
    api.declare(topic).then(onMade, (thrown: unknown) => setError(messageOf(thrown)));
  };
  return (
    <>
      <h1>{topic}</h1>
      <Notice kind="note">This topic does not exist. It is created when a client subscribes to it.</Notice>
      <div className="row">
        {mayPublish(identity, topic, undefined) && (
          <button type="button" onClick={make}>
            Create topic
          </button>
        )}
        <p className="answer" data-kind="bad" role="status">
          {error}
        </p>
      </div>
    </>
  );
}

interface PanelsProps {
  readonly topic: string;
  readonly isPattern: boolean;
  readonly info: TopicDetails | undefined;
}

function Panels({ topic, isPattern: withTopics, info }: PanelsProps) {
  const { identity } = usePageContext();
  const [tab, setTab] = useState<Tab>('tail');
  const [selected, setSelected] = useState<MessageRow>();
  const id = useId();
  const tabs: readonly { id: Tab; label: string }[] = [
    { id: 'tail', label: 'Live' },
    { id: 'history', label: 'History' },
    ...(info && identity.admin ? [{ id: 'subscribers' as const, label: 'Subscribers' }] : []),
    ...(info ? [{ id: 'rule' as const, label: 'Rule' }] : []),
  ];
  const messages = { topic, withTopics, selected, onSelect: setSelected };
  return (
    <div className="topic-columns">
      <div className="card">
        <Tabs label="Views of the topic" tabs={tabs} chosen={tab} onChoose={setTab} panel={id} />
        <div id={id} role="tabpanel" aria-label={tabs.find((one) => one.id === tab)?.label} className="panel">
          {tab === 'tail' && <TailPanel {...messages} />}
          {tab === 'history' && <HistoryPanel {...messages} />}
          {tab === 'subscribers' && <SubscribersPanel topic={topic} />}
          {tab === 'rule' && info && <RulePanel rule={info.rule} />}
        </div>
      </div>
      <div className="stack">
        <MessageDetails row={selected} />
        {!withTopics && <Publish topic={topic} rule={info?.rule} />}
      </div>
    </div>
  );
}

interface PublishProps {
  readonly topic: string;
  readonly rule: TopicDetails['rule'] | undefined;
}

function Publish({ topic, rule }: PublishProps) {
  const { identity } = usePageContext();
  if (mayPublish(identity, topic, rule)) return <PublishPanel topic={topic} />;
  return <Notice kind="note">Your token does not allow publishing to this topic.</Notice>;
}

function kindOf(name: string): 'topic' | 'pattern' | { readonly problem: string } {
  try {
    return isPattern(parseInterest(name)) ? 'pattern' : 'topic';
  } catch (error) {
    return { problem: messageOf(error) };
  }
}
