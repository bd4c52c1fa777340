import { parseArgs, type ParseArgsConfig } from 'node:util';
import type { Scenario } from './scenario.ts';
import { scenarios } from './scenarios.ts';
import type { System } from './systems/system.ts';
import { systems } from './systems/systems.ts';

export interface Arguments {
  readonly action: 'measure' | 'smoke' | 'list' | 'help';
  readonly scenarios: readonly Scenario[];
  readonly systems: readonly System[];
  readonly rounds: number;
  /** The file that gets all results. */
  readonly jsonPath: string | undefined;
  readonly markdown: boolean;
}

/** The command line is wrong. */
export class UsageError extends Error {}

export const help = `npm run bench -- [options]

Measures Fanfare beside other pub/sub servers. Without options: everything, which takes three hours or so.

  --scenario IDS   only these scenarios, with commas between them (see --list)
  --systems NAMES  only these systems, with commas between them (see --list)
  --rounds N       how often each system has its turn in a scenario (5)
  --json FILE      write all figures of all rounds there
  --markdown       print tables in Markdown, for bench/README.md
  --smoke          measure nothing: see in seconds that every system delivers what was published
  continuity       measure something else: what subscribers get while they are interrupted
                   (--interruption IDS: only these)
  cluster          measure many nodes with one Redis (cluster --help has its options)
  adapters         compare two nodes with Socket.IO's adapters for Redis (see adapters --help)
  model            measure nothing: calculate what many nodes need (see model --help)
  --list           list the scenarios and the systems
  --help           this text

Exit codes: 0 done, 1 a system delivered something wrong or could not be measured, 2 wrong usage,
130 ended by Ctrl-C, 143 ended by SIGTERM.`;

const options = {
  scenario: { type: 'string', multiple: true },
  systems: { type: 'string', multiple: true },
  rounds: { type: 'string' },
  json: { type: 'string' },
  markdown: { type: 'boolean' },
  smoke: { type: 'boolean' },
  list: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

/** @throws UsageError */
export function parseArguments(args: readonly string[]): Arguments {
  const values = parseOptions(args, options);
  if (values.smoke === true && (values.scenario ?? values.rounds ?? values.json) !== undefined) {
    throw new UsageError('--smoke measures nothing: it goes with --systems only.');
  }
  return {
    action: values.help ? 'help' : values.list ? 'list' : values.smoke ? 'smoke' : 'measure',
    scenarios: choose('scenario', values.scenario, scenarios, ({ id }) => id),
    systems: choose('system', values.systems, systems, ({ name }) => name),
    rounds: parseRounds(values.rounds ?? '5'),
    jsonPath: values.json,
    markdown: values.markdown ?? false,
  };
}

/** @throws UsageError */
export function parseOptions<Options extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  known: Options,
): ReturnType<typeof parseArgs<{ options: Options }>>['values'] {
  try {
    return parseArgs({ args: [...args], options: known }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/**
 * The items that are named in lists with commas.
 *
 * @param what - the kind of the items, for the error
 * @throws UsageError
 */
export function choose<Item>(
  what: string,
  wanted: readonly string[] | undefined,
  items: readonly Item[],
  nameOf: (item: Item) => string,
): readonly Item[] {
  if (wanted === undefined) return items;
  const names = wanted.flatMap((list) => list.split(',')).map((name) => name.trim());
  const known = items.map(nameOf);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`There is no ${what} '${unknown}'. There are: ${known.join(', ')}.`);
  }
  return items.filter((item) => names.includes(nameOf(item)));
}

/** @throws UsageError */
export function parseRounds(text: string): number {
  const rounds = Number(text);
  if (Number.isSafeInteger(rounds) && rounds >= 1) return rounds;
  throw new UsageError(`--rounds takes a whole number from 1, not '${text}'.`);
}
