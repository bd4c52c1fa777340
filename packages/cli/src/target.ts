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
}

/**
 * Reads the URL of a server.
 *
 * @throws CommandError when it is none
 */
export function parseTarget(text: string, token?: string): Target {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new CommandError(
      exitCodes.usage,
      `'${text}' is no URL of a server; one looks like http://localhost:5000`,
    );
  }
  const path = url.pathname.replace(/\/+$/, '');
  return { name: `${url.origin}${path}`, origin: url.origin, socketPath: `${path}/socket.io/`, token };
}
