import { useState } from 'react';
import { Notice } from '../parts/notice.tsx';
import { Snippets } from '../parts/snippets.tsx';
import { TryPublish } from '../parts/try-publish.tsx';
import { TrySubscribe } from '../parts/try-subscribe.tsx';
import { messageJson, type MessageKind } from '../publish-body.ts';
import { usePageContext } from '../page-context.ts';

export function TryItPage() {
  const { base, identity } = usePageContext();
  const [topic, setTopic] = useState('news');
  const [text, setText] = useState('hello');
  const [kind, setKind] = useState<MessageKind>('text');
  const message = messageJson(text, kind);
  return (
    <>
      <div className="title">
        <h1>Try it</h1>
        <p className="quiet">
          Subscribe to a topic on the left, publish to it on the right, and see the message arrive. The first
          subscription creates the topic.
        </p>
      </div>
      {!identity.admin && (
        <Notice kind="note">
          {`Your token can ${namesOf('publish to', identity.publish)}. It can ${namesOf('subscribe to', identity.subscribe)}. The rules of the server may allow more.`}
        </Notice>
      )}
      <div className="columns">
        <TrySubscribe />
        <TryPublish
          topic={topic}
          onTopic={setTopic}
          text={text}
          onText={setText}
          kind={kind}
          onKind={setKind}
          message={message}
        />
      </div>
      <Snippets example={{ base, topic, message: message ?? '"…"', withToken: !identity.open }} />
    </>
  );
}

function namesOf(action: string, patterns: readonly string[]): string {
  return `${action}: ${patterns.length === 0 ? 'nothing' : patterns.join(', ')}`;
}
