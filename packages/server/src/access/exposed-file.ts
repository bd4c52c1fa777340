import { statSync } from 'node:fs';

/** Permissions to read a file, of its group and of all others. */
const groupReads = 0o040;
const othersRead = 0o004;

/**
 * Says so when other users can read a file that is to be secret: undefined when they cannot, or nobody can tell. A group that may read a
 * file of another owner is how a service is given its key, and is left alone.
 */
export function exposureOf(path: string): string | undefined {
  // Windows has other permissions than those that Node makes up for it.
  const user = process.getuid?.();
  if (user === undefined) return undefined;
  const { mode, uid } = statSync(path);
  if ((mode & (uid === user ? othersRead | groupReads : othersRead)) === 0) return undefined;
  return `Other users of this machine can read the key file '${path}': run \`chmod 600 '${path}'\`.`;
}
