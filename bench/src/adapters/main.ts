import { choose, parseOptions, parseRounds, UsageError } from '../arguments.ts';
import { describeVerdict } from '../continuity/main.ts';
import { isFlawless } from '../continuity/judge.ts';
import { choosePinning, describeMachine, machineText } from '../machine.ts';
import type { Pinning, Processes } from '../processes.ts';
import { runScenario } from '../run.ts';
import { redis } from '../systems/redis.ts';
import { systemOf } from '../systems/systems.ts';
import { renderScenario } from '../table.ts';
import { nodeContestants } from './node-contestants.ts';
import { redisInterruptions, type RedisInterruption, type RedisSpan } from './redis-interruptions.ts';
import { runNodes } from './run-nodes.ts';
import { pairs, pairScenarios } from './scenarios.ts';

/** Four interruptions in 20 s. */
const span: RedisSpan = { cuts: 4, betweenMs: 2_400, cutMs: 2_000, outageMs: 15_000 };
const subscribers = 50;
const messagesPerSecond = 15;

const help = `npm run bench -- adapters [options]

Compares two nodes of Fanfare with two servers of Socket.IO and its adapters for Redis. Without options:
everything, which takes half an hour.

  --rounds N           how often the cost of a delivery is measured (5)
  --interruption IDS   only these interruptions of Redis, with commas between them; no costs without --rounds
                       (${redisInterruptions.map(({ id }) => id).join(', ')})
  --help               this text`;

/**
 * `npm run bench -- adapters`: compares several nodes of Fanfare with several servers of Socket.IO and its
 * adapters for Redis.
 *
 * @returns whether all costs were measured, and Fanfare's subscribers got everything once and in order
 * @throws UsageError
 */
export async function measureAdapters(
  args: readonly string[],
  startProcesses: (pinning: Pinning | undefined) => Processes,
): Promise<boolean> {
  const { isHelp, rounds, interruptions } = parse(args);
  if (isHelp) {
    console.log(help);
    return true;
  }
  if (redis.missing() !== undefined) throw new UsageError('redis-server is not installed.');
  const pinning = choosePinning();
  const processes = startProcesses(pinning);
  const versions = pairs.map((name) => `${name} ${systemOf(name).version()}`);
  console.log(
    `${machineText(describeMachine(pinning))} Redis ${redis.version()}\n\n${versions.join(', ')}\n`,
  );
  const areMeasured = rounds === 0 || (await measureCosts(rounds, processes));
  return (await measureInterruptions(interruptions, processes)) && areMeasured;
}

async function measureCosts(rounds: number, processes: Processes): Promise<boolean> {
  console.log(
    "The publishers' node runs beside the load. `CPU per delivery` is the CPU time of the subscribers' node.\n",
  );
  const onProgress = (text: string): void => console.error(text);
  let isFine = true;
  for (const scenario of pairScenarios) {
    const result = await runScenario(scenario, pairs.map(systemOf), { rounds, processes, onProgress });
    console.log(renderScenario(result, { markdown: true, absent: [] }));
    for (const { system, failure } of result.systems) {
      if (failure === undefined) continue;
      console.log(`${scenario.id}, ${system}: ${failure}\n`);
      isFine = false;
    }
  }
  return isFine;
}

async function measureInterruptions(
  interruptions: readonly RedisInterruption[],
  processes: Processes,
): Promise<boolean> {
  const paths = ['A → A', 'B → A', 'A → B', 'B → B'];
  console.log(
    `${subscribers} subscribers and ${messagesPerSecond} messages/s on each of two nodes: delivered ` +
      '(duplicates, reorders) by the nodes of publisher and subscriber; longest wait for an acknowledgement\n',
  );
  console.log(`| interruption | contestant | ${paths.join(' | ')} | A, ms | B, ms |`);
  console.log(`| --- | --- |${' --: |'.repeat(paths.length + 2)}`);
  let isFine = true;
  for (const interruption of interruptions) {
    for (const contestant of nodeContestants) {
      console.error(`${interruption.id}: ${contestant.name}`);
      const row: string[] = [];
      try {
        const options = { processes, subscribers, messagesPerSecond, span };
        const verdict = await runNodes(contestant, interruption, options);
        row.push(...verdict.paths.map(describeVerdict), ...verdict.longestMs.map((ms) => ms.toFixed(0)));
        if (contestant.subscriber !== 'stock') isFine &&= verdict.paths.every(isFlawless);
      } catch (error) {
        row.push('failed');
        console.error(error instanceof Error ? error.message : String(error));
        // If a node of Socket.IO ends, that is a result.
        if (contestant.subscriber !== 'stock') isFine = false;
      }
      console.log(`| \`${interruption.id}\` | ${contestant.name} | ${row.join(' | ')} |`);
    }
  }
  return isFine;
}

const options = {
  rounds: { type: 'string' },
  interruption: { type: 'string', multiple: true },
  help: { type: 'boolean' },
} as const;

interface AdaptersArguments {
  readonly isHelp: boolean;
  /** Of the costs; 0 leaves them out. */
  readonly rounds: number;
  readonly interruptions: readonly RedisInterruption[];
}

function parse(args: readonly string[]): AdaptersArguments {
  const { help: isHelp = false, rounds, interruption } = parseOptions(args, options);
  const isOnly = rounds === undefined && interruption !== undefined;
  return {
    isHelp,
    rounds: isOnly ? 0 : parseRounds(rounds ?? '5'),
    interruptions: choose('interruption', interruption, redisInterruptions, ({ id }) => id),
  };
}
