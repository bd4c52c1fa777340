import type { Revocation } from '../topic-log.ts';
import { listOf, textOf } from './replies.ts';

/** The times of a revocation as decimal numbers with spaces in between. */
export function encodeTimes({ time, ahead }: Revocation): string {
  return [time, ...ahead].join(' ');
}

/** Decodes the fields of a hash: subjects, and their times. */
export function decodeRevocations(fields: readonly unknown[]): readonly Revocation[] {
  const texts = listOf(fields).map(textOf);
  const revocations: Revocation[] = [];
  for (let at = 0; at + 1 < texts.length; at += 2) {
    const [time = 0, ...ahead] = (texts[at + 1] ?? '').split(' ').map(Number);
    revocations.push({ subject: texts[at] ?? '', time, ahead });
  }
  return revocations;
}
