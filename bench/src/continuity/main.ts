import { parseArgs } from 'node:util';
import { Processes } from '../processes.ts';
import { contestants } from './contestants.ts';
import { interruptions, type Span } from './interruptions.ts';
import { isFlawless, type Verdict } from './judge.ts';
import { runContinuity } from './run.ts';
import { reconnectStorm } from './storm.ts';

/** Four cuts of 2 s in 20 s. */
const span: Span = { cuts: 4, betweenMs: 2_400, cutMs: 2_000, sleepMs: 60_000 };
const subscribers = 100;
const messagesPerSecond = 15;

/** `npm run bench -- continuity`: what subscribers get while they are interrupted. */
export async function measureContinuity(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { interruption: { type: 'string', multiple: true } },
  });
  const wanted = values.interruption?.flatMap((list) => list.split(','));
  const processes = new Processes(undefined);
  process.once('exit', () => processes.close());
  process.once('SIGINT', () => process.exit(130));
  if (!wanted || wanted.includes('storm')) await storm(processes);
  console.log(
    `${subscribers} subscribers, ${messagesPerSecond} messages/s: delivered (duplicates, reorders)\n`,
  );
  console.log(`| interruption | ${contestants.map(({ name }) => name).join(' | ')} |`);
  console.log(`| --- |${' --: |'.repeat(contestants.length)}`);
  for (const interruption of interruptions) {
    if (wanted && !wanted.includes(interruption.id)) continue;
    const cells: string[] = [];
    for (const contestant of contestants) {
      console.error(`${interruption.id}: ${contestant.name}`);
      const options = { processes, subscribers, messagesPerSecond, span };
      cells.push(
        await runContinuity(contestant, interruption, options).then(
          describe,
          (error: Error) => error.message,
        ),
      );
    }
    console.log(`| \`${interruption.id}\` | ${cells.join(' | ')} |`);
  }
}

/** All clients of a server that is killed come again at about the same time. */
async function storm(processes: Processes): Promise<void> {
  const [contestant] = contestants;
  if (!contestant) return;
  const options = { processes, clients: 10_000, messagesPerSecond: 2, settleMs: 45_000 };
  const { resumedMs, isFlawless: isFine, steadyMib, peakMib } = await reconnectStorm(contestant, options);
  console.log(
    `storm: ${options.clients} clients resumed ${(resumedMs / 1_000).toFixed(1)} s after a killed server was back, ` +
      `${isFine ? 'each with every message once and in order' : 'NOT with every message once and in order'}; ` +
      `${steadyMib.toFixed(0)} MiB before, at most ${peakMib.toFixed(0)} MiB after (${(peakMib / steadyMib).toFixed(2)} ×)\n`,
  );
}

function describe(verdict: Verdict): string {
  const { due, delivered, duplicates, reorders } = verdict;
  // Never rounded up to all.
  const percent = (Math.floor((delivered / due) * 10_000) / 100).toFixed(2);
  return `${percent} %${isFlawless(verdict) ? '' : ` (${duplicates}, ${reorders})`}`;
}
