import { CommandError, exitCodes } from './exit-codes.ts';

/** Where a server is. */
export interface Target {
  /** As a person would write it, without a slash at the end. */
  readonly name: string;
  readonly origin: string;
  /** `/socket.io/`, behind whatever path the URL has. */
  readonly socketPath: string;
  /** Who asks. */
  readonly token: string | undefined;
  /** The certificates to trust as PEM, where they are not Node's own. */
  readonly ca: readonly string[] | undefined;
}

/** A host without a scheme, such as `localhost:7200`. */
const bareHost = /^(\[[\da-f:.]+\]|[^\s/:?#@]+)(:\d{1,5})?(\/|$)/i;

/**
 * Reads the URL of a server. Without a scheme it is http.
 *
 * @throws CommandError when it is none
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
