import type { Server } from 'node:http';
import type { Access } from './access/access.ts';
import type { ClientEnd } from './client-end.ts';
import { composeTokenVerifier, type Reachability, type VerifierParts } from './compose-access.ts';
import { rulesOf, type OpenedLog } from './compose-log.ts';
import type { Nodes } from './compose-nodes.ts';
import { originsOf } from './config/origins.ts';
import type { Settings } from './config/settings.ts';
import { applyRequestTimes } from './http/http-server.ts';
import { ratesOf, type RateLimits } from './limits/rate-limits.ts';
import type { MessagePath } from './message-path/message-path.ts';
import type { LogLevel } from './observability/log-levels.ts';
import { setLogLevel } from './observability/logger.ts';
import { keySettings, Reloader, type ReloaderParts } from './reload.ts';
import type { Rules } from './rules/rule.ts';

export interface ReloadedParts extends VerifierParts {
  /** The settings in force, which the parts of the server read. */
  readonly settings: Settings;
  readonly rules: Rules;
  readonly origins: string[];
  readonly access: Access;
  readonly opened: Pick<OpenedLog, 'reconfigure'>;
  readonly path: MessagePath;
  readonly rates: RateLimits;
  readonly clientEnd: ClientEnd;
  readonly nodes: Nodes | undefined;
  readonly reachability: Reachability;
  readonly http: () => { readonly server: Server };
}

/** @param read - reads the settings again */
export function composeReloader(read: () => Promise<Settings>, parts: ReloadedParts): Reloader {
  const { settings, logger } = parts;
  return new Reloader({ settings, read, prepare: preparation(parts), logger });
}

/** Puts changed settings in force, in one turn of the event loop. */
function preparation(parts: ReloadedParts): ReloaderParts['prepare'] {
  return (next, changed) => {
    const hasNewKeys = keySettings.some((name) => changed.has(name));
    const verifier = hasNewKeys ? composeTokenVerifier(next, parts) : undefined;
    return () => {
      const { settings, access, origins } = parts;
      Object.assign(settings, next);
      if (verifier) access.useVerifier(verifier);
      origins.splice(0, Infinity, ...originsOf(settings));
      parts.reachability.reset();
      setLogLevel(parts.logger, settings.logLevel as LogLevel);
      applyLimits(parts);
      if (changed.has('rules')) applyRules(parts);
      parts.opened.reconfigure(changed.has('rules'));
    };
  };
}

/** Most limits are read from the settings when they are needed. */
function applyLimits({ settings, rates, clientEnd, nodes, http }: ReloadedParts): void {
  rates.change(ratesOf(settings));
  clientEnd.reconfigure();
  nodes?.port.limit(settings.connectionsMax);
  applyRequestTimes(http().server, settings);
}

function applyRules({ settings, rules, access, path, logger }: ReloadedParts): void {
  const next = rulesOf(settings);
  rules.replace(next.all);
  // Rules give rights. The connections get theirs anew one after the other.
  access.useRules(next);
  path.connections
    .renewAll((identity) => access.rightsOf(identity))
    .catch((err: unknown) => logger.error({ err }, 'The rights of some connections could not be renewed.'));
}
