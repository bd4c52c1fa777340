import { statSync } from 'node:fs';

/** The permission bits that let the group and all other users read a file. */
const groupReads = 0o040;
const othersRead = 0o004;

/**
 * A warning if other users can read a secret file. Undefined if they cannot, or if this is unknown. A file of
 * another owner that a group can read is a usual way to give a service its key, so that causes no warning.
 */
export function exposureOf(path: string): string | undefined {
  // On Windows, these permissions do not come from the file system.
  const user = process.getuid?.();
  if (user === undefined) return undefined;
  const { mode, uid } = statSync(path);
  if ((mode & (uid === user ? othersRead | groupReads : othersRead)) === 0) return undefined;
  return `Other users of this machine can read the key file '${path}': run \`chmod 600 '${path}'\`.`;
}
