import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clock } from './clock.ts';
import { Comparer, inWords, type MeantDifference } from './compare.ts';
import { search } from './search.ts';
import { stockSocketIo } from './stock.ts';
import { wrongEnds } from './wrong-ends.ts';

const stock = stockSocketIo();

/** The same sequences each time: a rare fault must not be found by luck alone. */
const seed = 1;

const acceptsOthers = stockSocketIo((io) => void io.of('/other'));

/** The difference of a server that accepts another namespace. */
const meantOther: MeantDifference = {
  what: 'Another namespace is accepted.',
  why: 'A test.',
  example: [{ do: 'open' }, { do: 'send', socket: 0, frames: [{ text: '40/other,' }] }],
  isLast: true,
  matches: ({ stock: refusal }) => refusal.includes('Invalid namespace'),
};

beforeAll(() => clock.take());
afterAll(() => clock.giveBack());

describe('the comparer of the differential run', () => {
  it('stock Socket.IO gives the same answers to the same sequences each time', async () => {
    expect(await search(new Comparer(stock, stock, []), { runs: 100, seed })).toBeUndefined();
  });

  it.each(Object.entries(wrongEnds))(
    'the differential run detects a server that %s',
    async (_what, wrong) => {
      const found = await search(new Comparer(stock, wrong, []), { runs: 400, seed, isShortened: false });
      expect(found).toContain('Socket.IO:');
    },
  );

  it('the report of a difference has the seed, the shortest sequence, and both answers', async () => {
    const found = await search(new Comparer(stock, acceptsOthers, []), { runs: 400, seed });
    expect(found).toContain(`FANFARE_SEED=${seed}`);
    expect(found).toContain('Invalid namespace');
    expect(found?.match(/\bdo: /g)?.length).toBeLessThanOrEqual(6);
  });

  it('a difference that is listed is accepted, and only this one', async () => {
    const { example } = meantOther;
    const listed = await new Comparer(stock, acceptsOthers, [meantOther]).compare(example);
    expect([...listed.listed]).toEqual([meantOther]);
    expect(listed.unlisted).toEqual([]);
    const unlisted = await new Comparer(stock, acceptsOthers, []).compare(example);
    expect(inWords(unlisted.unlisted)).toContain('44/other,{"message":"Invalid namespace"}');
    const other = await new Comparer(stock, wrongEnds['sends no acknowledgements'] ?? stock, [
      meantOther,
    ]).compare([
      { do: 'open' },
      { do: 'send', socket: 0, frames: [{ text: '40' }] },
      { do: 'send', socket: 0, frames: [{ text: '427["a"]' }] },
    ]);
    expect(inWords(other.unlisted)).toContain('text 437["a"]');
  });

  it('a listed difference that no longer exists is reported', async () => {
    expect(await new Comparer(stock, acceptsOthers, [meantOther]).stale()).toEqual([]);
    expect(await new Comparer(stock, stock, [meantOther]).stale()).toEqual([meantOther]);
  });
});
