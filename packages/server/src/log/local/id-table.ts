import type { Stored } from '@fanfare/protocol';

/** What is remembered of the first message that came under an id. */
export interface RememberedId {
  readonly sequence: number;
  readonly time: number;
  /** A hash of the message, so that another one is told from it. */
  readonly digest: string;
  readonly stored: Stored;
}

/** Tables grow by one of these at a time, which takes a millisecond at the most. A power of two. */
const segmentCount = 64;

/** The numbers of a row: the hash of the id, that of the message, the sequence, the time. */
const rowSize = 12;
const digestAt = 4;
const sequenceAt = 8;
const timeAt = 10;

/** In the upper half of the sequence, which is a number under 2^53: that the row is taken, and the level. */
const takenFlag = 0x8000_0000;
const levelShift = 24;
const sequenceHighMask = 0x1f_ffff;
const levels: readonly Stored[] = ['none', 'memory', 'disk', 'replicated'];

const halfRange = 2 ** 32;

/**
 * Ids by their hashes, in numbers: a million of them take some 80 MB and no work of the garbage collector's, and are read
 * back in a fraction of a second, where objects in a map take several times as much of both.
 */
export class IdTable {
  readonly #segments: Segment[] = Array.from({ length: segmentCount }, () => new Segment());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @param key - a hash as a text of 16 characters, each a byte, as in all that is given and returned here */
  get(key: string): RememberedId | undefined {
    return this.#segmentOf(key).get(key);
  }

  set(key: string, remembered: RememberedId): void {
    if (this.#segmentOf(key).set(key, remembered)) this.#size++;
  }

  #segmentOf(key: string): Segment {
    // Hashes: every bit is as good as any other.
    return this.#segments[key.charCodeAt(15) % segmentCount] as Segment;
  }
}

/** An open hash table: a row is at the place that its hash says, or at the next that is free. */
class Segment {
  #rows = new Uint32Array(16 * rowSize);
  #count = 0;

  get(key: string): RememberedId | undefined {
    const at = this.#find(key);
    return this.#isTaken(at) ? this.#read(at) : undefined;
  }

  /** @returns whether it is a new one */
  set(key: string, { sequence, time, digest, stored }: RememberedId): boolean {
    let at = this.#find(key);
    const isNew = !this.#isTaken(at);
    if (isNew && ++this.#count * 2 > this.#rows.length / rowSize) {
      this.#grow();
      at = this.#find(key);
    }
    const rows = this.#rows;
    for (let word = 0; word < 4; word++) {
      rows[at + word] = wordOf(key, word);
      rows[at + digestAt + word] = wordOf(digest, word);
    }
    const flags = takenFlag | (levels.indexOf(stored) << levelShift);
    rows[at + sequenceAt] = sequence % halfRange;
    rows[at + sequenceAt + 1] = Math.floor(sequence / halfRange) | flags;
    rows[at + timeAt] = time % halfRange;
    rows[at + timeAt + 1] = Math.floor(time / halfRange);
    return isNew;
  }

  #isTaken(at: number): boolean {
    return this.#word(at + sequenceAt + 1) >= takenFlag;
  }

  #read(at: number): RememberedId {
    const high = this.#word(at + sequenceAt + 1);
    let digest = '';
    for (let byte = 0; byte < 16; byte++) {
      const word = this.#word(at + digestAt + (byte >> 2));
      digest += String.fromCharCode((word >>> (8 * (byte & 3))) & 0xff);
    }
    return {
      sequence: (high & sequenceHighMask) * halfRange + this.#word(at + sequenceAt),
      time: this.#word(at + timeAt + 1) * halfRange + this.#word(at + timeAt),
      digest,
      stored: levels[(high >>> levelShift) & 3] as Stored,
    };
  }

  /** Where a key's row is, or is to be. */
  #find(key: string): number {
    const rows = this.#rows;
    const [first, second, third, fourth] = [wordOf(key, 0), wordOf(key, 1), wordOf(key, 2), wordOf(key, 3)];
    for (let at = this.#placeOf(first); ; at = this.#after(at)) {
      if (!this.#isTaken(at)) return at;
      const isSame =
        rows[at] === first && rows[at + 1] === second && rows[at + 2] === third && rows[at + 3] === fourth;
      if (isSame) return at;
    }
  }

  #grow(): void {
    const old = this.#rows;
    this.#rows = new Uint32Array(old.length * 2);
    for (let from = 0; from < old.length; from += rowSize) {
      if ((old[from + sequenceAt + 1] ?? 0) < takenFlag) continue;
      let at = this.#placeOf(old[from] ?? 0);
      while (this.#isTaken(at)) at = this.#after(at);
      for (let word = 0; word < rowSize; word++) this.#rows[at + word] = old[from + word] ?? 0;
    }
  }

  #placeOf(word: number): number {
    return (word % (this.#rows.length / rowSize)) * rowSize;
  }

  #after(at: number): number {
    return at + rowSize < this.#rows.length ? at + rowSize : 0;
  }

  #word(at: number): number {
    return this.#rows[at] ?? 0;
  }
}

/** Four bytes of a hash as a number. */
function wordOf(hash: string, word: number): number {
  const at = 4 * word;
  return (
    (hash.charCodeAt(at) |
      (hash.charCodeAt(at + 1) << 8) |
      (hash.charCodeAt(at + 2) << 16) |
      (hash.charCodeAt(at + 3) << 24)) >>>
    0
  );
}
