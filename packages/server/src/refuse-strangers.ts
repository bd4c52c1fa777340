import type { Socket } from 'node:net';
import { isAllowedHost } from './access/allowed-host.ts';
import { isLoopback } from './config/loopback.ts';
import { originsOf } from './config/origins.ts';
import { hasKey, type Settings } from './config/settings.ts';
import type { Refuse } from './open-socketio.ts';

const notOpen = 'Fanfare answers only its own machine here, until the app says open: true.';

const foreignHost =
  'Without a key Fanfare answers to localhost and addresses only: name the origin (origins), or say open: true.';

/** Refuses what was sent to a name that could be a stranger's, where nothing but this machine's address keeps strangers out. */
export function strangersHosts(settings: Settings): Refuse {
  if (settings.open || hasKey(settings)) return () => undefined;
  const origins = originsOf(settings);
  // Nearly all come with the same, and reading a URL takes as long as the rest of a small request.
  let usual: string | undefined;
  return ({ headers: { host } }) => {
    if (host === usual) return undefined;
    if (!isAllowedHost(host, origins)) return foreignHost;
    usual = host;
    return undefined;
  };
}

/** The same on an app's HTTP server, where nobody but this machine is let in either. */
export function strangers(settings: Settings): Refuse {
  const refuseHost = strangersHosts(settings);
  return (request) => (mayReach(settings, request.socket) ? refuseHost(request) : notOpen);
}

/** An app's HTTP server may listen on any address, so what ours decides once is decided for each request there. */
function mayReach(settings: Settings, { localAddress }: Socket): boolean {
  // A socket in the file system has no address.
  return settings.open || hasKey(settings) || localAddress === undefined || isLoopback(localAddress);
}
