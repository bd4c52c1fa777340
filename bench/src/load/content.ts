import { decimalBefore } from '../wire/bytes.ts';

/** A message begins with its sequence number. This is its number of digits. */
export const sequenceDigits = 10;

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Makes different messages of the same length, of characters that no protocol here has to escape. */
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

/** The sequence number of the message that begins at `start`; NaN if there is none. */
export function sequenceAt(bytes: Buffer, start: number): number {
  return start < 0 ? Number.NaN : decimalBefore(bytes, start, start + sequenceDigits);
}
