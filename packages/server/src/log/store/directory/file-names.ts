export const dataFile: string = 'log.mdb';
/** LMDB chooses this name. */
export const lockFile: string = `${dataFile}-lock`;
/** Names the owner of the directory. */
export const ownerFile: string = `${dataFile}-owner`;

/** How far the webhooks are. The server replaces it with a temporary file whose name begins the same. */
export const webhooksFile: string = 'webhooks.json';

const socketName = /^owner-[\da-f-]{36}\.sock$/;

export function socketOf(owner: string): string {
  return `owner-${owner}.sock`;
}

export function isSocket(name: string): boolean {
  return socketName.test(name);
}

const snapshotName = /^snapshot-[\da-f-]{36}$/;

/** A directory with a copy of the data, which exists while a tool reads it. */
export function snapshotOf(id: string): string {
  return `snapshot-${id}`;
}

export function isSnapshot(name: string): boolean {
  return snapshotName.test(name);
}

/**
 * Whether a file belongs to a store, even without a data file: a first start was cut off, or the data file
 * was deleted.
 */
export function isStoreFile(name: string): boolean {
  const isNamed = name === lockFile || name.startsWith(ownerFile) || name.startsWith(webhooksFile);
  return isNamed || isSocket(name) || isSnapshot(name);
}
