import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';

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
  /** Takes what it can at once; only what is left needs the request. @returns 0, or a negative error number */
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
}

/** Node's `WriteWrap`. */
interface WriteRequest {
  /** Keeps the bytes alive. */
  buffer?: Buffer;
  oncomplete?: (status: number) => void;
}

type WriteRequestClass = new () => WriteRequest;

/** Has a request at hand for the next write. A request is used up only when the kernel does not take everything at once. */
export class WriteRequests {
  #RequestClass: WriteRequestClass | undefined;
  #spare: WriteRequest | undefined;
  /** How many requests each buffer is in flight with. */
  readonly #inFlight = new Map<Buffer, number>();
  #inFlightBytes = 0;

  /** Of all buffers in flight, each counted once. */
  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  /** Undefined until a write was watched. */
  get spare(): WriteRequest | undefined {
    if (this.#RequestClass) this.#spare ??= new this.#RequestClass();
    return this.#spare;
  }

  /** The spare request has gone off with a buffer. */
  begin(bytes: Buffer): void {
    this.#spare = undefined;
    const count = this.#inFlight.get(bytes) ?? 0;
    this.#inFlight.set(bytes, count + 1);
    if (count === 0) this.#inFlightBytes += bytes.length;
  }

  complete(bytes: Buffer): void {
    const count = this.#inFlight.get(bytes) ?? 0;
    if (count > 1) return void this.#inFlight.set(bytes, count - 1);
    if (this.#inFlight.delete(bytes)) this.#inFlightBytes -= bytes.length;
  }

  /** Sees from a stream's own write what its requests are made of: Node has no other way to get at that. */
  watch(handle: Handle, write: () => void): void {
    const watched = handle as { writeBuffer?: Handle['writeBuffer'] };
    const writeBuffer = handle.writeBuffer.bind(handle);
    watched.writeBuffer = (request, bytes) => {
      const { constructor } = request;
      if (constructor.name === 'WriteWrap') this.#RequestClass = constructor as WriteRequestClass;
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
  readonly #handle: Handle | undefined;
  #inFlightBytes = 0;
  #listener: (() => void) | undefined;

  constructor(socket: Socket, requests: WriteRequests) {
    this.#socket = socket;
    this.#requests = requests;
    this.#handle = handleOf(socket);
  }

  /** The kernel has not taken what it was given; the listener of `onceDrained` will be called. */
  get isBlocked(): boolean {
    return this.#inFlightBytes > 0 || (this.#socket.writableLength > 0 && this.#socket.writableNeedDrain);
  }

  /** What was written beside the stream, and not all taken by the kernel yet. */
  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  /** How many bytes the kernel has taken. */
  get takenBytes(): number {
    if (this.#handle) return this.#handle.bytesWritten - this.#handle.writeQueueSize;
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  /** Bytes for a socket that is closed are dropped. */
  write(bytes: Buffer): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    const handle = this.#handle;
    // What the stream holds goes first, and libuv has its own queue for what is in flight.
    if (handle === undefined || this.#inFlightBytes > 0 || socket.writableLength > 0) socket.write(bytes);
    else this.#writeDirectly(handle, bytes);
  }

  onceDrained(listener: () => void): void {
    if (this.#inFlightBytes > 0) this.#listener = listener;
    else this.#socket.once('drain', listener);
  }

  #writeDirectly(handle: Handle, bytes: Buffer): void {
    const request = this.#requests.spare;
    if (request === undefined) return this.#requests.watch(handle, () => this.#socket.write(bytes));
    const error = handle.writeBuffer(request, bytes);
    if (error !== 0) return this.#fail(error);
    if (handle.writeQueueSize === 0) return;
    this.#requests.begin(bytes);
    this.#inFlightBytes = bytes.length;
    request.buffer = bytes;
    request.oncomplete = (status) => {
      this.#requests.complete(bytes);
      this.#complete(status);
    };
  }

  #complete(status: number): void {
    this.#inFlightBytes = 0;
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
