import type { Socket } from 'node:net';

/*
 * This file has everything that the package knows about the internals of Node's sockets. `write-trial.ts`
 * proves it on a connection of its own before any of it is used. Without that proof, writes go through the
 * stream.
 */

/** libuv's stream under a socket. */
export interface Handle {
  /** Bytes that libuv holds because the kernel did not take them. */
  readonly writeQueueSize: number;
  /** Bytes that libuv was given. */
  readonly bytesWritten: number;
  /**
   * Writes what the kernel takes at once, and queues the rest. Node up to 24.21 and 26.9 needs a request,
   * returns a number and uses the request only for what it queues. Later versions take null, and return a
   * request for that.
   */
  readonly writeBuffer: (request: WriteRequest | null, bytes: Buffer) => unknown;
}

/** Node's `WriteWrap`: a queued write. */
export interface WriteRequest {
  /** Called when the kernel has taken everything (0), or the write has failed (a negative error number). */
  oncomplete?: ((status: number) => void) | undefined;
  /** Later versions: the status of a write that was complete before `oncomplete` was set. */
  readonly writeStatus?: unknown;
  /** Earlier versions: -1 as long as libuv does not use the request. */
  getAsyncId(): unknown;
}

type WriteRequestClass = new () => WriteRequest;

/** The way in which Node's own stream writes to a handle. */
export interface WriteCall {
  readonly writeBuffer: Handle['writeBuffer'];
  /** The class of the request. Undefined if writes need no request. */
  readonly RequestClass: WriteRequestClass | undefined;
}

/** Writes to handles in the way that the trial has proven. Until then it finds no handle. */
export class DirectWrites {
  #call: WriteCall | undefined;
  /** Most writes leave their request unused, so it is kept for the next write. */
  #spare: WriteRequest | undefined;

  /** From now on handles are found. */
  use(call: WriteCall): void {
    this.#call = call;
  }

  /** @returns undefined if writes have to go through the stream of the socket, as with TLS */
  handleOf(socket: Socket): Handle | undefined {
    if (this.#call === undefined) return undefined;
    const handle = rawHandleOf(socket);
    return handle?.writeBuffer === this.#call.writeBuffer && hasCounts(handle) ? handle : undefined;
  }

  /**
   * @returns 0 if the kernel took everything, the request of a queued write, or else the error of the write
   */
  write(handle: Handle, bytes: Buffer): unknown {
    const RequestClass = this.#call?.RequestClass;
    if (RequestClass === undefined) return handle.writeBuffer(null, bytes);
    const request = (this.#spare ??= new RequestClass());
    const error = handle.writeBuffer(request, bytes);
    // The size of the queue is not enough to know: a write that was taken in two parts is complete, and still
    // uses the request.
    const isQueued = request.getAsyncId() !== -1;
    // Node ends the process if a request is used twice.
    if (isQueued || error !== 0) this.#spare = undefined;
    return error === 0 && isQueued ? request : error;
  }
}

/**
 * Finds out how the stream of a socket writes, with a write of its own.
 *
 * @throws Error if the stream does not write as expected
 */
export function observeWrite(socket: Socket, bytes: Buffer): WriteCall {
  const handle = rawHandleOf(socket);
  if (typeof handle?.writeBuffer !== 'function') throw new Error('the socket has no handle with writeBuffer');
  const { writeBuffer } = handle;
  const calls: { readonly args: unknown[]; readonly result: unknown }[] = [];
  const hook = function (this: Handle, ...args: Parameters<Handle['writeBuffer']>): unknown {
    const result = writeBuffer.apply(this, args);
    calls.push({ args, result });
    return result;
  };
  Object.defineProperty(handle, 'writeBuffer', { value: hook, configurable: true });
  try {
    socket.write(bytes);
  } finally {
    Reflect.deleteProperty(handle, 'writeBuffer');
  }
  const [call] = calls;
  if (call === undefined || calls.length > 1)
    throw new Error(`a write calls writeBuffer ${calls.length} times`);
  return { writeBuffer, RequestClass: requestClassOf(call.args, bytes, call.result) };
}

function requestClassOf(
  args: readonly unknown[],
  bytes: Buffer,
  result: unknown,
): WriteRequestClass | undefined {
  if (args.length !== 2 || args[1] !== bytes) throw new Error('writeBuffer is called with other arguments');
  if (result !== 0) throw new Error(`writeBuffer returns ${typeof result} ${String(result)}`);
  const request = args[0] as Partial<WriteRequest> | null | undefined;
  if (request === null) return undefined;
  if (typeof request?.getAsyncId !== 'function') throw new Error('writeBuffer takes another kind of request');
  return request.constructor as WriteRequestClass;
}

function rawHandleOf(socket: Socket): Handle | undefined {
  return (socket as unknown as { readonly _handle?: Handle | null })._handle ?? undefined;
}

function hasCounts({ writeQueueSize, bytesWritten }: Handle): boolean {
  return isCount(writeQueueSize) && isCount(bytesWritten);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
