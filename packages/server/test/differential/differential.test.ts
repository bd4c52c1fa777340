import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inputsOf } from '../hostile/fuzz.ts';
import { startEngine } from './app-on-engine.ts';
import { clock } from './clock.ts';
import { Comparer, inWords } from './compare.ts';
import { meantDifferences } from './meant-differences.ts';
import { search } from './search.ts';
import { stockSocketIo } from './stock.ts';
import { overTcp } from './wire.ts';
import { wrongEnds } from './wrong-ends.ts';

const stock = stockSocketIo();

/** `npm test` plays the same sequences each time. FANFARE_SEED plays others, FANFARE_FUZZ plays more. */
const seed = Number(process.env['FANFARE_SEED'] ?? 1);

/** For any number of sequences. */
const timeout = 24 * 3_600_000;

beforeAll(() => clock.take());

afterAll(() => clock.giveBack());

describe('the engine, compared with stock Socket.IO', { timeout }, () => {
  it('random sequences of a client get the same answers from both, except for meant differences', async () => {
    expect(
      await search(new Comparer(stock, startEngine, meantDifferences), { runs: inputsOf(250), seed }),
    ).toBeUndefined();
  });

  it('random sequences over TCP get the same answers from both, except for meant differences', async () => {
    const comparer = new Comparer(stock, startEngine, meantDifferences, overTcp);
    // The kernel of a busy machine can be late. A real difference shows each time.
    expect(await search(comparer, { runs: inputsOf(50), seed, times: 3 })).toBeUndefined();
  });

  it.each(meantDifferences)(
    'this difference is meant, and still exists: $what',
    async ({ what, example }) => {
      const { listed, unlisted } = await new Comparer(stock, startEngine, meantDifferences).compare(example);
      expect(inWords(unlisted)).toBe('');
      // Otherwise the difference must be deleted from the list.
      expect([...listed].map((one) => one.what)).toContain(what);
    },
  );

  it.each(Object.entries(wrongEnds))(
    'the list of meant differences does not hide a server that %s',
    async (_what, wrong) => {
      const options = { runs: 800, seed: 1, isShortened: false };
      expect(await search(new Comparer(stock, wrong, meantDifferences), options)).toContain('Socket.IO:');
      // Compared with the end itself, which differs where it is meant to.
      expect(await search(new Comparer(wrong, startEngine, meantDifferences), options)).toContain(
        'Socket.IO:',
      );
    },
  );
});
