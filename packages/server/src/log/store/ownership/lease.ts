import { setTimeout as delay } from 'node:timers/promises';
import { LogUncertainError, LogUnwritableError } from '../../topic-log.ts';
import { messageOf } from '../directory/data-directory.ts';
import { dataFile, ownerFile } from '../directory/file-names.ts';
import type { Machine } from './process-liveness.ts';
import type { FileIdentities } from '../directory/file-identity.ts';
import type { Owner, OwnerFile } from './owner-file.ts';

/** The interval in which an owner renews its lease. */
export const renewMs = 2_000;

/** An owner that could not renew its lease for this long acknowledges nothing. */
const provenMs = 5_000;

/** The time that a commit waits for a renewal: before it is made, and after it, when it cannot be undone. */
const waitMs = { before: 1_000, after: 10_000 } as const;

/**
 * How far two clocks may have drifted apart. More means that the machine slept, or that its clock was set.
 */
const clockGapMsMax = 1_000;

/** Another server has taken the data directory. */
export class DirectoryLostError extends LogUnwritableError {
  override readonly name = 'DirectoryLostError';
}

/** The path of the data file leads to another file, or to none. */
class DirectoryGoneError extends LogUnwritableError {}

/** Another server could write to the data file under a second name. */
class DirectorySharedError extends LogUnwritableError {}

/** The lease has expired: nothing has proved for too long that the directory is still ours. */
class UnprovenError extends LogUnwritableError {}

export interface LeaseEvents {
  /** Called if another server has the directory. From now on, nothing can be stored. */
  readonly onLost: (error: DirectoryLostError) => void;
  /** Called if nothing can be stored for now. Called once for each trouble. */
  readonly onTrouble: (error: LogUnwritableError) => void;
  /** Called when the trouble is over. */
  readonly onRecovered: () => void;
}

export interface LeaseOptions extends LeaseEvents {
  readonly directory: string;
  readonly machine: Machine;
  readonly note: OwnerFile;
}

/**
 * The lease on a data directory. It renews a counter in the note next to the data file, for servers on other
 * machines. Before and after each commit, it decides whether the commit can be acknowledged.
 */
