import { readFileSync } from 'node:fs';
import { CommandError, exitCodes } from './exit-codes.ts';

/** A key or a token. */
export interface Secret {
  readonly text: string;
  /** The source, for error messages, such as `--token-file ann.token`. */
  readonly source: string;
  /** The path of the file. Absent if the secret is not from a file. */
  readonly path?: string;
}

/**
 * Reads a file that has a key or a token.
 *
 * @param flag - the flag that names the file, such as `--key-file`
 * @throws CommandError if the file cannot be read
 */
export function readSecret(path: string, flag: string): Secret {
  try {
    return { text: readFileSync(path, 'utf8').trim(), source: `${flag} ${path}`, path };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError(exitCodes.usage, `Cannot read ${flag} ${path} (${code}).`);
  }
}
