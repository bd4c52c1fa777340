import { networkInterfaces } from 'node:os';
import { isLoopback } from './access/loopback.ts';
import type { Settings } from './config/settings.ts';
import { formatHostPort } from './nodes/host-port.ts';
import { parseNodeAddress, type NodeDirectory } from './nodes/node-directory.ts';
import { NodePort } from './nodes/node-port.ts';
import { SessionRouter } from './nodes/session-router.ts';
import type { Logger } from './observability/logger.ts';

/**
 * How long another node can be silent, in milliseconds. Engine.IO sends a ping to each client at least every
 * 45 seconds: 25 seconds after the last pong, for which it waits 20 seconds.
 */
const silenceMs = 50_000;

export interface NodesParts {
  readonly directory: NodeDirectory;
  readonly settings: Settings;
  /** Whether an app's HTTP server listens, on whatever address. */
  readonly isAttached: boolean;
  readonly logger: Logger;
}

/** What one of several nodes has so that clients need no sticky sessions. */
export interface Nodes {
  readonly router: SessionRouter;
  readonly port: NodePort;
  /** Listens for other nodes. MUST be called before the first session begins. */
  readonly listen: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export function composeNodes({ directory, settings, isAttached, logger }: NodesParts): Nodes {
  const { connectionsMax } = settings;
  const router = new SessionRouter({
    directory,
    passedOnMax: () => settings.connectionsMax,
    silenceMs,
    logger,
  });
  const port = new NodePort({
    get key() {
      return directory.key;
    },
    listenerId: directory.nodeId,
    connectionsMax,
  });
  return {
    router,
    port,
    listen: async () => {
      const { host, port: wanted } = parseNodeAddress(settings.advertise) ?? {
        host: isAttached ? machineAddress() : reachableAddress(settings.host),
        port: 0,
      };
      const listening = await port.listen(isReachedDirectly(host) ? host : undefined, wanted);
      await directory.announce(formatHostPort({ host, port: listening }));
    },
    close: async () => {
      router.close();
      await port.close();
    },
  };
}

/** The address at which others reach a server that listens on a host. */
function reachableAddress(host: string): string {
  if (host === '0.0.0.0' || host === '::') return machineAddress();
  return host.toLowerCase() === 'localhost' ? '127.0.0.1' : host;
}

/** Whether an address is this machine's own. Otherwise it can be that of a gateway or a container's host. */
function isReachedDirectly(host: string): boolean {
  return isLoopback(host) || Object.values(networkInterfaces()).some((all) => all?.some(isAt(host)));
}

function isAt(host: string): (one: { readonly address: string }) => boolean {
  return ({ address }) => address === host;
}

function machineAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((some) => some ?? []);
  const external = all.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  return (external.find(({ family }) => family === 'IPv4') ?? external[0])?.address ?? '127.0.0.1';
}
