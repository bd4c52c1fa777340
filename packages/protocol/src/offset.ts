/** A position in a server's log: after the message of this sequence, in the log of this epoch. */
export interface Offset {
  readonly epoch: string;
  readonly sequence: number;
}

const offset = /^([A-Za-z0-9_-]{1,64})\.(0|[1-9][0-9]{0,15})$/;

/** Undefined when it is no offset. */
export function parseOffset(input: unknown): Offset | undefined {
  const [, epoch, sequence] = (typeof input === 'string' && offset.exec(input)) || [];
  if (epoch === undefined) return undefined;
  return { epoch, sequence: Number(sequence) };
}

/** The form in which clients store an offset and hand it back. */
export function formatOffset({ epoch, sequence }: Offset): string {
  return `${epoch}.${sequence}`;
}
