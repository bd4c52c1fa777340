/**
 * A position in the log of a server: after the message with this sequence number, in the log of this epoch.
 */
export interface Offset {
  readonly epoch: string;
  readonly sequence: number;
}

const offset = /^([A-Za-z0-9_-]{1,64})\.(0|[1-9][0-9]{0,15})$/;

/** Parses `<epoch>.<sequence>`. Returns undefined if the input is not an offset. */
export function parseOffset(input: unknown): Offset | undefined {
  const [, epoch, sequence] = (typeof input === 'string' && offset.exec(input)) || [];
  if (epoch === undefined) return undefined;
  return { epoch, sequence: Number(sequence) };
}

/** Formats an offset as `<epoch>.<sequence>`, an opaque text for clients. */
export function formatOffset({ epoch, sequence }: Offset): string {
  return `${epoch}.${sequence}`;
}
