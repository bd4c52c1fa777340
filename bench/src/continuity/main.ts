import { parseArgs } from 'node:util';
import { Processes } from '../processes.ts';
import { contestants } from './contestants.ts';
import { interruptions, type Span } from './interruptions.ts';
import { isFlawless, type Verdict } from './judge.ts';
import { runContinuity } from './run.ts';

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

function describe(verdict: Verdict): string {
  const { due, delivered, duplicates, reorders } = verdict;
  // Never rounded up to all.
  const percent = (Math.floor((delivered / due) * 10_000) / 100).toFixed(2);
  return `${percent} %${isFlawless(verdict) ? '' : ` (${duplicates}, ${reorders})`}`;
}
