import fc from 'fast-check';
import { expect, it } from 'vitest';
import { IdTable } from '../../src/log/local/id-table.ts';
import type { RememberedId } from '../../src/log/local/id-table.ts';

const byte = fc.oneof(fc.constantFrom(0, 1, 127, 128, 255), fc.nat(255));
// Few different bytes, so that hashes share words and rows.
const hash = fc
  .tuple(fc.constantFrom(0, 255), fc.nat(3), fc.nat(3), byte)
  .map((bytes) => String.fromCharCode(...bytes).repeat(4));

const remembered: fc.Arbitrary<RememberedId> = fc.record({
  sequence: fc.oneof(fc.nat(), fc.maxSafeNat()),
  time: fc.integer({ min: 0, max: 8_640_000_000_000_000 }),
  digest: fc.array(byte, { minLength: 16, maxLength: 16 }).map((bytes) => String.fromCharCode(...bytes)),
  stored: fc.constantFrom('none', 'memory', 'disk', 'replicated'),
});

it('an id table remembers what a map remembers, however full it is', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(hash, remembered), { maxLength: 400, size: 'max' }),
      hash,
      (entries, another) => {
        const table = new IdTable();
        const map = new Map<string, RememberedId>();
        for (const [key, value] of entries) {
          table.set(key, value);
          map.set(key, value);
        }
        expect(table.size).toBe(map.size);
        for (const key of [...map.keys(), another]) expect(table.get(key)).toEqual(map.get(key));
      },
    ),
    { numRuns: 50 },
  );
});
