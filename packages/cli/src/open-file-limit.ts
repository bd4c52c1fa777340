import { readFileSync } from 'node:fs';
import { CommandError, exitCodes } from './exit-codes.ts';

/** With fewer, Node may not even load the server, and says that files are missing. */
const openFilesMin = 256;

/**
 * Sees to it that the server can open files and connections, where the system tells how many: on Linux.
 *
 * @throws CommandError
 */
export function checkOpenFileLimit(): void {
  const limit = limitOfOpenFiles();
  if (limit === undefined || limit >= openFilesMin) return;
  throw new CommandError(
    exitCodes.refused,
    `The server could not start: the limit of ${limit} open files is too low, and each connection counts as one. ` +
      `Raise it to ${openFilesMin} or more (\`ulimit -n\`).`,
  );
}

function limitOfOpenFiles(): number | undefined {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}
