import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as ws from 'ws';
import { encodeTextFrames } from '../src/outbox/websocket-frames.ts';

/** Parts of ws that its types leave out. */
interface Inside {
  readonly Sender: { frame(this: void, data: Buffer, options: object): readonly (Buffer | string)[] };
}

const { frame } = (ws as unknown as Inside).Sender;

/** Makes the frame of a packet with ws. */
function framed(packet: string): Buffer {
  const options = { fin: true, opcode: 1, mask: false, rsv1: false, readOnly: false };
  return Buffer.concat(frame(Buffer.from(`4${packet}`), options).map((part) => Buffer.from(part)));
}

function expectFrames(packets: readonly string[]): void {
  expect(encodeTextFrames(packets).equals(Buffer.concat(packets.map(framed)))).toBe(true);
}

test('frames of all lengths are the same as those of ws', () => {
  for (const length of [0, 1, 123, 124, 125, 126, 65_533, 65_534, 65_535, 65_536, 200_000]) {
    expectFrames(['x'.repeat(length)]);
    // The same number of UTF-16 units, and more bytes.
    expectFrames(['é'.repeat(length / 2), '€'.repeat(length / 3), '😀'.repeat(length / 4)]);
  }
});

test('frames of all texts are the same as those of ws, with half a character too', () => {
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), fc.string({ maxLength: 200 }));
  const half = text.map((value) => `${value}\ud83d`);
  fc.assert(fc.property(fc.array(fc.oneof(text, half), { maxLength: 10 }), expectFrames), { numRuns: 50 });
});
