import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { Frame, HeldFrames } from '../src/outbox/frame.ts';
import { fanoutAdapter } from '../src/index.ts';
import { collect, join, onlySocket, serve, turn, warnings } from './harness.ts';

let reasons: string[];
let frames: HeldFrames;

beforeEach(() => {
  reasons = [];
  frames = new HeldFrames((reason) => void reasons.push(reason));
});

const frameOf = (bytes: number): Frame => new Frame(Buffer.alloc(bytes));

test('a frame counts once until its last holder drops it', () => {
  const [shared, other] = [frameOf(100), frameOf(10)];
  for (const frame of [shared, shared, other]) frames.hold(frame);
  expect(frames.bytes).toBe(110);
  frames.drop(shared);
  expect(frames.bytes).toBe(110);
  frames.drop(shared);
  expect(frames.bytes).toBe(10);
  frames.drop(other);
  expect(frames.bytes).toBe(0);
  expect(reasons).toEqual([]);
});

test('a frame that is dropped once too often is reported, and counts correctly afterwards', () => {
  const frame = frameOf(100);
  frames.hold(frame);
  frames.drop(frame);
  frames.drop(frame);
  expect(reasons).toEqual(['a frame was dropped that nobody held']);
  expect(frames.bytes).toBe(0);
  frames.hold(frame);
  expect(frames.bytes).toBe(100);
});

test('bytes that are counted without any frame are reported, and do not count any more', () => {
  const frame = frameOf(100);
  frames.hold(frame);
  // A frame must not change while it is held.
  Object.assign(frame, { buffer: Buffer.alloc(30) });
  frames.drop(frame);
  expect(reasons).toEqual(['70 bytes were counted after the last frame was dropped']);
  expect(frames.bytes).toBe(0);
});

test('a wrong count of frames is one warning of the process, and broadcasts go on', async () => {
  const warned = warnings();
  const { io, url } = await serve({ adapter: fanoutAdapter() });
  const events = collect(await join(url));
  const hold = vi.spyOn(HeldFrames.prototype, 'hold').mockReturnValue();
  onTestFinished(() => hold.mockRestore());
  for (let number = 0; number < 3; number++) {
    io.emit('news', number);
    await turn();
  }
  hold.mockRestore();
  onlySocket(io).emit('end');
  expect(await events).toEqual([0, 1, 2].map((number) => ['news', number]));
  expect(warned.filter(({ code }) => code === 'FANOUT_MISCOUNT')).toMatchObject([
    { message: expect.stringContaining('a frame was dropped that nobody held') as string },
  ]);
});
