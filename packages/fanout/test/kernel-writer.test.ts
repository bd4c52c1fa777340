import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { DirectWrites, type WriteCall } from '../src/outbox/direct-writes.ts';
import { Frame, HeldFrames } from '../src/outbox/frame.ts';
import { KernelWriter } from '../src/outbox/kernel-writer.ts';

class WriteWrap {
  isAttached = false;
  writeStatus: number | null = null;
  oncomplete: ((status: number) => void) | undefined;

  getAsyncId(): number {
    return this.isAttached ? 7 : -1;
  }
}

/** What libuv does with a write: it takes everything, queues a part, or fails with a number. */
type Outcome = 'taken' | 'queued' | number;

/**
 * A handle of either kind of Node. Its queue looks empty after a queued write, because the reader has read
 * meanwhile.
 */
class TCP {
  writeQueueSize = 0;
  bytesWritten = 0;
  outcome: Outcome = 'taken';
  readonly requests: WriteWrap[] = [];

  /** As in Node up to 24.21 and 26.9. */
  writeWithRequest(request: WriteWrap): number {
    // Node aborts the process here.
    if (request.isAttached) throw new Error('the request is in use');
    this.requests.push(request);
    request.isAttached = this.outcome === 'queued';
    return typeof this.outcome === 'number' ? this.outcome : 0;
  }

  /** As in later versions. */
  writeWithoutRequest(request: null): unknown {
    if (request !== null) throw new Error('no request is taken');
    if (this.outcome !== 'queued') return this.outcome === 'taken' ? 0 : this.outcome;
    const queued = new WriteWrap();
    this.requests.push(queued);
    return queued;
  }
}

const { writeWithRequest, writeWithoutRequest } = TCP.prototype as unknown as Record<
  'writeWithRequest' | 'writeWithoutRequest',
  WriteCall['writeBuffer']
>;

const withRequests: WriteCall = { writeBuffer: writeWithRequest, RequestClass: WriteWrap };
const withoutRequests: WriteCall = { writeBuffer: writeWithoutRequest, RequestClass: undefined };
const nodes: readonly [string, WriteCall][] = [
  ['with requests', withRequests],
  ['without requests', withoutRequests],
];

/** A socket over such a handle. Its stream counts the bytes that it gets. */
class Stream extends EventEmitter {
  readonly _handle: TCP & Partial<WriteCall>;
  writable = true;
  destroyed = false;
  writableLength = 0;
  writableNeedDrain = false;
  bytesWritten = 0;
  readonly written: Buffer[] = [];
  error: NodeJS.ErrnoException | undefined;

  constructor({ writeBuffer }: WriteCall) {
    super();
    this._handle = Object.assign(new TCP(), { writeBuffer });
  }

  write(bytes: Buffer): boolean {
    this.written.push(bytes);
    return true;
  }

  destroy(error: NodeJS.ErrnoException): void {
    this.destroyed = true;
    this.writable = false;
    this.error = error;
  }
}

const frame = new Frame(Buffer.from('abc'));

describe.each(nodes)('on a Node whose handles write %s', (_name, call) => {
  const frames = new HeldFrames();
  const direct = new DirectWrites();
  direct.use(call);
  const open = (): { stream: Stream; handle: TCP; writer: KernelWriter } => {
    const stream = new Stream(call);
    return {
      stream,
      handle: stream._handle,
      writer: new KernelWriter(stream as unknown as Socket, direct, frames),
    };
  };

  test('writes that libuv queues block their connection until they complete, even if the queue is empty', () => {
    const [first, second] = [open(), open()];
    let drains = 0;
    for (const { writer, handle } of [first, second]) {
      writer.write(frame);
      expect(writer.isBlocked).toBe(false);
      handle.outcome = 'queued';
      writer.write(frame);
      expect([writer.isBlocked, writer.inFlightBytes, frames.bytes]).toEqual([true, 3, 3]);
      writer.onceDrained(() => drains++);
    }
    for (const { handle } of [first, second]) handle.requests.at(-1)?.oncomplete?.(0);
    expect([drains, first.writer.isBlocked, frames.bytes]).toEqual([2, false, 0]);
    expect([first.stream.written, second.stream.written]).toEqual([[], []]);
  });

  test('a write that fails at once ends its connection, and the next one is not affected', () => {
    const [failing, other] = [open(), open()];
    failing.handle.outcome = -32;
    failing.writer.write(frame);
    other.writer.write(frame);
    expect(failing.stream.error).toMatchObject({ code: 'EPIPE', syscall: 'write', message: 'write EPIPE' });
    expect([failing.writer.isBlocked, other.stream.destroyed]).toEqual([false, false]);
  });

  test('a write that fails later ends its connection', () => {
    const { stream, handle, writer } = open();
    handle.outcome = 'queued';
    writer.write(frame);
    handle.requests.at(-1)?.oncomplete?.(-104);
    expect([stream.error?.code, frames.bytes]).toEqual(['ECONNRESET', 0]);
  });

  test.each([Number.NaN, 1])(
    'an unknown result of a write ends the connection, and not the process: %s',
    (result) => {
      const { stream, handle, writer } = open();
      handle.outcome = result;
      writer.write(frame);
      expect(stream.error).toMatchObject({ code: 'UNKNOWN', syscall: 'write' });
    },
  );

  test('bytes that the stream holds go first', () => {
    const { stream, writer } = open();
    stream.writableLength = 1;
    writer.write(frame);
    expect(stream.written).toEqual([frame.buffer]);
  });
});

test('a queued write that completed before a listener was set does not block the connection', () => {
  const complete = new WriteWrap();
  complete.writeStatus = 0;
  const stream = new Stream({ ...withoutRequests, writeBuffer: () => complete });
  const direct = new DirectWrites();
  direct.use({ ...withoutRequests, writeBuffer: stream._handle.writeBuffer as WriteCall['writeBuffer'] });
  const writer = new KernelWriter(stream as unknown as Socket, direct, new HeldFrames());
  writer.write(frame);
  expect([writer.isBlocked, stream.written]).toEqual([false, []]);
});

test.each(nodes)(
  'writes go through the streams until direct writes %s are proven, and past them afterwards',
  (_name, call) => {
    const stream = new Stream(call);
    const direct = new DirectWrites();
    const writer = new KernelWriter(stream as unknown as Socket, direct, new HeldFrames());
    writer.write(frame);
    expect(stream.written).toHaveLength(1);
    direct.use(call);
    writer.write(frame);
    expect(stream.written).toHaveLength(1);
  },
);

test('a handle that writes with another function, or does not count its bytes, is not used', () => {
  const direct = new DirectWrites();
  direct.use(withoutRequests);
  const [other, uncounted] = [new Stream(withRequests), new Stream(withoutRequests)];
  uncounted._handle.bytesWritten = undefined as unknown as number;
  for (const stream of [other, uncounted]) {
    new KernelWriter(stream as unknown as Socket, direct, new HeldFrames()).write(frame);
    expect(stream.written).toHaveLength(1);
  }
});
