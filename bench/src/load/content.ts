import { decimalBefore } from '../wire/bytes.ts';

/** A message begins with its sequence number in so many digits. */
export const sequenceDigits = 10;

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Makes messages of one length, each of them another, of characters that no protocol here has to escape. */
export class Content {
  readonly bytes: number;
  readonly #filler: string;

  /** @param bytes - the length of a message, at least {@link sequenceDigits} */
  constructor(bytes: number) {
    this.bytes = bytes;
    this.#filler = letters.repeat(Math.ceil(bytes / letters.length) + 1);
  }

  message(sequence: number): string {
    const from = sequence % letters.length;
    return (
      String(sequence).padStart(sequenceDigits, '0') +
      this.#filler.slice(from, from + this.bytes - sequenceDigits)
    );
  }
}

/** The sequence number of the message that begins at `start`; NaN when there is none. */
export function sequenceAt(bytes: Buffer, start: number): number {
  return start < 0 ? Number.NaN : decimalBefore(bytes, start, start + sequenceDigits);
}
