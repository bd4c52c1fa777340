import { useMemo } from 'react';
import { formatClock, formatTime } from '../format.ts';
import type { MessageRow } from '../message-tail.ts';
import { CopyButton } from './copy-button.tsx';
import { JsonView } from './json-view.tsx';

/** All fields of the selected message. */
export function MessageDetails({ row }: { readonly row: MessageRow | undefined }) {
  const value = useMemo((): unknown => (row ? JSON.parse(row.text) : undefined), [row]);
  return (
    <section className="card" aria-labelledby="message-title">
      <div className="row spread">
        <h2 id="message-title">Message</h2>
        {row && <CopyButton text={row.text} label="Copy the message as JSON" />}
      </div>
      {row ? (
        <>
          <dl className="facts">
            <Fact name="Topic" value={row.topic} />
            <Fact name="Time" value={`${formatTime(row.time).slice(0, 10)} ${formatClock(row.time)}`} />
            <Fact name="Offset" value={row.offset ?? 'none (the topic keeps no messages)'} />
            <Fact name="Id" value={row.id} />
            <Fact name="Publisher" value={row.publisher} />
          </dl>
          <div className="json" key={row.key}>
            <JsonView value={value} />
          </div>
        </>
      ) : (
        <p className="quiet">Select a message in the list to see its details.</p>
      )}
    </section>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string | undefined }) {
  if (value === undefined) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
