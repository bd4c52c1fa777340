export const dataFile: string = 'log.mdb';
/** LMDB names it. */
export const lockFile: string = `${dataFile}-lock`;
/** Says who has the directory. */
export const ownerFile: string = `${dataFile}-owner`;

const socketName = /^owner-[\da-f-]{36}\.sock$/;

export function socketOf(owner: string): string {
  return `owner-${owner}.sock`;
}

export function isSocket(name: string): boolean {
  return socketName.test(name);
}

/** Whether a file can be there where no data file is: a first start was cut off, or the data file is gone. */
export function isStoreFile(name: string): boolean {
  return name === lockFile || name.startsWith(ownerFile) || isSocket(name);
}
