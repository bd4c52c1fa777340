import { algorithmOf, algorithms, type Algorithm } from '@fanfare/server/algorithms';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { examplesHelp } from '../help.ts';
import { secretOf } from './options.ts';

const tokenExitCodesHelp = `
Exit codes: 0 done, 1 the text is not a token, 2 wrong usage, or the key cannot
be used.`;

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

interface Flags {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  readonly admin: boolean;
  readonly expires: number;
  readonly key?: string;
  readonly keyFile?: string;
  readonly keyAlgorithm?: Algorithm | '';
  readonly kid?: string;
  readonly audience?: string;
  readonly issuer?: string;
}

export function addToken(program: Command): void {
  const token = program
    .command('token')
    .description('Create and explain the tokens that clients sign in with.');
  token
    .command('mint')
    .description('Create a token that is signed with a secret or a private key.')
    .argument('<subject>', 'who the token is for')
    .option('--publish <pattern...>', 'topics and patterns that the token may publish to', [])
    .option('--subscribe <pattern...>', 'topics and patterns that the token may read', [])
    .option('--admin', 'allow everything', false)
    .addOption(
      new Option('--expires <time>', 'lifetime, such as 15m, 12h or 30d')
        .argParser(parseLifetime)
        .default(parseLifetime('1h'), '1h'),
    )
    .option('--key <key>', 'secret, or private key as PEM or JWK (env: FANFARE_KEY)')
    .option('--key-file <file>', 'file with the key (env: FANFARE_KEY_FILE)')
    .addOption(
      new Option('--key-algorithm <algorithm>', `algorithm of the signature: ${algorithms.join(', ')}`)
        .argParser(parseAlgorithm)
        .env('FANFARE_KEY_ALGORITHM'),
    )
    .option('--kid <kid>', 'name of the key')
    .addOption(new Option('--audience <audience>', 'audience (aud) of the token').env('FANFARE_AUDIENCE'))
    .addOption(new Option('--issuer <issuer>', 'issuer (iss) of the token').env('FANFARE_ISSUER'))
    .addHelpText(
      'after',
      examplesHelp(
        [
          "fanfare token mint ann --key-file secret --subscribe 'orders/*' > ann.token",
          'Create a token for a client that reads',
        ],
        [
          'fanfare token mint root --key-file secret --admin --expires 15m',
          'Create a token for yourself and the console',
        ],
      ),
    )
    .addHelpText('after', tokenExitCodesHelp)
    .action(async (subject: string, { expires, ...flags }: Flags) => {
      const { runMint } = await import('../token.ts');
      const key = await secretOf('key', flags.key, flags.keyFile);
      // An empty variable counts as not set.
      const keyAlgorithm = flags.keyAlgorithm || undefined;
      const [audience, issuer] = [flags.audience || undefined, flags.issuer || undefined];
      const { kid } = flags;
      await runMint({ ...flags, subject, lifetimeMs: expires, key, keyAlgorithm, kid, audience, issuer });
    });
  token
    .command('explain')
    .description('Print the content of a token in words. The signature is not verified.')
    .argument('[token]', 'the token (default: the standard input)')
    .addHelpText('after', tokenExitCodesHelp)
    .action(async (given: string | undefined) => {
      const { runExplain } = await import('../token.ts');
      runExplain(given ?? (await readInput()));
    });
}

async function readInput(): Promise<string> {
  let text = '';
  for await (const piece of process.stdin) text += String(piece);
  return text;
}

function parseAlgorithm(text: string): Algorithm | '' {
  const found = algorithmOf(text);
  if (found !== undefined || text === '') return found ?? '';
  throw new InvalidArgumentError(`It must be one of ${algorithms.join(', ')}.`);
}

function parseLifetime(text: string): number {
  const [, number, unit = ''] = /^([0-9]{1,9})([smhd])$/.exec(text) ?? [];
  const ms = Number(number) * (units[unit] ?? NaN);
  if (Number.isSafeInteger(ms) && ms > 0) return ms;
  throw new InvalidArgumentError('It must be a time such as 30s, 15m, 12h or 30d.');
}
