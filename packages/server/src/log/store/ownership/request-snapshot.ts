import type { Socket } from 'node:net';
import { join } from 'node:path';
import { DataDirectoryError } from '../directory/data-directory.ts';
import { isSnapshot } from '../directory/file-names.ts';
import { OwnerSockets } from './owner-socket.ts';
import { snapshotRequest, type SnapshotAnswer } from './snapshots.ts';

/** A copy of the data of a running server. */
export interface Snapshot {
  readonly directory: string;
  /** Lets the server remove it. */
  release(): void;
}

/**
 * Asks the owner of a data directory for a snapshot, which has everything that was acknowledged before.
 *
 * @returns undefined if no owner listens
 * @throws DataDirectoryError if there is an owner, and it makes no snapshot
 */
export async function requestSnapshot(directory: string): Promise<Snapshot | undefined> {
  const socket = await new OwnerSockets(directory).connect();
  if (!socket) return undefined;
  try {
    const answer = await answerOf(socket);
    if (answer === undefined) throw noAnswer(directory);
    if ('error' in answer)
      throw new DataDirectoryError(`No snapshot of '${directory}' could be made: ${answer.error}`);
    // The name comes from another process.
    if (!isSnapshot(answer.snapshot)) throw noAnswer(directory);
    return { directory: join(directory, answer.snapshot), release: () => void socket.destroy() };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Undefined if the owner closes the connection. */
async function answerOf(socket: Socket): Promise<SnapshotAnswer | undefined> {
  let line = '';
  await new Promise<void>((resolve) => {
    socket.setEncoding('utf8').on('data', (text: string) => {
      line += text;
      if (line.endsWith('\n')) resolve();
    });
    socket.on('error', () => {});
    socket.once('close', () => resolve());
    socket.write(snapshotRequest);
  });
  return line.endsWith('\n') ? (JSON.parse(line) as SnapshotAnswer) : undefined;
}

function noAnswer(directory: string): DataDirectoryError {
  return new DataDirectoryError(
    `The server that uses '${directory}' made no snapshot: it has stopped meanwhile, or is of an earlier version. ` +
      'Try again, or stop the server first.',
  );
}
