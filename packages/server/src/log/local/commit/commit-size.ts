/** The time for a commit in one turn of the event loop. */
const commitMsMax = 20;

const recordsMost = 2_048;
/** With fewer, too many clients would wait for the disk one after the other. */
const recordsLeast = 16;

/** Maximum number of topics that are only in memory and that one commit stores. */
export const savedPerCommitMax = 1_000;

/**
 * A client that got its outcome usually appends again at once, and a commit to a disk costs as much as a
 * dozen publishes. So a commit waits briefly for most of those that were in the last one.
 */
export const gatheredShare = 0.75;
export const gatheringMs = 1;

/**
 * Adapts the number of records in a commit, so that no commit blocks the event loop for long. The cost is
 * measured: one record may have a thousand subscribers, and hundreds of patterns that nearly match it.
 */
export class CommitSize {
  /** Small before the first measurement. */
  #recordsMax = recordsLeast;

  get recordsMax(): number {
    return this.#recordsMax;
  }

  /** Notes how long planning and delivering a commit took. */
  note(records: number, ms: number): void {
    if (records === 0) return;
    const enough = Math.floor((records * commitMsMax) / ms);
    this.#recordsMax = Math.max(recordsLeast, Math.min(enough, recordsMost));
  }
}
