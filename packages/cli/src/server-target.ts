import { CommandError, exitCodes } from './exit-codes.ts';

/** A server, and the credentials to connect to it. */
export interface Target {
  /** The URL, without a slash at its end. */
  readonly name: string;
  readonly origin: string;
  /** `/socket.io/`, below the path of the URL. */
  readonly socketPath: string;
  /** The token of the user. */
  readonly token: string | undefined;
  /** The PEM certificates to trust; undefined for those of Node. */
  readonly ca: readonly string[] | undefined;
}

/** A host without a scheme, such as `localhost:7200`. */
const bareHost = /^(\[[\da-f:.]+\]|[^\s/:?#@]+)(:\d{1,5})?(\/|$)/i;

/**
 * Parses the URL of a server. Without a scheme, it is http.
 *
 * @throws CommandError if the text is not the URL of a server
 */
export function parseTarget(text: string, { token, ca }: Partial<Pick<Target, 'token' | 'ca'>> = {}): Target {
  const full = bareHost.test(text) ? `http://${text}` : text;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new CommandError(
      exitCodes.usage,
      `'${text}' is not the URL of a server. Use one such as http://localhost:5000.`,
    );
  }
  const path = url.pathname.replace(/\/+$/, '');
  return { name: `${url.origin}${path}`, origin: url.origin, socketPath: `${path}/socket.io/`, token, ca };
}
