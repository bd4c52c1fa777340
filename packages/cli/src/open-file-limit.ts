import { readFileSync } from 'node:fs';
import { CommandError, exitCodes } from './exit-codes.ts';

/** Below this limit, Node may fail to load the server, with an error that names missing files. */
const openFilesMin = 256;

/** Files that Node itself has open, and more while it connects. */
const ownFiles = 64;

/**
 * Checks that the server can open enough files and connections. Only Linux tells the limit.
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

/**
 * Checks that this process can open a number of connections, beside its own files.
 *
 * @throws CommandError
 */
export function checkConnectionLimit(connections: number): void {
  const needed = connections + ownFiles;
  const limit = limitOfOpenFiles();
  if (limit === undefined || limit >= needed) return;
  throw new CommandError(
    exitCodes.usage,
    `The limit of ${limit} open files is too low for ${connections} connections. Raise it to ${needed} or more (\`ulimit -n\`).`,
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
