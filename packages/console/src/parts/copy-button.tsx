import { useEffect, useState } from 'react';

interface Props {
  readonly text: string;
  readonly label: string;
}

const saidMs = 2_000;

export function CopyButton({ text, label }: Props) {
  const [outcome, setOutcome] = useState<'copied' | 'failed'>();
  useEffect(() => {
    if (outcome === undefined) return undefined;
    const timer = setTimeout(() => setOutcome(undefined), saidMs);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = async (): Promise<void> => {
    try {
      await copyText(text);
      setOutcome('copied');
    } catch {
      setOutcome('failed');
    }
  };
  return (
    <button type="button" className="plain small" aria-label={label} onClick={() => void copy()}>
      <span aria-live="polite">
        {outcome === undefined ? 'Copy' : outcome === 'copied' ? 'Copied' : 'Not copied'}
      </span>
    </button>
  );
}

/** Copies a text. Pages without HTTPS have no `navigator.clipboard`, and need the fallback. */
async function copyText(text: string): Promise<void> {
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard) {
    await clipboard.writeText(text);
    return;
  }
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  // This function is deprecated, but it is the only one that works without HTTPS.
  const isDone = document.execCommand('copy');
  area.remove();
  if (!isDone) throw new Error('the browser did not copy');
}
