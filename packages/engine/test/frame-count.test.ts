import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FrameCount } from '../src/frame-count.ts';

/** A frame with a head of each form: a short, a medium or a long length, with a mask or without. */
function frame(length: number, form: 'short' | 'medium' | 'long', isMasked: boolean): Buffer {
  const mark = isMasked ? 0x80 : 0;
  const size = Buffer.alloc(form === 'short' ? 1 : form === 'medium' ? 3 : 9);
  size[0] = mark | (form === 'short' ? length : form === 'medium' ? 126 : 127);
  if (form === 'medium') size.writeUInt16BE(length, 1);
  if (form === 'long') size.writeBigUInt64BE(BigInt(length), 1);
  return Buffer.concat([Buffer.from([0x82]), size, Buffer.alloc(isMasked ? 4 : 0), Buffer.alloc(length, 7)]);
}

const anyFrame = fc
  .tuple(fc.integer({ min: 0, max: 125 }), fc.constantFrom('short', 'medium', 'long'), fc.boolean())
  .map((args) => frame(...args));

it('frames are counted however the bytes arrive', () => {
  fc.assert(
    fc.property(
      fc.array(anyFrame, { minLength: 1, maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }),
      (frames, sizes) => {
        const count = new FrameCount();
        const bytes = Buffer.concat(frames);
        let counted = 0;
        for (let at = 0, size = 0; at < bytes.length; size++) {
          const chunk = bytes.subarray(at, at + (sizes[size % sizes.length] ?? 1));
          counted += count.add(chunk);
          at += chunk.length;
          // A frame counts as soon as the part of its head with its length has arrived.
          const begun = frames.filter((_, to) => Buffer.concat(frames.slice(0, to)).length < at).length;
          expect(begun - counted === 0 || begun - counted === 1).toBe(true);
        }
        expect(counted).toBe(frames.length);
      },
    ),
  );
});

it('a frame that says that it has more bytes than can ever come is one frame', () => {
  const count = new FrameCount();
  const head = Buffer.from([0x82, 0xff, ...Array<number>(8).fill(0xff), 0, 0, 0, 0]);
  expect(count.add(head)).toBe(1);
  for (let at = 0; at < 3; at++) expect(count.add(Buffer.alloc(65_536))).toBe(0);
});
