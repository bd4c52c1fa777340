import { settingKinds } from '@fanfare/server/settings';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { fromForms, parseStart, type Start } from '../from.ts';
import type { Secret } from '../read-secret.ts';
import { parseTarget, type Target } from '../target.ts';

const defaultUrl = `http://localhost:${settingKinds.port.default}`;

export const exitCodesHelp = `
Exit codes: 0 done, 1 the server refused, 2 wrong usage, 3 no server to be
reached, 130 ended by Ctrl-C, 141 the reader of the output went away,
143 ended by SIGTERM.`;

/** Adds the options that say which server, and who is asking. */
export function addTargetOptions(command: Command): Command {
  const options = [
    new Option('--url <url>', 'the server; without a scheme it is http')
      .default(defaultUrl, defaultUrl)
      .env('FANFARE_URL'),
    new Option(
      '--token-file <file>',
      'a file with the token, where the server needs one (env: FANFARE_TOKEN_FILE)',
    ),
    new Option('--token <token>', 'the token; other users of the machine can see it (env: FANFARE_TOKEN)'),
    new Option('--ca <file>', 'certificates to trust beside the usual ones, as PEM').env('FANFARE_CA'),
  ];
  for (const option of options) command.addOption(option.helpGroup('Which server:'));
  return command;
}

export interface TargetFlags {
  readonly url: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
}

/**
 * Finds a secret that can be given itself or in a file. A flag is stronger than the environment; a variable that is empty says
 * nothing.
 *
 * @param name - `token` or `key`, as in `--token`, `--token-file`, `FANFARE_TOKEN` and `FANFARE_TOKEN_FILE`
 * @throws CommandError when the file cannot be read
 */
export async function secretOf(
  name: 'token' | 'key',
  text: string | undefined,
  file: string | undefined,
): Promise<Secret | undefined> {
  const { env } = process;
  const variable = `FANFARE_${name.toUpperCase()}`;
  const givers = [
    { text, textSource: `--${name}`, file, fileSource: `--${name}-file` },
    {
      text: env[variable],
      textSource: variable,
      file: env[`${variable}_FILE`],
      fileSource: `${variable}_FILE`,
    },
  ];
  for (const given of givers) {
    if (given.text !== undefined && given.text !== '') return { text: given.text, source: given.textSource };
    if (given.file === undefined || given.file === '') continue;
    const { readSecret } = await import('../read-secret.ts');
    return readSecret(given.file, given.fileSource);
  }
  return undefined;
}

/** @throws CommandError when it is no URL of a server, or a file cannot be used */
export async function targetOf({ url, token, tokenFile, ca }: TargetFlags): Promise<Target> {
  return parseTarget(url || defaultUrl, {
    token: tokenIn(await secretOf('token', token, tokenFile)),
    // A variable that is empty says nothing.
    ca: ca === undefined || ca === '' ? undefined : (await import('../authorities.ts')).readAuthorities(ca),
  });
}

function tokenIn(secret: Secret | undefined): string | undefined {
  // Anything else cannot be sent.
  if (!secret || /^[\x21-\x7e]+$/.test(secret.text)) return secret?.text;
  const hint = /[\0\ufffd]/.test(secret.text) ? ' Is the file UTF-16?' : '';
  throw new CommandError(
    exitCodes.usage,
    `${secret.source} does not have a token: it has characters that tokens do not have.${hint}`,
  );
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
