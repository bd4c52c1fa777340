import { settingKinds } from '@fanfare/server/settings';
import { commandName } from './command-name.ts';
import type { Target } from './server-target.ts';

/** The reason for a refusal. A missing token is explained with the options of the command line. */
export function refusalReason(said: string, code: string | undefined, { token }: Target): string {
  return code === 'not_authenticated' && token === undefined
    ? 'The server needs a token: pass one with --token-file or FANFARE_TOKEN.'
    : said;
}

/** The command that starts a server at this URL, if it is one of this machine. */
export function startHint({ name }: Target): string {
  const { protocol, hostname, port, pathname } = new URL(name);
  const host = hostname.replace(/^\[|\]$/g, '');
  const isHere = host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host);
  if (!isHere || protocol !== 'http:' || pathname !== '/')
    return 'Is the URL correct, and is the server running?';
  const { host: usualHost, port: usualPort } = settingKinds;
  const hostFlag = host === 'localhost' || host === usualHost.default ? '' : ` --host ${host}`;
  const portFlag = port === String(usualPort.default) ? '' : ` --port ${port || '80'}`;
  return `Start a server with: ${commandName()} serve${hostFlag}${portFlag}`;
}
