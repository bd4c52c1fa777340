import { choose, parseOptions, parseRounds, UsageError } from '../arguments.ts';
import { choosePinning, describeMachine, machineText } from '../machine.ts';
import type { Pinning, Processes } from '../processes.ts';
import { saveJson } from '../save-json.ts';
import { redis } from '../systems/redis.ts';
import { acknowledgement } from './acknowledgement.ts';
import { appends } from './appends.ts';
import { fanOut } from './fan-out.ts';
import { following } from './following.ts';
import type { Part, PartResult } from './part.ts';
import { promotion } from './promotion.ts';

/** In the order in which they run. */
const parts: readonly Part[] = [appends, following, acknowledgement, fanOut, promotion];

const help = `npm run bench -- cluster [options]

Measures many nodes that share one Redis. Without options: everything, which takes half an hour.

  --part IDS    only these measurements, with commas between them (see --list)
  --rounds N    how often each measurement is repeated (5)
  --json FILE   write all figures of all rounds there
  --markdown    print tables in Markdown, for bench/README.md
  --smoke       measure nothing: see in seconds that every measurement works
  --list        list the measurements
  --help        this text`;

const options = {
  part: { type: 'string', multiple: true },
  rounds: { type: 'string' },
  json: { type: 'string' },
  markdown: { type: 'boolean' },
  smoke: { type: 'boolean' },
  list: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

interface ClusterArguments {
  readonly action: 'measure' | 'smoke' | 'list' | 'help';
  readonly parts: readonly Part[];
  readonly rounds: number;
  readonly jsonPath: string | undefined;
  readonly markdown: boolean;
}

/**
 * `npm run bench -- cluster`: measures many nodes that share one Redis.
 *
 * @returns whether everything was measured, and everything was delivered as published
 * @throws UsageError
 */
export async function measureCluster(
  args: readonly string[],
  startProcesses: (pinning: Pinning | undefined) => Processes,
): Promise<boolean> {
  const parsed = parse(args);
  if (parsed.action === 'help') console.log(help);
  if (parsed.action === 'list') for (const { id, about } of parts) console.log(`${id.padEnd(18)}${about}`);
  if (parsed.action === 'help' || parsed.action === 'list') return true;
  if (redis.missing() !== undefined) throw new UsageError('redis-server is not installed.');
  return parsed.action === 'smoke'
    ? smoke(parsed, startProcesses(undefined))
    : measure(parsed, startProcesses(choosePinning()));
}

function parse(args: readonly string[]): ClusterArguments {
  const values = parseOptions(args, options);
  return {
    action: values.help ? 'help' : values.list ? 'list' : values.smoke ? 'smoke' : 'measure',
    parts: choose('part', values.part, parts, ({ id }) => id),
    rounds: parseRounds(values.rounds ?? '5'),
    jsonPath: values.json,
    markdown: values.markdown ?? false,
  };
}

async function smoke({ parts: chosen }: ClusterArguments, processes: Processes): Promise<boolean> {
  let isFine = true;
  const small = { processes, rounds: 1, markdown: false, isSmall: true, onProgress: () => {} };
  for (const part of chosen) {
    try {
      await part.run(small);
      console.log(`${part.id}: works`);
    } catch (error) {
      isFine = false;
      console.log(`${part.id}: WRONG. ${messageOf(error)}`);
    }
  }
  return isFine;
}

async function measure(
  { parts: chosen, rounds, jsonPath, markdown }: ClusterArguments,
  processes: Processes,
): Promise<boolean> {
  const pinning = choosePinning();
  const machine = describeMachine(pinning);
  const begun = new Date().toISOString();
  const results: Record<string, object> = {};
  const failures: string[] = [];
  console.log(`${machineText(machine)} Redis ${redis.version()}\n`);
  const onProgress = (text: string): void => console.error(text);
  for (const part of chosen) {
    try {
      const result: PartResult = await part.run({ processes, rounds, markdown, isSmall: false, onProgress });
      results[part.id] = result.figures;
      console.log(result.text);
      if (pinning) console.log(`${part.placement}\n`);
    } catch (error) {
      failures.push(`${part.id}: ${messageOf(error)}`);
    }
    // After each part, because the next one may be interrupted.
    saveJson(jsonPath, { begun, machine, redis: redis.version(), rounds, results });
  }
  for (const failure of failures) console.log(failure);
  return failures.length === 0;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
