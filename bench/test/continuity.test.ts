import { afterAll, describe, expect, it } from 'vitest';
import { UsageError } from '../src/arguments.ts';
import { contestants } from '../src/continuity/contestants.ts';
import { interruptions, type Span } from '../src/continuity/interruptions.ts';
import { measureContinuity } from '../src/continuity/main.ts';
import type { Verdict } from '../src/continuity/judge.ts';
import { runContinuity } from '../src/continuity/run.ts';
import { reconnectStorm } from '../src/continuity/storm.ts';
import { Processes } from '../src/processes.ts';

const span: Span = { cuts: 2, betweenMs: 400, cutMs: 300, sleepMs: 1_000 };
const processes = new Processes(undefined);
afterAll(() => processes.close());

async function run(name: string, interruption: (typeof interruptions)[number]): Promise<Verdict> {
  const contestant = contestants.find((one) => one.name === name);
  if (!contestant) throw new Error(`there is no ${name}`);
  return runContinuity(contestant, interruption, { processes, subscribers: 8, messagesPerSecond: 60, span });
}

describe.concurrent('a subscriber', () => {
  const ours = contestants.filter(({ name }) => name.startsWith('fanfare'));
  const runs = interruptions.flatMap((interruption) =>
    ours.map(({ name }) => [interruption.id, name, interruption] as const),
  );

  it.each(runs)(
    'a subscriber gets everything once and in order after %s, with %s',
    async (_id, name, interruption) => {
      const verdict = await run(name, interruption);
      // Otherwise there was nothing to lose. How many messages there are in that time depends on the machine.
      expect(verdict.due).toBeGreaterThan(8 * 10);
      expect(verdict).toEqual({
        due: verdict.due,
        delivered: verdict.due,
        duplicates: 0,
        reorders: 0,
        phantoms: 0,
      });
    },
  );

  it('a subscriber gets everything once and in order in a storm of reconnects', async () => {
    const [contestant] = ours;
    if (!contestant) throw new Error('there is none');
    const options = { processes, clients: 500, messagesPerSecond: 20, settleMs: 500 };
    const result = await reconnectStorm(contestant, options);
    expect(result).toMatchObject({ isFlawless: true });
    expect(result.resumedMs).toBeLessThan(30_000);
  });

  const reset = interruptions.filter(({ id }) => id === 'reset');

  it.each(reset)(
    'a subscriber of Socket.IO alone loses messages, which the judge detects',
    async (interruption) => {
      const { delivered, due } = await run('socket.io', interruption);
      expect(delivered).toBeLessThan(due);
      expect(delivered).toBeGreaterThan(0);
    },
  );
});

describe('the command', () => {
  it.each([
    [['--interruption', 'reset,rest'], "There is no interruption 'rest'."],
    [['--nonsense'], "Unknown option '--nonsense'"],
  ])(
    'the command of the continuity test refuses the arguments %j before it starts anything',
    async (args, reason) => {
      const wrong = measureContinuity(args, processes);
      await expect(wrong).rejects.toThrow(UsageError);
      await expect(wrong).rejects.toThrow(reason);
    },
  );
});
