export const dataFile: string = 'log.mdb';
/** LMDB chooses this name. */
export const lockFile: string = `${dataFile}-lock`;
/** Names the owner of the directory. */
export const ownerFile: string = `${dataFile}-owner`;

const socketName = /^owner-[\da-f-]{36}\.sock$/;

export function socketOf(owner: string): string {
  return `owner-${owner}.sock`;
}

export function isSocket(name: string): boolean {
  return socketName.test(name);
}

/**
 * Whether a file belongs to a store, even without a data file: a first start was cut off, or the data file
 * was deleted.
 */
export function isStoreFile(name: string): boolean {
  return name === lockFile || name.startsWith(ownerFile) || isSocket(name);
}
