import type { Stored } from '@fanfare/protocol';

/** The remembered data of the first message with an id. */
export interface RememberedId {
  readonly sequence: number;
  readonly time: number;
  /** The hash of the message, which distinguishes it from other messages. */
  readonly digest: string;
  readonly stored: Stored;
}

/** A table grows by one segment at a time, which takes a millisecond at most. A power of two. */
const segmentCount = 64;

/** The columns of a row, in words: the hash of the id, the hash of the message, the sequence, the time. */
const rowSize = 12;
const digestAt = 4;
const sequenceAt = 8;
const timeAt = 10;

/**
 * Flags in the upper half of the sequence, which is less than 2^53: whether the row is taken, and the storage
 * level.
 */
const takenFlag = 0x8000_0000;
const levelShift = 24;
const sequenceHighMask = 0x1f_ffff;
const levels: readonly Stored[] = ['none', 'memory', 'disk', 'replicated'];

const halfRange = 2 ** 32;

/**
 * A hash table of ids as plain numbers. A million ids take some 80 MB and no work of the garbage collector,
 * and load in a fraction of a second. Objects in a `Map` take several times as much of both.
 */
export class IdTable {
  readonly #segments: Segment[] = Array.from({ length: segmentCount }, () => new Segment());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @param key - a hash as 16 latin1 characters, like all hashes here */
  get(key: string): RememberedId | undefined {
    return this.#segmentOf(key).get(key);
  }

  set(key: string, remembered: RememberedId): void {
    if (this.#segmentOf(key).set(key, remembered)) this.#size++;
  }

  #segmentOf(key: string): Segment {
    // Any bits of a hash will do.
    return this.#segments[key.charCodeAt(15) % segmentCount] as Segment;
  }
}

/** A hash table with open addressing and linear probing. */
class Segment {
  #rows = new Uint32Array(16 * rowSize);
  #count = 0;

  get(key: string): RememberedId | undefined {
    const at = this.#find(key);
    return this.#isTaken(at) ? this.#read(at) : undefined;
  }

  /** @returns whether the key is new */
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

  /** The row of a key, or the row where it belongs. */
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
