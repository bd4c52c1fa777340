import { useState, type FormEvent } from 'react';
import { messageOf, type Answer } from '../api.ts';
import { messageJson, publishBody, type MessageKind } from '../publish-body.ts';
import { usePageContext } from '../page-context.ts';

/** A form that publishes to the topic, and shows the response of the server. */
export function PublishPanel({ topic }: { readonly topic: string }) {
  const { api } = usePageContext();
  const [text, setText] = useState('{"hello": "world"}');
  const [id, setId] = useState('');
  const [kind, setKind] = useState<MessageKind>('json');
  const [answer, setAnswer] = useState<Answer | string>();
  const message = messageJson(text, kind);
  const problem = message === undefined ? jsonProblem(text) : undefined;
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    if (message === undefined) return;
    api
      .publish(publishBody(topic, message, id), 'application/json')
      .then(setAnswer, (error: unknown) => setAnswer(messageOf(error)));
  };
  return (
    <section className="card" aria-labelledby="publish-here">
      <h2 id="publish-here">Publish</h2>
      <form onSubmit={onSubmit}>
        <label>
          Message
          <textarea
            rows={5}
            value={text}
            spellCheck={false}
            aria-invalid={problem !== undefined}
            aria-describedby="publish-problem"
            onChange={(event) => setText(event.target.value)}
          />
        </label>
        <p id="publish-problem" className="answer" data-kind="bad" role="status">
          {problem}
        </p>
        <div className="row">
          <label className="inline">
            Type
            <select
              value={kind}
              onChange={(event) => setKind(event.target.value === 'text' ? 'text' : 'json')}
            >
              <option value="json">JSON</option>
              <option value="text">text</option>
            </select>
          </label>
          <label className="inline grow">
            Id
            <input
              value={id}
              spellCheck={false}
              autoComplete="off"
              placeholder="optional idempotency key"
              onChange={(event) => setId(event.target.value)}
            />
          </label>
          <button disabled={problem !== undefined}>Publish</button>
        </div>
      </form>
      <div role="status" aria-label="Response">
        {answer !== undefined && <AnswerView answer={answer} />}
      </div>
    </section>
  );
}

function AnswerView({ answer }: { readonly answer: Answer | string }) {
  if (typeof answer === 'string') return <p data-kind="bad">{answer}</p>;
  return (
    <>
      <p data-kind={answer.ok ? 'good' : 'bad'}>HTTP {answer.status}</p>
      <pre className="exact">{indented(answer.text)}</pre>
    </>
  );
}

function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** The error of the JSON parser, which names the place. Empty for valid JSON. */
function jsonProblem(text: string): string {
  try {
    JSON.parse(text);
    return '';
  } catch (error) {
    return `This is not JSON: ${messageOf(error)}`;
  }
}
