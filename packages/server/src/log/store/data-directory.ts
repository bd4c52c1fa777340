import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, lstat, mkdir, mkdtemp, open, readdir, rm, statfs, symlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** The directory for the data cannot be used. The message names it, and says what to do. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
}

/** Where the name of a directory's owner is kept, for all who want to have the directory. */
export interface OwnerRegister {
  read(): string | undefined;
  /** Puts one owner in the place of another in one step. Returns false when somebody else was faster. */
  replace(owner: string | undefined, newOwner: string): boolean;
}

/** That a directory is ours. */
export interface Ownership {
  /** Nothing must be written after this is called. */
  release(): Promise<void>;
}

/** How much room there has to be for a new data file. */
const roomBytesMin = 4 * 1024 * 1024;

const socketName = /^owner-[\da-f-]{36}\.sock$/;

/**
 * Makes the directory if need be, for nobody else to read, and sees to it that it can be used: that it is
 * empty, or has the data file.
 *
 * @throws DataDirectoryError
 */
export async function prepareDirectory(directory: string, dataFile: string): Promise<void> {
  let entries: string[];
  try {
    await makeDirectory(directory);
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    entries = await readdir(directory);
    for (const name of [dataFile, `${dataFile}-lock`]) {
      if (entries.includes(name)) await access(join(directory, name), constants.R_OK | constants.W_OK);
    }
  } catch (error) {
    throw new DataDirectoryError(
      `The data directory '${directory}' cannot be used: ${messageOf(error)}. ` +
        'Name a directory that the server may read and write, or may make.',
      { cause: error },
    );
  }
  if (entries.includes(dataFile)) return;
  const foreign = entries.find(
    (name) => name !== 'lost+found' && name !== `${dataFile}-lock` && !socketName.test(name),
  );
  if (foreign !== undefined) {
    throw new DataDirectoryError(
      `The data directory '${directory}' is in use for something else: it has '${foreign}', but no '${dataFile}'. ` +
        'Name a directory that is empty or new.',
    );
  }
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize < roomBytesMin) {
    throw new DataDirectoryError(
      `The data directory '${directory}' has no room: its disk is full. Make room, or name another one.`,
    );
  }
}

/** Node's own recursive `mkdir` never ends where a parent is there and nothing can be made in it, as in `/proc`. */
export async function makeDirectory(directory: string): Promise<void> {
  const make = (): Promise<void> =>
    mkdir(directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  try {
    await make();
  } catch (error) {
    const parent = dirname(directory);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === directory) throw error;
    await makeDirectory(parent);
    await make();
  }
}

/**
 * Takes a directory for this process alone. Its owner listens on a socket in the directory for as long as it lives,
 * and no longer, however it ends: a recorded owner whose socket nobody listens on is gone.
 *
 * @throws DataDirectoryError when another server has the directory
 */
export async function takeDirectory(directory: string, register: OwnerRegister): Promise<Ownership> {
  const name = `owner-${randomUUID()}.sock`;
  const server = await listen(directory, name);
  const release = async (): Promise<void> => {
    await new Promise((closed) => server.close(closed));
    await rm(join(directory, name), { force: true });
  };
  try {
    const owner = `${name} ${process.pid} ${hostname()}`;
    for (;;) {
      const other = register.read();
      if (other !== undefined && (await isListening(directory, other))) throw inUse(directory, other);
      if (register.replace(other, owner)) break;
    }
    await removeDeadSockets(directory, name);
    if (!(await isThere(directory, name))) {
      throw new DataDirectoryError(
        `Another server was started on '${directory}' at the same time. Start again.`,
      );
    }
  } catch (error) {
    await release();
    throw error;
  }
  return { release };
}

/**
 * Makes sure that a power cut leaves the directory, and the files that are in it, as far as the file system can.
 *
 * @throws DataDirectoryError when the disk fails
 */
export async function syncDirectory(directory: string): Promise<void> {
  for (const path of [directory, dirname(resolve(directory))]) {
    try {
      const handle = await open(path);
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      // The one above may be closed to us; Windows and some network file systems have no such thing.
      if ((error as NodeJS.ErrnoException).code !== 'EIO') continue;
      throw new DataDirectoryError(
        `The data directory '${directory}' cannot be written (${messageOf(error)}). See to its disk, or name another one.`,
        { cause: error },
      );
    }
  }
}

function inUse(directory: string, owner: string): DataDirectoryError {
  const [, pid, host] = owner.split(' ');
  return new DataDirectoryError(
    `The data directory '${directory}' is in use by another server (process ${pid} on ${host}). ` +
      'Stop that server first, or give this one a directory of its own.',
  );
}

async function listen(directory: string, name: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  try {
    await withSocketPath(directory, name, async (path) => {
      await new Promise<void>((listening, failed) => {
        server.once('error', failed);
        // In a worker of a cluster, the primary would listen in our place.
        server.listen({ path, exclusive: true }, listening);
      });
    });
  } catch (error) {
    throw new DataDirectoryError(
      `The data directory '${directory}' cannot be taken: ${messageOf(error)}. ` +
        'It has to be on a file system that can hold a Unix socket.',
      { cause: error },
    );
  }
  server.removeAllListeners('error');
  // Whoever asks has its answer once it is connected; that it cannot be accepted changes nothing.
  server.on('error', () => {});
  return server;
}

/** Whether the process that listened there is alive. */
async function isListening(directory: string, owner: string): Promise<boolean> {
  const [name = ''] = owner.split(' ');
  try {
    await withSocketPath(directory, name, async (path) => {
      await new Promise<void>((connected, failed) => {
        const socket = connect(path, () => {
          socket.destroy();
          connected();
        });
        socket.once('error', failed);
      });
    });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK') return false;
    // It is there, but has too many connections waiting.
    if (code === 'EAGAIN') return true;
    // It was closed while it was asked.
    if (code === 'ECONNRESET') return isListening(directory, owner);
    throw new DataDirectoryError(
      `It cannot be told whether the data directory '${directory}' is in use: ${messageOf(error)}. ` +
        'Start the server as the user who owns the directory.',
      { cause: error },
    );
  }
}

async function removeDeadSockets(directory: string, ownName: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!socketName.test(name) || name === ownName) continue;
    // Its name is never listened on again, so that it stays dead.
    if (!(await isListening(directory, name))) await rm(join(directory, name), { force: true });
  }
}

async function isThere(directory: string, name: string): Promise<boolean> {
  if (process.platform === 'win32') return true;
  try {
    await lstat(join(directory, name));
    return true;
  } catch {
    return false;
  }
}

/** The longest path of a socket that every system takes. */
const socketPathBytesMax = 103;

/** Runs with a path by which the socket can be reached, which is another one where the directory's is too long. */
async function withSocketPath(
  directory: string,
  name: string,
  run: (path: string) => Promise<void>,
): Promise<void> {
  if (process.platform === 'win32') return run(`\\\\.\\pipe\\fanfare-${name}`);
  const path = resolve(directory, name);
  if (Buffer.byteLength(path) <= socketPathBytesMax) return run(path);
  const shortcuts = await mkdtemp(join(tmpdir(), 'fanfare-'));
  try {
    await symlink(resolve(directory), join(shortcuts, 'data'));
    await run(join(shortcuts, 'data', name));
  } finally {
    await rm(shortcuts, { recursive: true });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
