import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { Frame, HeldFrames } from '../src/frame.ts';
import { KernelWriter, WriteRequests } from '../src/kernel-writer.ts';

class WriteWrap {
  isAttached = false;
  oncomplete: ((status: number) => void) | undefined;

  getAsyncId(): number {
    return this.isAttached ? 7 : -1;
  }
}

/** libuv as it is when the reader makes room while a write is under way: taken in two parts, and nothing queued. */
class TCP {
  writeQueueSize = 0;
  bytesWritten = 0;
  attaches = false;
  readonly requests: WriteWrap[] = [];

  writeBuffer(request: WriteWrap): number {
    // Node aborts the process here.
    if (request.isAttached) throw new Error('the request is in use');
    this.requests.push(request);
    request.isAttached = this.attaches;
    return 0;
  }
}

test('a request that libuv has is not used again, though nothing is queued, and the next write waits', () => {
  const handle = new TCP();
  const stream: Buffer[] = [];
  const write = (bytes: Buffer): boolean => {
    stream.push(bytes);
    handle.writeBuffer(new WriteWrap());
    return true;
  };
  const socket = { _handle: handle, writable: true, writableLength: 0, writableNeedDrain: false, write };
  const frames = new HeldFrames();
  const requests = new WriteRequests();
  const frame = new Frame(Buffer.from('abc'));
  const open = (): KernelWriter => new KernelWriter(socket as unknown as Socket, requests, frames);

  const [first, second] = [open(), open()];
  first.write(frame);
  expect(stream).toHaveLength(1);
  handle.attaches = true;
  first.write(frame);
  expect([first.isBlocked, frames.bytes]).toEqual([true, 3]);
  second.write(frame);
  expect([second.isBlocked, frames.bytes]).toEqual([true, 3]);

  let drains = 0;
  first.onceDrained(() => drains++);
  for (const request of handle.requests) request.oncomplete?.(0);
  expect([drains, first.isBlocked, frames.bytes]).toEqual([1, false, 0]);
});
