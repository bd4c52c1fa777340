import { connect, type Socket } from 'node:net';

/** Takes the complete frames in `bytes`, and returns where the first incomplete frame begins. */
export type TakeFrames = (bytes: Buffer) => number;

/**
 * Makes a {@link TakeFrames} for a protocol.
 *
 * @param frameEnd - where the frame that begins at `start` ends; -1 if it is not complete
 * @param takeFrame - gets each complete frame, in order
 */
export function cutFrames(
  frameEnd: (bytes: Buffer, start: number) => number,
  takeFrame: (bytes: Buffer, start: number, end: number) => void,
): TakeFrames {
  return (bytes) => {
    let at = 0;
    while (at < bytes.length) {
      const end = frameEnd(bytes, at);
      if (end === -1) break;
      takeFrame(bytes, at, end);
      at = end;
    }
    return at;
  };
}

/** All sockets read into the same memory, because each read is handled before the next one. */
const readBuffer = Buffer.allocUnsafe(256 * 1024);

/** A TCP connection to a server on this machine whose bytes are cut into frames. */
export class Connection {
  readonly #socket: Socket;
  readonly #take: TakeFrames;
  #rest: Buffer | undefined;
  #isClosed = false;

  /** @param onEnd - called once, with the reason, if the connection ends without {@link close} */
  constructor(port: number, take: TakeFrames, onEnd: (reason: string) => void) {
    this.#take = take;
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (length) => {
          this.#read(readBuffer.subarray(0, length));
          return true;
        },
      },
    });
    let reason = 'the server ended the connection';
    this.#socket.on('error', (error) => (reason = error.message));
    this.#socket.once('close', () => {
      if (!this.#isClosed) onEnd(reason);
    });
  }

  write(bytes: string | Uint8Array): void {
    if (typeof bytes === 'string') this.#socket.write(bytes, 'latin1');
    else this.#socket.write(bytes);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#isClosed) return;
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    // Everything that one read causes to be written goes out together.
    this.#socket.cork();
    const taken = this.#take(bytes);
    this.#socket.uncork();
    if (taken === bytes.length) this.#rest = undefined;
    else if (taken > 0 || this.#rest === undefined) this.#rest = Buffer.from(bytes.subarray(taken));
    else this.#rest = bytes;
  }
}
