import { useState, type FormEvent } from 'react';
import type { HistoryStart } from '../use-history.ts';

type Kind = HistoryStart['kind'];

const kinds: readonly { readonly kind: Kind; readonly label: string }[] = [
  { kind: 'newest', label: 'the newest messages' },
  { kind: 'earliest', label: 'the earliest messages' },
  { kind: 'time', label: 'a time' },
  { kind: 'offset', label: 'an offset' },
];

/** A form for the place where reading starts. */
export function HistoryStartForm({ onStart }: { readonly onStart: (start: HistoryStart) => void }) {
  const [kind, setKind] = useState<Kind>('newest');
  const [text, setText] = useState('');
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    const start = startOf(kind, text);
    if (start) onStart(start);
  };
  return (
    <form className="row" onSubmit={onSubmit}>
      <label className="inline">
        Start at
        <select value={kind} onChange={(event) => setKind(kindOf(event.target.value))}>
          {kinds.map((one) => (
            <option key={one.kind} value={one.kind}>
              {one.label}
            </option>
          ))}
        </select>
      </label>
      {kind === 'time' && (
        <label className="inline">
          Time
          <input
            type="datetime-local"
            step="1"
            required
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </label>
      )}
      {kind === 'offset' && (
        <label className="inline grow">
          Offset
          <input required value={text} spellCheck={false} onChange={(event) => setText(event.target.value)} />
        </label>
      )}
      <button className="plain">Show</button>
    </form>
  );
}

function kindOf(value: string): Kind {
  return kinds.find(({ kind }) => kind === value)?.kind ?? 'newest';
}

function startOf(kind: Kind, text: string): HistoryStart | undefined {
  switch (kind) {
    case 'newest':
    case 'earliest':
      return { kind };
    case 'time': {
      const time = Date.parse(text);
      return Number.isNaN(time) ? undefined : { kind, time };
    }
    case 'offset':
      return { kind, offset: text.trim() };
  }
}
