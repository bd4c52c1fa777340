import { settingKinds } from '@fanfare/server/settings';
import { InvalidArgumentError, Option } from 'commander';
import { fromForms, parseStart, type Start } from '../from.ts';
import { parseTarget, type Target } from '../target.ts';

const defaultUrl = `http://localhost:${settingKinds.port.default}`;

export const exitCodesHelp = `
Exit codes: 0 done, 1 the server refused, 2 wrong usage, 3 no server to be reached,
130 ended by Ctrl-C, 141 the reader of the output went away, 143 ended by SIGTERM.`;

export function urlOption(): Option {
  return new Option('--url <url>', 'the server').default(defaultUrl).env('FANFARE_URL');
}

/** @throws CommandError when it is no URL of a server */
export function targetOf({ url }: { readonly url: string }): Target {
  return parseTarget(url || defaultUrl);
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
