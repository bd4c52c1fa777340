/** How long a commit is to take of one turn of the event loop. */
const commitMsMax = 20;

const recordsMost = 2_048;
/** Fewer would have too many wait for the disk, one after the other. */
const recordsLeast = 16;

/**
 * How many records a commit may have so that it holds up nobody for long, as the last one showed: one record may have a thousand
 * subscribers, and hundreds of patterns that it nearly matches.
 */
export class CommitSize {
  /** Few, until there was one. */
  #recordsMax = recordsLeast;

  get recordsMax(): number {
    return this.#recordsMax;
  }

  /** Planning so many, and giving them to the tail, took so long. */
  note(records: number, ms: number): void {
    if (records === 0) return;
    const enough = Math.floor((records * commitMsMax) / ms);
    this.#recordsMax = Math.max(recordsLeast, Math.min(enough, recordsMost));
  }
}
