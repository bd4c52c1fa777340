import type { ReactNode } from 'react';

interface Props {
  readonly kind: 'good' | 'note' | 'bad';
  readonly children: ReactNode;
}

/** A notice. A screen reader reads it when it appears. */
export function Notice({ kind, children }: Props) {
  return (
    <p className="notice" data-kind={kind} role="status">
      {children}
    </p>
  );
}
