import { settingKinds } from '@fanfare/server/settings';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { fromForms, parseStart, type Start } from '../from.ts';
import { parseTarget, type Target } from '../target.ts';

const defaultUrl = `http://localhost:${settingKinds.port.default}`;

export const exitCodesHelp = `
Exit codes: 0 done, 1 the server refused, 2 wrong usage, 3 no server to be reached,
130 ended by Ctrl-C, 141 the reader of the output went away, 143 ended by SIGTERM.`;

/** Adds the options that say which server, and who is asking. */
export function addTargetOptions(command: Command): Command {
  return command
    .addOption(new Option('--url <url>', 'the server').default(defaultUrl).env('FANFARE_URL'))
    .option(
      '--token <token>',
      'who you are, where the server asks; other users of the machine can see it (env: FANFARE_TOKEN)',
    )
    .option('--token-file <file>', 'a file that has it (env: FANFARE_TOKEN_FILE)');
}

export interface TargetFlags {
  readonly url: string;
  readonly token?: string;
  readonly tokenFile?: string;
}

/**
 * Finds a secret that can be given itself or in a file. A flag is stronger than the environment; a variable that is empty says
 * nothing.
 *
 * @param variable - that it can stand in; the one for its file has `_FILE` behind
 */
export async function secretOf(
  text: string | undefined,
  file: string | undefined,
  variable: string,
): Promise<string | undefined> {
  const { env } = process;
  const givers = [
    { text, file },
    { text: env[variable], file: env[`${variable}_FILE`] },
  ];
  for (const given of givers) {
    if (given.text !== undefined && given.text !== '') return given.text;
    if (given.file === undefined || given.file === '') continue;
    const { readSecret } = await import('../read-secret.ts');
    return readSecret(given.file);
  }
  return undefined;
}

/** @throws CommandError when it is no URL of a server, or the token's file cannot be read */
export async function targetOf({ url, token, tokenFile: file }: TargetFlags): Promise<Target> {
  return parseTarget(url || defaultUrl, await secretOf(token, file, 'FANFARE_TOKEN'));
}

export function fromOption(): Option {
  return new Option('--from <from>', `where to start: ${fromForms}`).argParser(parseFrom);
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new InvalidArgumentError('It must be a whole number over 0.');
  return count;
}

function parseFrom(text: string): Start {
  const start = parseStart(text, Date.now());
  if (!start) throw new InvalidArgumentError(`It must be one of: ${fromForms}.`);
  return start;
}
