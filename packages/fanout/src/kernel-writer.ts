import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import type { Frame, HeldFrames } from './frame.ts';

/*
 * Node's stream spends more on a write than the kernel does, so that a write goes to libuv directly where that is
 * possible. All that the package knows of Node's inside is in this file; what is not as it is here is written to
 * through the stream.
 */

/** libuv's stream under a TCP socket. */
interface Handle {
  /** What libuv holds because the kernel did not take it. */
  readonly writeQueueSize: number;
  /** What libuv was given. */
  readonly bytesWritten: number;
  /** Takes what it can at once, and the request when that was not all. @returns 0, or a negative error number */
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
}

/** Node's `WriteWrap`. */
interface WriteRequest {
  /** Keeps the bytes alive. */
  buffer?: Buffer;
  oncomplete?: (status: number) => void;
  /** -1 as long as libuv does not have it. */
  getAsyncId(): number;
}

type WriteRequestClass = new () => WriteRequest;

/** Has a request at hand for the next write; few writes use one up. */
export class WriteRequests {
  #RequestClass: WriteRequestClass | undefined;
  #spare: WriteRequest | undefined;

  /** Undefined until a write was watched. */
  get spare(): WriteRequest | undefined {
    if (this.#RequestClass) this.#spare ??= new this.#RequestClass();
    return this.#spare;
  }

  /** The spare request has gone off. */
  useSpare(): void {
    this.#spare = undefined;
  }

  /** Sees from a stream's own write what its requests are made of: Node has no other way to get at that. */
  watch(handle: Handle, write: () => void): void {
    const watched = handle as { writeBuffer?: Handle['writeBuffer'] };
    const writeBuffer = handle.writeBuffer.bind(handle);
    watched.writeBuffer = (request, bytes) => {
      const { constructor } = request;
      if (constructor.name === 'WriteWrap' && typeof request.getAsyncId === 'function')
        this.#RequestClass = constructor as WriteRequestClass;
      return writeBuffer(request, bytes);
    };
    write();
    delete watched.writeBuffer;
  }
}

/** Writes to one TCP socket, in order with what others write to it, and knows what the kernel has not taken. */
export class KernelWriter {
  readonly #socket: Socket;
  readonly #requests: WriteRequests;
  readonly #frames: HeldFrames;
  readonly #handle: Handle | undefined;
  #inFlight: Frame | undefined;
  #listener: (() => void) | undefined;

  constructor(socket: Socket, requests: WriteRequests, frames: HeldFrames) {
    this.#socket = socket;
    this.#requests = requests;
    this.#frames = frames;
    this.#handle = handleOf(socket);
  }

  /** The kernel has not taken what it was given; the listener of `onceDrained` will be called. */
  get isBlocked(): boolean {
    return (
      this.#inFlight !== undefined || (this.#socket.writableLength > 0 && this.#socket.writableNeedDrain)
    );
  }

  /** What was written beside the stream, and not all taken by the kernel yet. */
  get inFlightBytes(): number {
    return this.#inFlight?.buffer.length ?? 0;
  }

  /** How many bytes the kernel has taken. */
  get takenBytes(): number {
    if (this.#handle) return this.#handle.bytesWritten - this.#handle.writeQueueSize;
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  /** Bytes for a socket that is closed are dropped. */
  write(frame: Frame): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    const handle = this.#handle;
    // What the stream holds goes first, and libuv has its own queue for what is in flight.
    if (handle === undefined || this.#inFlight || socket.writableLength > 0) socket.write(frame.buffer);
    else this.#writeDirectly(handle, frame);
  }

  onceDrained(listener: () => void): void {
    if (this.#inFlight) this.#listener = listener;
    else this.#socket.once('drain', listener);
  }

  #writeDirectly(handle: Handle, frame: Frame): void {
    const request = this.#requests.spare;
    if (request === undefined) return this.#requests.watch(handle, () => this.#socket.write(frame.buffer));
    const error = handle.writeBuffer(request, frame.buffer);
    // An empty queue says nothing: a write that was taken in two parts is complete, and has the request all the same.
    const isRequestUsed = request.getAsyncId() !== -1;
    if (isRequestUsed || error !== 0) this.#requests.useSpare();
    if (error !== 0) return this.#fail(error);
    if (!isRequestUsed) return;
    this.#inFlight = frame;
    this.#frames.hold(frame);
    request.buffer = frame.buffer;
    request.oncomplete = (status) => this.#complete(frame, status);
  }

  #complete(frame: Frame, status: number): void {
    this.#frames.drop(frame);
    this.#inFlight = undefined;
    if (status < 0 && !this.#socket.destroyed) return this.#fail(status);
    const listener = this.#listener;
    this.#listener = undefined;
    // The stream's writes that came meanwhile are behind what was in flight.
    if (this.#socket.writableNeedDrain && listener) this.#socket.once('drain', listener);
    else listener?.();
  }

  #fail(error: number): void {
    const code = getSystemErrorName(error);
    this.#socket.destroy(Object.assign(new Error(`write ${code}`), { code, syscall: 'write' }));
  }
}

/** Undefined when writes have to go through the stream, as they do for TLS. */
function handleOf(socket: Socket): Handle | undefined {
  const handle = (socket as unknown as { _handle?: Partial<Handle> | null })._handle;
  if (handle?.constructor.name !== 'TCP' && handle?.constructor.name !== 'Pipe') return undefined;
  if (typeof handle.writeBuffer !== 'function' || typeof handle.writeQueueSize !== 'number') return undefined;
  return handle as Handle;
}
