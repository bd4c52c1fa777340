import { useState } from 'react';

interface Props {
  readonly value: unknown;
  readonly name?: string | number;
  readonly depth?: number;
}

/** The number of levels that are unfolded at first. */
const openDepth = 2;
const childrenMax = 100;
const charactersMax = 2_000;

/** A JSON value as a tree whose branches can be folded. */
export function JsonView({ value, name, depth = 0 }: Props) {
  if (typeof value === 'object' && value !== null) return <Branch value={value} name={name} depth={depth} />;
  return (
    <div className="json-leaf">
      <Name name={name} />
      <Leaf value={value} />
    </div>
  );
}

function Branch({ value, name, depth }: { value: object; name: string | number | undefined; depth: number }) {
  const [isOpen, setIsOpen] = useState(depth < openDepth);
  const [shownMax, setShownMax] = useState(childrenMax);
  const isArray = Array.isArray(value);
  const entries: readonly (readonly [string | number, unknown])[] = isArray
    ? value.map((one: unknown, at) => [at, one] as const)
    : Object.entries(value);
  const [open, close] = isArray ? ['[', ']'] : ['{', '}'];
  if (entries.length === 0) {
    return (
      <div className="json-leaf">
        <Name name={name} />
        {open}
        {close}
      </div>
    );
  }
  return (
    <details className="json-branch" open={isOpen} onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>
        <Name name={name} />
        {open}
        {!isOpen && (
          <span className="quiet">
            {' '}
            {entries.length} {close}
          </span>
        )}
      </summary>
      {isOpen && (
        <>
          <div className="json-children">
            {entries.slice(0, shownMax).map(([key, one]) => (
              <JsonView key={key} name={key} value={one} depth={depth + 1} />
            ))}
            {entries.length > shownMax && (
              <button
                type="button"
                className="plain small"
                onClick={() => setShownMax(shownMax + 10 * childrenMax)}
              >
                {entries.length - shownMax} more
              </button>
            )}
          </div>
          {close}
        </>
      )}
    </details>
  );
}

function Name({ name }: { readonly name: string | number | undefined }) {
  if (name === undefined) return null;
  return (
    <>
      <span className={typeof name === 'number' ? 'quiet' : 'json-key'}>
        {typeof name === 'number' ? name : JSON.stringify(name)}
      </span>
      {': '}
    </>
  );
}

function Leaf({ value }: { readonly value: unknown }) {
  const [isWhole, setIsWhole] = useState(false);
  const text = JSON.stringify(value);
  const kind = typeof value === 'string' ? 'text' : typeof value === 'number' ? 'number' : 'word';
  if (isWhole || text.length <= charactersMax) return <span className={`json-${kind}`}>{text}</span>;
  return (
    <>
      <span className={`json-${kind}`}>{text.slice(0, charactersMax)}…</span>
      <button type="button" className="plain small" onClick={() => setIsWhole(true)}>
        all {text.length} characters
      </button>
    </>
  );
}
