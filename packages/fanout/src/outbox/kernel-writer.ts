import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import type { DirectWrites, Handle, WriteRequest } from './direct-writes.ts';
import type { Frame, HeldFrames } from './frame.ts';

/**
 * Writes to one TCP socket, in order with the other writes to it, and knows which bytes the kernel has not
 * taken. A write through Node's stream costs more than the kernel's own work. Where a trial has proven it
 * safe, a write bypasses the stream.
 */
export class KernelWriter {
  readonly #socket: Socket;
  readonly #direct: DirectWrites;
  readonly #frames: HeldFrames;
  #handle: Handle | undefined;
  #inFlight: Frame | undefined;
  #isInStream = false;
  #listener: (() => void) | undefined;

  constructor(socket: Socket, direct: DirectWrites, frames: HeldFrames) {
    this.#socket = socket;
    this.#direct = direct;
    this.#frames = frames;
  }

  /**
   * Whether the kernel has not taken the last write. Then nothing must be written until `onceDrained` calls
   * back.
   */
  get isBlocked(): boolean {
    return this.#inFlight !== undefined;
  }

  /** The size of the write that blocks the connection, in bytes. */
  get inFlightBytes(): number {
    return this.#inFlight?.buffer.length ?? 0;
  }

  /** The number of these bytes that the stream of the socket holds, and counts as its own. */
  get streamBytes(): number {
    return this.#isInStream ? this.inFlightBytes : 0;
  }

  /** The number of bytes that the kernel has taken. */
  get takenBytes(): number {
    if (this.#handle) return this.#handle.bytesWritten - this.#handle.writeQueueSize;
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  /** Writes bytes. If the socket is closed, they are dropped. */
  write(frame: Frame): void {
    if (!this.#socket.writable) return;
    // Bytes that the stream holds go first.
    const handle = this.#socket.writableLength > 0 ? undefined : this.#findHandle();
    if (handle) this.#writeDirectly(handle, frame);
    else this.#writeToStream(frame);
  }

  onceDrained(listener: () => void): void {
    this.#listener = listener;
  }

  /** A connection may be older than the result of the trial. */
  #findHandle(): Handle | undefined {
    return (this.#handle ??= this.#direct.handleOf(this.#socket));
  }

  #writeDirectly(handle: Handle, frame: Frame): void {
    const result = this.#direct.write(handle, frame.buffer);
    if (result === 0) return;
    if (typeof result !== 'object' || result === null) return this.#fail(result);
    const request = result as WriteRequest;
    this.#hold(frame, false);
    // The listener also keeps the bytes alive.
    request.oncomplete = (status) => this.#complete(status);
    if (typeof request.writeStatus === 'number') this.#complete(request.writeStatus);
  }

  #writeToStream(frame: Frame): void {
    const socket = this.#socket;
    let isHeld = false;
    // The callback is also called if the socket is closed before.
    socket.write(frame.buffer, () => isHeld && this.#complete(0));
    // Below its high-water mark the stream takes more, as it always does. With TLS no write completes at
    // once.
    isHeld = socket.writableLength > 0 && socket.writableNeedDrain;
    if (isHeld) this.#hold(frame, true);
  }

  #hold(frame: Frame, isInStream: boolean): void {
    this.#inFlight = frame;
    this.#isInStream = isInStream;
    this.#frames.hold(frame);
  }

  #complete(status: number): void {
    const [frame, listener] = [this.#inFlight, this.#listener];
    this.#inFlight = undefined;
    this.#isInStream = false;
    this.#listener = undefined;
    if (frame) this.#frames.drop(frame);
    if (status < 0 && !this.#socket.destroyed) this.#fail(status);
    else listener?.();
  }

  #fail(error: unknown): void {
    const code = typeof error === 'number' && error < 0 ? getSystemErrorName(error) : 'UNKNOWN';
    this.#socket.destroy(Object.assign(new Error(`write ${code}`), { code, syscall: 'write' }));
  }
}
