import { useState, type FormEvent } from 'react';
import { formatClock } from '../format.ts';
import type { Row } from '../message-tail.ts';
import { useSubscriptions } from '../use-subscriptions.ts';

/** Maximum number of messages on the page. */
const rowsMax = 100;

export function TrySubscribe() {
  const [topic, setTopic] = useState('news');
  const { topics, view, refusal, subscribe, unsubscribe } = useSubscriptions(rowsMax);
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    void subscribe(topic);
  };
  return (
    <section className="card" aria-labelledby="subscribe-title">
      <h2 id="subscribe-title">Subscribe</h2>
      <form id="subscribe" onSubmit={onSubmit}>
        <div className="row">
          <label className="grow">
            Topic
            <input
              name="topic"
              value={topic}
              required
              autoComplete="off"
              spellCheck={false}
              onChange={(event) => setTopic(event.target.value)}
            />
          </label>
          <button>Subscribe</button>
        </div>
      </form>
      <p className="answer" id="subscribe-answer" role="status" data-kind="bad">
        {refusal}
      </p>
      <ul id="subscriptions" className="chips" aria-label="Subscriptions">
        {topics.map((one) => (
          <li key={one}>
            <span>{one}</span>
            <button type="button" aria-label={`Unsubscribe from ${one}`} onClick={() => unsubscribe(one)}>
              ✕
            </button>
          </li>
        ))}
      </ul>
      <h3 id="messages-title">Messages</h3>
      {view.rows.length === 0 && (
        <p className="quiet">No messages yet. Subscribe to a topic here, then publish to it.</p>
      )}
      <ol id="messages" aria-labelledby="messages-title" tabIndex={0}>
        {view.rows.toReversed().map((row) => (
          <li key={row.key}>
            <Line row={row} />
          </li>
        ))}
      </ol>
    </section>
  );
}

function Line({ row }: { readonly row: Row }) {
  if (row.kind === 'gap') return <div className="about">{row.text}</div>;
  return (
    <>
      <div className="about">
        {row.topic} · {formatClock(row.time)}
        {row.publisher !== undefined && ` · ${row.publisher}`}
      </div>
      <pre>{readable(row.text)}</pre>
    </>
  );
}

/** Formats a message: a string unchanged, any other value as indented JSON. */
function readable(json: string): string {
  const message: unknown = JSON.parse(json);
  return typeof message === 'string' ? message : JSON.stringify(message, null, 2);
}
