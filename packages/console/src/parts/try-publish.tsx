import { useState, type FormEvent } from 'react';
import { errorOf, messageOf } from '../api.ts';
import { publishBody, type MessageKind } from '../publish-body.ts';
import { usePageContext } from '../page-context.ts';

interface Props {
  readonly topic: string;
  readonly onTopic: (topic: string) => void;
  readonly text: string;
  readonly onText: (text: string) => void;
  readonly kind: MessageKind;
  readonly onKind: (kind: MessageKind) => void;
  /** The message as JSON text; undefined if the text is not JSON. */
  readonly message: string | undefined;
}

interface PublishOutcome {
  readonly kind: 'good' | 'bad';
  readonly text: string;
}

export function TryPublish({ topic, onTopic, text, onText, kind, onKind, message }: Props) {
  const { api } = usePageContext();
  const [result, setResult] = useState<PublishOutcome>();
  const publish = async (): Promise<PublishOutcome> => {
    if (message === undefined) return { kind: 'bad', text: 'The message is not JSON.' };
    try {
      const answer = await api.publish(
        publishBody(topic, message),
        'text/plain, application/problem+json;q=0.9',
      );
      if (answer.ok) return { kind: 'good', text: answer.text };
      const detail = answer.type.startsWith('text/plain') ? answer.text : errorOf(answer).message;
      const hint = answer.status === 404 ? ': no client has subscribed to it yet' : '';
      return { kind: 'bad', text: `${detail}${hint} (HTTP ${answer.status})` };
    } catch (error) {
      return { kind: 'bad', text: messageOf(error) };
    }
  };
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    void publish().then(setResult);
  };
  return (
    <section className="card" aria-labelledby="publish-title">
      <h2 id="publish-title">Publish</h2>
      <form id="publish" onSubmit={onSubmit}>
        <label>
          Topic
          <input
            name="topic"
            value={topic}
            required
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => onTopic(event.target.value)}
          />
        </label>
        <label>
          Message
          <textarea name="message" rows={4} value={text} onChange={(event) => onText(event.target.value)} />
        </label>
        <div className="row">
          <button>Publish</button>
          <label className="check">
            <input
              type="checkbox"
              checked={kind === 'json'}
              onChange={(event) => onKind(event.target.checked ? 'json' : 'text')}
            />
            Message is JSON
          </label>
        </div>
      </form>
      <p className="answer" id="publish-answer" role="status" data-kind={result?.kind}>
        {result?.text}
      </p>
    </section>
  );
}
