import { readFileSync } from 'node:fs';
import { CommandError, exitCodes } from './exit-codes.ts';

/**
 * Reads a file that has a key or a token.
 *
 * @throws CommandError
 */
export function readSecret(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new CommandError(
      exitCodes.usage,
      `${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`,
    );
  }
}
