import { useEffect, useId, useRef, useState, type ReactNode } from 'react';
import { messageOf } from '../api.ts';

interface Props {
  readonly title: string;
  readonly children: ReactNode;
  /** The label of the button that confirms. */
  readonly action: string;
  readonly onConfirm: () => Promise<void>;
  readonly onClose: () => void;
}

/** Asks for confirmation before an action that cannot be undone. Escape and Cancel do nothing. */
export function ConfirmDialog({ title, children, action, onConfirm, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const [error, setError] = useState<string>();
  useEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  const confirm = (): void => {
    onConfirm().then(onClose, (thrown: unknown) => setError(messageOf(thrown)));
  };
  return (
    <dialog ref={dialog} aria-labelledby={id} onCancel={onClose}>
      <h2 id={id}>{title}</h2>
      <p>{children}</p>
      <p className="answer" data-kind="bad" role="status">
        {error}
      </p>
      <div className="row end">
        <button type="button" className="plain" onClick={onClose}>
          Cancel
        </button>
        <button type="button" className="bad" onClick={confirm}>
          {action}
        </button>
      </div>
    </dialog>
  );
}
