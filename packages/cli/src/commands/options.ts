import { settingKinds } from '@fanfare/server/settings';
import { Argument, InvalidArgumentError, Option, type Command } from 'commander';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { startPositionForms, parseStartPosition, type StartPosition } from '../start-position.ts';
import type { Secret } from '../read-secret.ts';
import { parseTarget, type Target } from '../server-target.ts';

const defaultUrl = `http://localhost:${settingKinds.port.default}`;

export const exitCodesHelp = `
Exit codes: 0 done, 1 the server refused, 2 wrong usage, 3 the server cannot be
reached, 130 stopped by Ctrl-C, 141 the reader of the output closed it, 143
stopped by SIGTERM.`;

/** Adds the options that name the server and the token. */
export function addTargetOptions(command: Command): Command {
  const url = new Option('--url <url>', 'URL of the server; without a scheme, http is used')
    .default(defaultUrl, defaultUrl)
    .env('FANFARE_URL');
  return addTokenOptions(command.addOption(url.helpGroup('Server:')));
}

/** The URL of the server as an argument, for commands that are about the server. */
export function urlArgument(): Argument {
  return new Argument('[url]', `URL of the server (default: FANFARE_URL, or ${defaultUrl})`);
}

/** Adds the options that name the token and the authorities. */
export function addTokenOptions(command: Command): Command {
  const options = [
    new Option(
      '--token-file <file>',
      'file with the token, if the server needs one (env: FANFARE_TOKEN_FILE)',
    ),
    new Option(
      '--token <token>',
      'token; other users of the machine can see it in the command line (env: FANFARE_TOKEN)',
    ),
    new Option('--ca <file>', 'file with further certificates to trust, as PEM').env('FANFARE_CA'),
  ];
  for (const option of options) command.addOption(option.helpGroup('Server:'));
  return command;
}

export interface TargetFlags extends TokenFlags {
  readonly url: string;
}

export interface TokenFlags {
  readonly token?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
}

/**
 * Finds a secret that is given as text or in a file. A flag has precedence over the environment. An empty
 * variable counts as not set.
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

/** @throws CommandError if the text is not the URL of a server, or a file cannot be used */
export async function targetOf({ url, token, tokenFile, ca }: TargetFlags): Promise<Target> {
  return parseTarget(url || defaultUrl, {
    token: tokenIn(await secretOf('token', token, tokenFile)),
    // An empty variable counts as not set.
    ca:
      ca === undefined || ca === ''
        ? undefined
        : (await import('../certificate-authorities.ts')).readAuthorities(ca),
  });
}

/** As {@link targetOf}, for a URL that is an argument. */
export async function targetOfArgument(url: string | undefined, flags: TokenFlags): Promise<Target> {
  return targetOf({ ...flags, url: url ?? process.env['FANFARE_URL'] ?? '' });
}

function tokenIn(secret: Secret | undefined): string | undefined {
  // HTTP headers cannot carry other characters.
  if (!secret || /^[\x21-\x7e]+$/.test(secret.text)) return secret?.text;
  const hint = /[\0\ufffd]/.test(secret.text) ? ' Is the file UTF-16?' : '';
  throw new CommandError(
    exitCodes.usage,
    `${secret.source} is not a token: it has characters that tokens do not have.${hint}`,
  );
}

export function fromOption(): Option {
  return new Option('--from <from>', `where to start: ${startPositionForms}`).argParser(parseFrom);
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new InvalidArgumentError('It must be a whole number greater than 0.');
  return count;
}

function parseFrom(text: string): StartPosition {
  const start = parseStartPosition(text, Date.now());
  if (!start) throw new InvalidArgumentError(`It must be one of: ${startPositionForms}.`);
  return start;
}
