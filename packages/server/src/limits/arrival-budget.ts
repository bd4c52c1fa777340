/** So much of one arrival needs no room, and is not refused for others: as many as there are connections take little. */
const smallBytes = 65_536;

/** What each piece that comes takes in memory beside its bytes. */
const pieceBytes = 128;

/** The memory for what is arriving and has not come whole yet, of all connections together. */
export class ArrivalRoom {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** @returns whether there was so much */
  take(bytes: number): boolean {
    if (bytes > 0 && this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }
}

function roomFor(bytes: number, pieces: number): number {
  return Math.max(0, bytes + pieces * pieceBytes - smallBytes);
}

/** One that is arriving. */
export class Arrival {
  readonly #room: ArrivalRoom;
  #taken = 0;

  constructor(room: ArrivalRoom) {
    this.#room = room;
  }

  /** Whether so much takes any room. */
  static needsRoom(bytes: number, pieces: number): boolean {
    return roomFor(bytes, pieces) > 0;
  }

  /**
   * To be told what has come of it so far.
   *
   * @returns whether there is room for that; what there was room for before is kept
   */
  hold(bytes: number, pieces: number): boolean {
    const wanted = roomFor(bytes, pieces);
    const isHeld = this.#room.take(wanted - this.#taken);
    if (isHeld) this.#taken = wanted;
    return isHeld;
  }

  /** It has come, or comes no more. */
  end(): void {
    this.hold(0, 0);
  }
}
