import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { messageOf } from '../directory/data-directory.ts';
import { isSnapshot, snapshotOf } from '../directory/file-names.ts';

/** What a tool sends on an owner's socket to get a snapshot. */
export const snapshotRequest = 'snapshot\n';

/** The answer, as a line of JSON. */
export type SnapshotAnswer =
  /** The name of a directory in the data directory. */
  { readonly snapshot: string } | { readonly error: string };

/** A process that connects only to see whether the owner listens disconnects at once. */
const requestMs = 10_000;

/** Makes snapshots. */
export type CopyData = (directory: string) => Promise<void>;

/**
 * Gives tools snapshots of the data while its owner runs. No other process may open the data file: LMDB would
 * lose commits of the owner. So the owner itself copies it into the data directory, for a tool that asks on
 * the owner's socket. The snapshot is removed when the tool disconnects, however it ends.
 */
export class Snapshots {
  readonly #directory: string;
  readonly #sockets = new Set<Socket>();
  readonly #work = new Set<Promise<void>>();
  #copyData: CopyData | undefined;
  /** One snapshot is made at a time. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Makes snapshots from now on. */
  serve(copyData: CopyData): void {
    this.#copyData = copyData;
  }

  /** Serves a connection to the owner's socket. */
  accept(socket: Socket): void {
    // A tool must not keep the server running.
    socket.unref();
    this.#sockets.add(socket);
    const tooLate = setTimeout(() => socket.destroy(), requestMs).unref();
    let received = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      received += text;
      if (!snapshotRequest.startsWith(received)) return void socket.destroy();
      if (received !== snapshotRequest) return;
      clearTimeout(tooLate);
      this.#track(this.#answer(socket));
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(tooLate);
      this.#sockets.delete(socket);
    });
  }

  /** Removes the snapshots of an owner that was killed. */
  async removeOld(): Promise<void> {
    const names = await readdir(this.#directory);
    for (const name of names.filter(isSnapshot)) await this.#remove(name);
  }

  /** Disconnects the tools, and removes all snapshots. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#work);
  }

  async #answer(socket: Socket): Promise<void> {
    const gone = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
    const name = snapshotOf(randomUUID());
    const making = this.#last.then(async () => {
      if (!socket.destroyed) await this.#make(name);
    });
    this.#last = making.catch(() => {});
    try {
      await making;
      send(socket, { snapshot: name });
      await gone;
    } catch (error) {
      send(socket, { error: messageOf(error) });
    } finally {
      await this.#remove(name);
    }
  }

  async #make(name: string): Promise<void> {
    if (!this.#copyData) throw new Error('The server is starting. Try again.');
    const path = join(this.#directory, name);
    await mkdir(path, { mode: 0o700 });
    await this.#copyData(path);
  }

  async #remove(name: string): Promise<void> {
    // What cannot be removed now is removed at the next start.
    await rm(join(this.#directory, name), { recursive: true, force: true }).catch(() => {});
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }
}

function send(socket: Socket, answer: SnapshotAnswer): void {
  if (!socket.destroyed) socket.write(`${JSON.stringify(answer)}\n`);
}
