import { InvalidArgumentError, Option, type Command } from 'commander';
import { messageBytesMin } from '../bench/bench-message.ts';
import { transports, type Plan, type Transport } from '../bench/plan.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { examplesHelp } from '../help.ts';
import { addTokenOptions, parseCount, targetOfArgument, urlArgument, type TokenFlags } from './options.ts';

const benchExitCodesHelp = `
Exit codes: 0 done, 1 publishes failed, or messages were lost or repeated, 2
wrong usage, 3 the server cannot be reached, 130 stopped by Ctrl-C, 141 the
reader of the output closed it, 143 stopped by SIGTERM.

After Ctrl-C, the command prints what it has measured. The topics of the
benchmark begin with fanfare-bench/. The command deletes them at the end.`;

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** The default limit of Fanfare. */
const messageBytesMax = 1_048_576;

export function addBench(program: Command): void {
  const command = program
    .command('bench')
    .description('Measure latencies of any server, and count lost messages.')
    .addArgument(urlArgument())
    .addOption(countOption('--subscribers <n>', 'number of Socket.IO clients', 10))
    .addOption(countOption('--publishers <n>', 'number of HTTP connections that publish', 1))
    .addOption(
      new Option(
        '--rate <n>',
        'messages of all publishers in a second; without it, each publisher sends after each response',
      ).argParser(parseCount),
    )
    .addOption(new Option('--size <bytes>', 'size of a message').argParser(parseSize).default(64, '64'))
    .addOption(countOption('--topics <n>', 'number of topics; each subscriber has one of them', 1))
    .addOption(
      new Option('--transports <names>', `${transports.join(', ')} or both: the subscribers take turns`)
        .argParser(parseTransports)
        .default(['websocket'], 'websocket'),
    )
    .addOption(
      new Option('--duration <time>', 'how long to publish, such as 30s, 5m or 2h')
        .argParser(parseDuration)
        .default(10_000, '10s'),
    )
    .option('--json', 'print the figures as a line of JSON', false);
  addTokenOptions(command)
    .addHelpText(
      'after',
      examplesHelp(
        ['fanfare bench --subscribers 100', 'As fast as one publisher can'],
        [
          'fanfare bench --subscribers 500 --publishers 20 --rate 1000 --duration 1m',
          'At a rate, as many messages come in production',
        ],
      ),
    )
    .addHelpText('after', benchExitCodesHelp)
    .action(bench);
}

interface BenchFlags extends TokenFlags {
  readonly subscribers: number;
  readonly publishers: number;
  readonly rate?: number;
  readonly size: number;
  readonly topics: number;
  readonly transports: readonly Transport[];
  readonly duration: number;
  readonly json: boolean;
}

async function bench(url: string | undefined, flags: BenchFlags): Promise<void> {
  const { subscribers, publishers, rate, size, topics, duration, json } = flags;
  if (topics * flags.transports.length > subscribers)
    throw new CommandError(
      exitCodes.usage,
      'Too few --subscribers: each topic needs one of each transport, because a topic exists once it has a subscriber.',
    );
  const target = await targetOfArgument(url, flags);
  const plan: Plan = {
    subscribers,
    publishers,
    rate,
    bytes: size,
    topics,
    transports: flags.transports,
    durationMs: duration,
  };
  const { runBench } = await import('../bench/bench.ts');
  await runBench(target, plan, json);
}

function countOption(flags: string, about: string, fallback: number): Option {
  return new Option(flags, about).argParser(parseCount).default(fallback, String(fallback));
}

function parseSize(text: string): number {
  const bytes = parseCount(text);
  if (bytes < messageBytesMin || bytes > messageBytesMax)
    throw new InvalidArgumentError(`It must be ${messageBytesMin} to ${messageBytesMax} bytes.`);
  return bytes;
}

function parseTransports(text: string): readonly Transport[] {
  const names = text.split(',').map((name) => name.trim());
  const known = transports.filter((transport) => names.includes(transport));
  if (known.length !== names.length)
    throw new InvalidArgumentError(
      `It must be one of: ${transports.join(', ')}; or both, separated by a comma.`,
    );
  return known;
}

function parseDuration(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([smh])$/.exec(text) ?? [];
  const ms = Number(count) * (units[unit] ?? 0);
  if (ms === 0) throw new InvalidArgumentError('It must be a number with the unit s, m or h, such as 30s.');
  return ms;
}
