import { choose, parseOptions } from '../arguments.ts';
import type { Processes } from '../processes.ts';
import { contestants } from './contestants.ts';
import { interruptions, type Span } from './interruptions.ts';
import { isFlawless, type Verdict } from './judge.ts';
import { runContinuity } from './run.ts';
import { reconnectStorm } from './storm.ts';

/** Four cuts of 2 s in 20 s. */
const span: Span = { cuts: 4, betweenMs: 2_400, cutMs: 2_000, sleepMs: 60_000 };
const subscribers = 100;
const messagesPerSecond = 15;

/** All clients of a killed server reconnect at about the same time. */
const stormId = 'storm';

/**
 * `npm run bench -- continuity`: measures what subscribers get while they are interrupted.
 *
 * @returns whether everything was measured, and Fanfare's subscribers got everything once and in order
 * @throws UsageError
 */
export async function measureContinuity(args: readonly string[], processes: Processes): Promise<boolean> {
  const wanted = parseWanted(args);
  let isFine = !wanted.includes(stormId) || (await storm(processes));
  console.log(
    `${subscribers} subscribers, ${messagesPerSecond} messages/s: delivered (duplicates, reorders)\n`,
  );
  console.log(`| interruption | ${contestants.map(({ name }) => name).join(' | ')} |`);
  console.log(`| --- |${' --: |'.repeat(contestants.length)}`);
  for (const interruption of interruptions) {
    if (!wanted.includes(interruption.id)) continue;
    const cells: string[] = [];
    for (const contestant of contestants) {
      console.error(`${interruption.id}: ${contestant.name}`);
      const options = { processes, subscribers, messagesPerSecond, span };
      try {
        const verdict = await runContinuity(contestant, interruption, options);
        cells.push(describeVerdict(verdict));
        if (contestant.subscriber !== 'stock') isFine &&= isFlawless(verdict);
      } catch (error) {
        cells.push(error instanceof Error ? error.message : String(error));
        isFine = false;
      }
    }
    console.log(`| \`${interruption.id}\` | ${cells.join(' | ')} |`);
  }
  return isFine;
}

function parseWanted(args: readonly string[]): readonly string[] {
  const known = [stormId, ...interruptions.map(({ id }) => id)];
  const { interruption } = parseOptions(args, { interruption: { type: 'string', multiple: true } });
  return choose('interruption', interruption, known, (id) => id);
}

async function storm(processes: Processes): Promise<boolean> {
  const [contestant] = contestants;
  if (!contestant) return false;
  const options = { processes, clients: 10_000, messagesPerSecond: 2, settleMs: 45_000 };
  const { resumedMs, isFlawless: isFine, steadyMib, peakMib } = await reconnectStorm(contestant, options);
  console.log(
    `storm: ${options.clients} clients resumed ${(resumedMs / 1_000).toFixed(1)} s after a killed server was back, ` +
      `${isFine ? 'each with every message once and in order' : 'NOT with every message once and in order'}; ` +
      `${steadyMib.toFixed(0)} MiB before, at most ${peakMib.toFixed(0)} MiB after (${(peakMib / steadyMib).toFixed(2)} ×)\n`,
  );
  return isFine;
}

export function describeVerdict(verdict: Verdict): string {
  const { due, delivered, duplicates, reorders } = verdict;
  // Never rounded up to 100 %.
  const percent = (Math.floor((delivered / due) * 10_000) / 100).toFixed(2);
  return `${percent} %${isFlawless(verdict) ? '' : ` (${duplicates}, ${reorders})`}`;
}
