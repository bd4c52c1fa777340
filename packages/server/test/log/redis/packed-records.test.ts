import type { Topic } from '@fanfare/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PackedRecords } from '../../../src/log/redis/packed-records.ts';
import type { LogRecord } from '../../../src/log/topic-log.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 20 });

const record = fc
  .record(
    {
      // Chunks have a megabyte, and a longer record has a chunk of its own.
      size: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constantFrom(300_000, 1_100_000)),
      letter: fc.constantFrom('x', 'é', '😀'),
      ordinal: fc.integer({ min: 1, max: 2 ** 40 }),
      time: fc.integer({ min: 0, max: 2 ** 45 }),
      id: text,
      publisher: text,
    },
    { requiredKeys: ['size', 'letter', 'ordinal', 'time'] },
  )
  .map(({ size, letter, ...rest }): Omit<LogRecord, 'sequence' | 'topic' | 'epoch'> => {
    const messageJson = JSON.stringify(letter.repeat(size / Buffer.byteLength(letter)));
    return Object.assign(rest, { messageJson });
  });

describe('packed records', () => {
  it('packed records come back as they were, whatever was dropped before them', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: record },
      { weight: 2, arbitrary: fc.constant('drop' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (script) => {
        const packed = new PackedRecords();
        const kept: LogRecord[] = [];
        let sequence = 0;
        for (const each of script) {
          if (each !== 'drop') {
            const next = { ...each, topic: 'a' as Topic, epoch: 'E', sequence: ++sequence };
            packed.push(next, Buffer.byteLength(next.messageJson));
            kept.push(next);
          } else if (kept.length > 0) {
            packed.dropOldest();
            kept.shift();
          }
        }
        expect(packed.length).toBe(kept.length);
        for (const [index, expected] of kept.entries()) {
          expect(packed.timeAt(index)).toBe(expected.time);
          expect(packed.ordinalAt(index)).toBe(expected.ordinal);
          const found = packed.at(index, expected);
          expect(found.messageJson === expected.messageJson).toBe(true);
          expect({ ...found, messageJson: '' }).toEqual({ ...expected, messageJson: '' });
        }
      }),
      { numRuns: 40 },
    );
  });

  it('packed records can be dropped and added many times', () => {
    const packed = new PackedRecords();
    const place = { topic: 'a' as Topic, epoch: 'E', sequence: 1 };
    for (let at = 0; at < 20_000; at++) {
      packed.push(
        { ...place, messageJson: `"${at}${'x'.repeat(300)}"`, ordinal: at, time: at },
        302 + String(at).length,
      );
      if (at >= 5_000) packed.dropOldest();
    }
    expect(packed.length).toBe(5_000);
    expect(packed.at(0, place)).toMatchObject({ ordinal: 15_000, time: 15_000 });
    expect(packed.at(4_999, place).messageJson).toBe(`"19999${'x'.repeat(300)}"`);
    expect(() => packed.at(5_000, place)).toThrow('There is no record 5000 of 5000.');
  });
});