export class Lease {
  readonly #options: LeaseOptions;
  #files: FileIdentities | undefined;
  /** The reason why nothing can be stored any more. */
  #final: LogUnwritableError | undefined;
  /** The start of the last successful renewal. */
  #proven = { monotonicMs: -Infinity, wallMs: 0 };
  #renewing: Promise<void> | undefined;
  #renewFailure: unknown;
  #timer: NodeJS.Timeout | undefined;
  #hasBegun = false;
  #isInTrouble = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  get owner(): Owner {
    return this.#options.note.owner;
  }

  /** Renews the lease from now on. To be called after the note was claimed. */
  begin(): void {
    this.#hasBegun = true;
    this.#proven = this.#now();
    this.#schedule();
  }

  /** Checks the files too from now on. */
  watch(files: FileIdentities): void {
    this.#files = files;
  }

  /**
   * Resolves if a commit may be made.
   *
   * @throws LogUnwritableError if it may not, or not yet
   */
  async beforeCommit(): Promise<void> {
    const refusal = await this.#confirmed(waitMs.before);
    if (refusal) throw refusal;
  }

  /**
   * Resolves if a commit that was made may be acknowledged. If not, no other commit is made: the file has
   * something that the log does not know.
   *
   * @throws LogUncertainError
   */
  async afterCommit(): Promise<void> {
    const refusal = await this.#confirmed(waitMs.after);
    if (!refusal || refusal instanceof DirectorySharedError) return;
    const { summary } = refusal;
    const message = `${refusal.message} A commit was in progress at that moment: restart the server.`;
    // No later commit is made.
    this.#final ??= new LogUnwritableError(message, summary, { cause: refusal });
    throw new LogUncertainError(message, summary, { cause: refusal });
  }

  /** The data file or the note names another server. Returns the error for all commits. */
  lose(other: Owner | undefined): DirectoryLostError {
    if (this.#final instanceof DirectoryLostError) return this.#final;
    const { directory, onLost } = this.#options;
    const server = other ? `Another server (process ${other.pid} on ${other.host})` : 'Another server';
    const lost = new DirectoryLostError(
      `${server} has taken the data directory '${directory}'. This server stores nothing any more, and stops.`,
      'Another server has taken the data directory of this one.',
    );
    this.#final = lost;
    clearTimeout(this.#timer);
    onLost(lost);
    return lost;
  }

  /** Stops the renewals, and writes into the note that the directory is free. */
  async end(left: string): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#options.note.releaseSpare();
    if (this.#final instanceof DirectoryLostError || !this.#hasBegun) return;
    // The next owner finds out without it, so unresponsive storage is not waited for.
    const leaving = (this.#renewing ?? Promise.resolve()).then(() => this.#options.note.leave(left));
    await Promise.race([leaving.catch(() => {}), delay(waitMs.before, undefined, { ref: false })]);
  }

  /** Resolves to the reason why nothing may be stored or acknowledged; undefined if it may. */
  async #confirmed(ms: number): Promise<LogUnwritableError | undefined> {
    const refusal = this.#refusal();
    if (!(refusal instanceof UnprovenError)) return refusal;
    // A renewal that began too long ago proves nothing. It takes another one.
    const proof = this.#renew().then(() => (this.#isProven ? undefined : this.#renew()));
    await Promise.race([proof, delay(ms, undefined, { ref: false })]);
    return this.#refusal();
  }

  get #isProven(): boolean {
    const now = this.#now();
    const elapsed = now.monotonicMs - this.#proven.monotonicMs;
    const gap = Math.abs(now.wallMs - this.#proven.wallMs - elapsed);
    return elapsed < provenMs && gap < clockGapMsMax;
  }

  #now(): { readonly monotonicMs: number; readonly wallMs: number } {
    const { machine } = this.#options;
    return { monotonicMs: machine.monotonicMs(), wallMs: machine.wallMs() };
  }

  #refusal(): LogUnwritableError | undefined {
    if (this.#final) return this.#final;
    const trouble = this.#files?.check();
    if (trouble?.kind === 'gone') {
      return new DirectoryGoneError(
        `${trouble.what}. Nothing is stored until it is back or the server is restarted. Stored messages can still be read.`,
        "The server's data file was deleted, moved or replaced.",
      );
    }
    if (trouble?.kind === 'shared') {
      return new DirectorySharedError(
        `${trouble.what}. Nothing is stored until the other names are removed.`,
        "The server's data file has a second name.",
      );
    }
    if (this.#isProven) return undefined;
    const { directory } = this.#options;
    const reason = this.#renewFailure === undefined ? '' : ` (${messageOf(this.#renewFailure)})`;
    return new UnprovenError(
      `The server could not renew its lease in '${ownerFile}' in '${directory}' for ${provenMs / 1_000} seconds${reason}. ` +
        'Another machine could take the directory, so nothing is stored until it can.',
      'The server cannot make sure that no other server writes to its data directory.',
      { cause: this.#renewFailure },
    );
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      void this.#renew().then(() => {
        if (this.#final instanceof DirectoryLostError || this.#timer === undefined) return;
        this.#report();
        this.#schedule();
      });
    }, renewMs).unref();
  }

  #renew(): Promise<void> {
    return (this.#renewing ??= this.#renewOnce().finally(() => (this.#renewing = undefined)));
  }

  async #renewOnce(): Promise<void> {
    const trouble = this.#files?.check();
    // The note may belong to another server's data by now. It proves nothing about our file, which is the
    // last copy.
    if (trouble?.kind === 'gone' && trouble.file === dataFile) return;
    const begun = this.#now();
    try {
      const renewal = await this.#options.note.renew();
      if (renewal === 'renewed') this.#proven = begun;
      else this.lose(renewal.other);
      this.#renewFailure = undefined;
    } catch (error) {
      this.#renewFailure = error;
    }
  }

  #report(): void {
    const refusal = this.#refusal();
    if (refusal && !this.#isInTrouble) this.#options.onTrouble(refusal);
    if (!refusal && this.#isInTrouble) this.#options.onRecovered();
    this.#isInTrouble = refusal !== undefined;
  }
}
