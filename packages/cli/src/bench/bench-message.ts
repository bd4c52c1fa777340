/** The shortest message: its number, when it was due, and two spaces. */
export const messageBytesMin = 32;

const numberDigits = 12;
const dueDigits = 15;

/** What a message of a benchmark carries. */
export interface BenchMessage {
  readonly number: number;
  /** By the clock of `performance.now()`. */
  readonly dueMs: number;
}

/** @param bytes - the length of the text */
export function writeMessage({ number, dueMs }: BenchMessage, bytes: number): string {
  const due = String(Math.round(dueMs * 1_000)).padStart(dueDigits, '0');
  return `${String(number).padStart(numberDigits, '0')} ${due} `.padEnd(bytes, 'abcdefghijklmnopqrstuvwxyz');
}

/** @returns undefined if it is not a message of a benchmark, of this length */
export function readMessage(message: unknown, bytes: number): BenchMessage | undefined {
  if (typeof message !== 'string' || message.length !== bytes) return undefined;
  const [, number, due] = /^(\d{12}) (\d{15}) /.exec(message) ?? [];
  if (number === undefined || due === undefined) return undefined;
  return { number: Number(number), dueMs: Number(due) / 1_000 };
}
