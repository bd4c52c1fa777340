import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DirectoryInUseError, type DataDirectoryError } from '../directory/data-directory.ts';
import { dataFile, lockFile, ownerFile, socketOf } from '../directory/file-names.ts';
import type { OwnerTable } from './owner-table.ts';
import type { Machine } from './process-liveness.ts';
import { placeOf } from '../directory/file-identity.ts';
import { Lease, renewMs, type LeaseEvents } from './lease.ts';
import { OwnerFile, parseNote, type Owner } from './owner-file.ts';
import { OwnerSockets } from './owner-socket.ts';
import { Snapshots } from './snapshots.ts';

/** A server on another machine counts as gone after it has not renewed its lease for this long. */
const leaseExpiryMs = 10_000;
const pollMs = 500;

/**
 * The time that a start waits for other servers that were started at the same time, because they may give up.
 */
const rivalsMs = 1_000;
const rivalPollMs = 20;

/** The note may be replaced only so soon after it was read. */
const readAgeMsMax = 2_000;

export interface DirectoryLockOptions extends LeaseEvents {
  readonly directory: string;
  readonly machine: Machine;
  /** Called with a sentence if the lock takes long. */
  readonly onWait: (sentence: string) => void;
}

/**
 * Locks a data directory for this process, in two steps. `waitUntilFree` waits until the last owner is gone,
 * before anything opens the data file: LMDB loses commits of a running process if another one opens the file.
 * `acquire` makes this process the owner, in the data file and in the note next to it.
 *
 * The last owner is gone when the kernel says so, if it ran under the same boot of the kernel. Otherwise it
 * is gone when it has not renewed its lease for ten seconds of our own clock. It acknowledges nothing after
 * five.
 */
export class DirectoryLock {
  readonly lease: Lease;
  /** For tools, while this process is the owner. */
  readonly snapshots: Snapshots;
  readonly #note: OwnerFile;
  readonly #sockets: OwnerSockets;
  readonly #options: DirectoryLockOptions;
  /** The note at the time when the last owner was found to be gone. */
  #noteText: string | undefined;
  #hasClaimed = false;

