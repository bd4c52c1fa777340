import { Buffer } from 'node:buffer';
import { lstat, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DataDirectoryError, giveToOwner, messageOf } from '../directory/data-directory.ts';
import { isSocket, socketOf } from '../directory/file-names.ts';

/** `closed`: the kernel says that no process listens. `absent`: there is no socket. */
export type SocketState = 'listening' | 'closed' | 'absent';

/** The tools that can ask for something at the same time. Further ones are disconnected. */
const connectionsMax = 64;

/**
 * The sockets in a data directory. An owner listens on one until it ends, however it ends. So processes of
 * one machine can see each other, even from different containers.
 */
export class OwnerSockets {
  readonly #directory: string;
  #server: Server | undefined;
  #name = '';

  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * @param onConnection - gets each connection: of a tool, or of a process that only sees that we listen
   * @throws DataDirectoryError if the file system does not support sockets
   */
  async listen(id: string, onConnection: (socket: Socket) => void): Promise<void> {
    this.#name = socketOf(id);
    const server = createServer(onConnection);
    server.maxConnections = connectionsMax;
    server.unref();
    try {
      await withSocketPath(this.#directory, this.#name, async (path) => {
        await new Promise<void>((listening, failed) => {
          server.once('error', failed);
          // In a worker of a cluster, the primary would listen in our place.
          server.listen({ path, exclusive: true }, listening);
        });
      });
    } catch (error) {
      throw new DataDirectoryError(
        `The data directory '${this.#directory}' cannot be locked: ${messageOf(error)}. ` +
          'Its file system must support Unix sockets.',
        { cause: error },
      );
    }
    server.removeAllListeners('error');
    // A client has its answer when it is connected. A failed accept changes nothing.
    server.on('error', () => {});
    this.#server = server;
    await giveToOwner(this.#directory, this.#name);
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    await new Promise((closed) => server.close(closed));
    await rm(join(this.#directory, this.#name), { force: true });
  }

  /**
   * Connects to an owner; undefined if none listens.
   *
   * @throws DataDirectoryError if this cannot be found out
   */
  async connect(): Promise<Socket | undefined> {
    for (const name of await this.#others()) {
      const socket = await this.#connectTo(name);
      if (typeof socket === 'object') return socket;
    }
    return undefined;
  }

  /** @throws DataDirectoryError if this cannot be found out */
  state(id: string): Promise<SocketState> {
    return this.#ask(socketOf(id));
  }

  /** The highest name of another socket with a listener. */
  async anyListening(): Promise<string | undefined> {
    const names = await this.#others();
    for (const name of names.toSorted().toReversed())
      if ((await this.#ask(name)) === 'listening') return name;
    return undefined;
  }

  /** Removes the sockets of owners that are gone. Returns whether our own still exists. */
  async removeClosed(): Promise<boolean> {
    for (const name of await this.#others()) {
      // No process ever listens on its name again, so it stays closed.
      if ((await this.#ask(name)) !== 'listening') await rm(join(this.#directory, name), { force: true });
    }
    if (process.platform === 'win32') return true;
    return lstat(join(this.#directory, this.#name)).then(
      () => true,
      () => false,
    );
  }

  async #others(): Promise<readonly string[]> {
    const names = await readdir(this.#directory);
    return names.filter((name) => isSocket(name) && name !== this.#name);
  }

  async #ask(name: string): Promise<SocketState> {
    const socket = await this.#connectTo(name);
    if (typeof socket === 'string') return socket;
    socket.destroy();
    return 'listening';
  }

  async #connectTo(name: string): Promise<Socket | SocketState> {
    try {
      return await withSocketPath(
        this.#directory,
        name,
        (path) =>
          new Promise<Socket>((connected, failed) => {
            const socket = connect(path, () => {
              socket.off('error', failed);
              connected(socket);
            });
            socket.once('error', failed);
          }),
      );
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ECONNREFUSED') return 'closed';
      // A pipe of Windows is not a file: it exists only while a process listens.
      if (code === 'ENOENT') return process.platform === 'win32' ? 'closed' : 'absent';
      if (code === 'ENOTSOCK') return 'absent';
      // It exists, but its backlog is full.
      if (code === 'EAGAIN') return 'listening';
      // It was closed during the attempt.
      if (code === 'ECONNRESET') return this.#connectTo(name);
      throw new DataDirectoryError(
        `Cannot tell whether the data directory '${this.#directory}' is in use: ${messageOf(error)}. ` +
          'Start the server as the user who owns the directory.',
        { cause: error },
      );
    }
  }
}

/** The longest socket path that all systems accept. */
const socketPathBytesMax = 103;

/**
 * Runs with a path to the socket: a shorter one through a symbolic link if the directory's path is too long.
 */
async function withSocketPath<T>(
  directory: string,
  name: string,
  run: (path: string) => Promise<T>,
): Promise<T> {
  if (process.platform === 'win32') return run(`\\\\.\\pipe\\fanfare-${name}`);
  const path = resolve(directory, name);
  if (Buffer.byteLength(path) <= socketPathBytesMax) return run(path);
  const shortcuts = await mkdtemp(join(tmpdir(), 'fanfare-'));
  try {
    await symlink(resolve(directory), join(shortcuts, 'data'));
    return await run(join(shortcuts, 'data', name));
  } finally {
    await rm(shortcuts, { recursive: true });
  }
}
