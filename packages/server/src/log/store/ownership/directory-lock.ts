import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DataDirectoryError } from '../directory/data-directory.ts';
import { dataFile, lockFile, ownerFile, socketOf } from '../directory/file-names.ts';
import type { OwnerTable } from './owner-table.ts';
import type { Machine } from './process-liveness.ts';
import { placeOf } from '../directory/file-identity.ts';
import { Lease, renewMs, type LeaseEvents } from './lease.ts';
import { OwnerFile, parseNote, type Owner } from './owner-file.ts';
import { OwnerSockets } from './owner-socket.ts';

/** For how long the counter of another machine's server has to stand still before that server counts as gone. */
const leaseExpiryMs = 10_000;
const pollMs = 500;

/** For how long others are waited for that were started at the same time, and may give up. */
const rivalsMs = 1_000;
const rivalPollMs = 20;

/** How old the look at the note may be that allows to replace it. */
const readAgeMsMax = 2_000;

export interface DirectoryLockOptions extends LeaseEvents {
  readonly directory: string;
  readonly machine: Machine;
  /** Told when it takes longer: one sentence. */
  readonly onWait: (sentence: string) => void;
}

/**
 * Takes a data directory for this process alone, in two steps: `seek` waits until its last owner is gone, before
 * anything opens the data file: LMDB loses commits of a process that is at work when another one opens the file.
 * `settle` makes us the owner, in the data file and in the note beside it.
 *
 * The last owner is gone when the kernel says so, for a process of the same run of the kernel. Else it is gone when its
 * counter has stood still for ten seconds of our own clock: it acknowledges nothing after five.
 */
export class DirectoryLock {
  readonly lease: Lease;
  readonly #note: OwnerFile;
  readonly #sockets: OwnerSockets;
  readonly #options: DirectoryLockOptions;
  /** The note when the last owner was found to be gone. */
  #noteText: string | undefined;
  #hasClaimed = false;

  constructor(options: DirectoryLockOptions) {
    const { directory, machine } = options;
    this.#options = options;
    const owner = { id: randomUUID(), place: placeOf(directory), ...machine.self };
    this.#note = new OwnerFile(join(directory, ownerFile), owner);
    this.#sockets = new OwnerSockets(directory);
    this.lease = new Lease({ ...options, note: this.#note });
  }

  /**
   * Resolves once the last owner is gone: to what it left, if it let go of the directory itself.
   *
   * @throws DataDirectoryError when another server has the directory
   */
  async waitUntilFree(): Promise<string | undefined> {
    await this.#readNote();
    const note = parseNote(this.#noteText ?? '');
    if (note && note.left === undefined) await this.#waitUntilGone(note.owner);
    else await this.#refuseListening();
    if (!note) await this.#waitForNote();
    await this.#sockets.listen(this.#note.owner.id);
    if (!this.#hasClaimed) await this.#settleRace();
    return note?.left;
  }

  /**
   * Makes us the owner.
   *
   * @param register - of the data file, which is there by now
   * @throws DataDirectoryError when another server was faster
   * @throws LogDamagedError
   */
  async acquire(register: OwnerTable): Promise<void> {
    this.#note.owner = { ...this.#note.owner, place: placeOf(this.#options.directory) };
    const seen = parseNote(this.#noteText ?? '')?.owner.id;
    for (;;) {
      const other = register.read();
      if (other && other.id !== seen) await this.#waitUntilGone(other);
      if (register.replace(other, this.#note.owner)) break;
    }
    if (!this.#hasClaimed) await this.#claim();
    if (!(await this.#sockets.removeClosed())) throw this.#startedTogether();
  }

  /**
   * Gives the directory back.
   *
   * @param left - tells the next owner what the data file was like; empty when that is not known
   */
  async release(left: string): Promise<void> {
    await this.lease.end(left);
    await this.#sockets.close();
  }

  /** Versions before the note had their sockets alone. Also, somebody may have removed or changed the note. */
  async #refuseListening(): Promise<void> {
    const socket = await this.#sockets.anyListening();
    if (socket !== undefined) throw inUse(this.#options.directory, `it answers at '${socket}'`);
  }

  /** An owner that is alive makes the note anew when it was removed, and has the file of its lock. */
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
   * Sees to it that of several servers that found the last owner gone, one opens the data file. Each of them listens
   * before it looks for others, so of two at least one sees the other. When both do, the lower name gives up.
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

  /** Resolves when an owner is gone. */
  async #waitUntilGone(owner: Owner): Promise<void> {
    const isAlive = await this.#isAlive(owner);
    if (isAlive === true) throw inUse(this.#options.directory, nameOf(owner));
    // Where the note is ours, an owner that it does not name has lost the directory.
    if (isAlive === undefined && !this.#hasClaimed) await this.#waitFor(owner);
  }

  /** Whether an owner is alive, as far as our kernel can tell; undefined when it cannot. */
  async #isAlive(owner: Owner): Promise<boolean | undefined> {
    const { machine } = this.#options;
    const socket = await this.#sockets.state(owner.id);
    if (socket === 'listening') return true;
    if (owner.kernel === undefined || owner.kernel !== machine.self.kernel) return undefined;
    // A copy of a store has the name of the owner with the other data.
    if (!sharesFile(owner.place, this.#note.owner.place)) return false;
    const isThisProcess = owner.pid === machine.self.pid && owner.started === machine.self.started;
    const isAlive = machine.isAlive(owner);
    // Within one process only the socket tells one owner from the other.
    if (isAlive !== undefined && !(isAlive && isThisProcess)) return isAlive;
    return socket === 'closed' ? false : undefined;
  }

  async #waitFor(owner: Owner): Promise<void> {
    const { directory, machine, onWait } = this.#options;
    onWait(
      `Nothing tells whether the last server of '${directory}' (${nameOf(owner)}) has ended. ` +
        `This one starts when the other one has not raised its counter for ${leaseExpiryMs / 1_000} seconds.`,
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
    // Others who were waiting have replaced our note by now, if they do at all.
    await delay(2 * readAgeMsMax);
    if ((await this.#note.renew()) !== 'renewed') throw this.#startedTogether();
  }

  /** Replaces the note, unless it has changed since it was looked at. */
  async #claim(): Promise<void> {
    const { machine } = this.#options;
    const before = this.#noteText;
    const readAt = machine.monotonicMs();
    await this.#readNote();
    if (this.#noteText !== before) throw this.#startedTogether();
    await this.#note.claim();
    // We may have been stopped in between, and have replaced the note of somebody else who has taken the directory.
    if (machine.monotonicMs() - readAt > readAgeMsMax) throw this.#startedTogether();
    this.#hasClaimed = true;
    this.lease.begin();
  }

  async #readNote(): Promise<void> {
    this.#noteText = await this.#note.read();
  }

  #startedTogether(): DataDirectoryError {
    return new DataDirectoryError(
      `Another server was started on '${this.#options.directory}' at the same time. Start again.`,
    );
  }
}

function nameOf({ pid, host }: Owner): string {
  return `process ${pid} on ${host}`;
}

/** Whether two places have the directory or the data file in common. */
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
  return new DataDirectoryError(
    `The data directory '${directory}' is in use by another server (${owner}). ` +
      'Stop that server first, or give this one a directory of its own.',
  );
}