  constructor(options: DirectoryLockOptions) {
    const { directory, machine } = options;
    this.#options = options;
    const owner = { id: randomUUID(), place: placeOf(directory), ...machine.self };
    this.#note = new OwnerFile(join(directory, ownerFile), owner);
    this.#sockets = new OwnerSockets(directory);
    this.snapshots = new Snapshots(directory);
    this.lease = new Lease({ ...options, note: this.#note });
  }

  /**
   * Resolves after the last owner is gone. The result is the fingerprint that the owner left, if it released
   * the directory.
   *
   * @throws DataDirectoryError if another server has the directory
   */
  async waitUntilFree(): Promise<string | undefined> {
    await this.#readNote();
    const note = parseNote(this.#noteText ?? '');
    if (note && note.left === undefined) await this.#waitUntilGone(note.owner);
    else await this.#refuseListening();
    if (!note) await this.#waitForNote();
    await this.#sockets.listen(this.#note.owner.id, (socket) => this.snapshots.accept(socket));
    if (!this.#hasClaimed) await this.#settleRace();
    return note?.left;
  }

  /**
   * Makes this process the owner.
   *
   * @param table - of the data file, which exists by now
   * @throws DataDirectoryError if another server was faster
   * @throws LogDamagedError
   */
  async acquire(table: OwnerTable): Promise<void> {
    this.#note.owner = { ...this.#note.owner, place: placeOf(this.#options.directory) };
    const seen = parseNote(this.#noteText ?? '')?.owner.id;
    for (;;) {
      const other = table.read();
      if (other && other.id !== seen) await this.#waitUntilGone(other);
      if (table.replace(other, this.#note.owner)) break;
    }
    if (!this.#hasClaimed) await this.#claim();
    if (!(await this.#sockets.removeClosed())) throw this.#startedTogether();
    await this.snapshots.removeOld();
  }

  /**
   * Releases the directory.
   *
   * @param left - the fingerprint of the data file for the next owner; empty if it is not known
   */
  async release(left: string): Promise<void> {
    await this.lease.end(left);
    await this.snapshots.close();
    await this.#sockets.close();
  }

  /**
   * Refuses a directory with a live socket: old versions had no note, and the note may have been deleted or
   * changed.
   */
  async #refuseListening(): Promise<void> {
    const socket = await this.#sockets.anyListening();
    if (socket !== undefined) throw inUse(this.#options.directory, `it listens on '${socket}'`);
  }

  /** Waits for a note: a live owner writes its note anew if it was deleted. */
  async #waitForNote(): Promise<void> {
    const { directory, machine } = this.#options;
    const [data, lock] = await Promise.all([dataFile, lockFile].map((name) => sizeOf(join(directory, name))));
    if (data === undefined || data === 0 || lock === undefined) return;
    const end = machine.monotonicMs() + renewMs + pollMs;
    while (machine.monotonicMs() < end) {
      await delay(pollMs);
      await this.#readNote();
      const note = parseNote(this.#noteText ?? '');
      if (note) return this.#waitUntilGone(note.owner);
    }
  }

  /**
   * Makes sure that only one of several starting servers opens the data file. Each of them listens before it
   * looks for the others, so of two servers at least one sees the other. If both do, the one with the lower
   * name gives up.
   */
  async #settleRace(): Promise<void> {
    const { machine } = this.#options;
    const before = this.#noteText;
    const end = machine.monotonicMs() + rivalsMs;
    for (;;) {
      const other = await this.#sockets.anyListening();
      await this.#readNote();
      if (this.#noteText !== before) throw this.#startedTogether();
      if (other === undefined) return;
      if (other > socketOf(this.#note.owner.id) || machine.monotonicMs() >= end)
        throw this.#startedTogether();
      await delay(rivalPollMs);
    }
  }

  /** Resolves after an owner is gone. */
  async #waitUntilGone(owner: Owner): Promise<void> {
    const isAlive = await this.#isAlive(owner);
    if (isAlive === true) throw inUse(this.#options.directory, nameOf(owner));
    // With our note in place, an owner that it does not name has lost the directory.
    if (isAlive === undefined && !this.#hasClaimed) await this.#waitFor(owner);
  }

  /** Whether an owner is alive. Undefined if our kernel does not know. */
  async #isAlive(owner: Owner): Promise<boolean | undefined> {
    const { machine } = this.#options;
    const socket = await this.#sockets.state(owner.id);
    if (socket === 'listening') return true;
    if (owner.kernel === undefined || owner.kernel !== machine.self.kernel) return undefined;
    // A copy of a store names the owner of the original.
    if (!sharesFile(owner.place, this.#note.owner.place)) return false;
    const isThisProcess = owner.pid === machine.self.pid && owner.started === machine.self.started;
    const isAlive = machine.isAlive(owner);
    // Within one process, only the socket distinguishes two owners.
    if (isAlive !== undefined && !(isAlive && isThisProcess)) return isAlive;
    return socket === 'closed' ? false : undefined;
  }

  async #waitFor(owner: Owner): Promise<void> {
    const { directory, machine, onWait } = this.#options;
    onWait(
      `It is not known whether the last server of '${directory}' (${nameOf(owner)}) has ended. ` +
        `This server starts after the other one has not renewed its lease for ${leaseExpiryMs / 1_000} seconds.`,
    );
    const before = this.#noteText;
    const end = machine.monotonicMs() + leaseExpiryMs;
    while (machine.monotonicMs() < end) {
      await delay(pollMs);
      await this.#readNote();
      const other = parseNote(this.#noteText ?? '')?.owner ?? owner;
      if (this.#noteText !== before) throw inUse(directory, nameOf(other));
    }
    await this.#claim();
    // Others that were waiting have replaced our note by now, if they do at all.
    await delay(2 * readAgeMsMax);
    if ((await this.#note.renew()) !== 'renewed') throw this.#startedTogether();
  }

  /** Replaces the note, unless it has changed since it was read. */
  async #claim(): Promise<void> {
    const { machine } = this.#options;
    const before = this.#noteText;
    const readAt = machine.monotonicMs();
    await this.#readNote();
    if (this.#noteText !== before) throw this.#startedTogether();
    await this.#note.claim();
    // This process may have been suspended in between, and have replaced the note of a new owner.
    if (machine.monotonicMs() - readAt > readAgeMsMax) throw this.#startedTogether();
    this.#hasClaimed = true;
    this.lease.begin();
  }

  async #readNote(): Promise<void> {
    this.#noteText = await this.#note.read();
  }

  #startedTogether(): DataDirectoryError {
    return new DirectoryInUseError(
      `Another server was started on '${this.#options.directory}' at the same time.`,
      'Start this one again.',
    );
  }
}

function nameOf({ pid, host }: Owner): string {
  return `process ${pid} on ${host}`;
}

/** Whether two places share the directory or the data file. */
function sharesFile(place: string, other: string): boolean {
  const files = other.split(' ');
  return place.split(' ').some((file) => files.includes(file));
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

function inUse(directory: string, owner: string): DataDirectoryError {
  return new DirectoryInUseError(
    `The data directory '${directory}' is in use by another server (${owner}).`,
    'Stop that server first, let this one wait for it (`waitForData`), or name another directory.',
  );
}
