import { isatty } from 'node:tty';
import { exitCodes } from './exit-codes.ts';

/**
 * The signal's own way of ending a program would tell a shell 130, but not a program that started this one.
 */
export function interrupt(): never {
  if (isatty(1)) process.stdout.write('\n');
  process.exit(exitCodes.interrupted);
}
