import { Access } from './access/access.ts';
import { algorithmOf } from './access/algorithms.ts';
import { identifier, type Identify } from './access/identify.ts';
import { KeyError } from './access/jwt-keys.ts';
import { LiveIdentities } from './access/live-identities.ts';
import { openVerifier } from './access/verifier-factory.ts';
import { reachabilityCheck, type Refuse } from './access/reachability.ts';
import { Revocations } from './access/revocations.ts';
import type { TokenVerifier } from './access/token-verifier.ts';
import { SettingsError } from './config/resolve-settings.ts';
import { originsOf } from './config/origins.ts';
import { hasKey, type Settings } from './config/settings.ts';
import type { RevocationStore } from './log/topic-log.ts';
import type { Cluster } from './nodes/cluster.ts';
import type { Logger } from './observability/logger.ts';
import type { Rules } from './rules/rule.ts';

interface ReachabilityParts {
  /** Whether the app's own login identifies clients. */
  readonly identifies: boolean;
  readonly checksLocalAddress: boolean;
}

/** Decides which requests can reach the server, before their tokens are verified. */
export interface Reachability {
  readonly refuse: Refuse;
  /** Must be called after the settings have changed. */
  readonly reset: () => void;
}

/** Builds this check of the settings. */
export function composeReachability(
  settings: Settings,
  { identifies, checksLocalAddress }: ReachabilityParts,
): Reachability {
  const make = (): Refuse =>
    reachabilityCheck({
      origins: originsOf(settings),
      acceptsOtherMachines: identifies || settings.open || hasKey(settings),
      checksLocalAddress,
    });
  let check = make();
  return { refuse: (request) => check(request), reset: () => void (check = make()) };
}

export interface VerifierParts {
  readonly logger: Logger;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  /** A clock that never goes back, in milliseconds. */
  readonly monotonicMs: () => number;
}

/**
 * Reads the keys. Returns undefined if clients need no tokens.
 *
 * @throws SettingsError if a key cannot be used
 */
export function composeTokenVerifier(
  settings: Settings,
  { logger, now, monotonicMs }: VerifierParts,
): TokenVerifier | undefined {
  const keyAlgorithm = algorithmOf(settings.keyAlgorithm);
  const onFailure = (err: Error, from: 'file' | 'url'): void =>
    logger.error({ err }, `Cannot read the keys of the ${from}: still using the last ones.`);
  const onWarning = (sentence: string): void => logger.warn({}, sentence);
  try {
    return openVerifier({ ...settings, keyAlgorithm }, { now, monotonicMs, onFailure, onWarning });
  } catch (error) {
    throw error instanceof KeyError ? new SettingsError([error.message]) : error;
  }
}

interface OpenAccessParts {
  readonly verifier: TokenVerifier | undefined;
  /** The app's own login. */
  readonly identify: Identify | undefined;
  readonly rules: Rules;
  readonly store: RevocationStore;
  readonly cluster: Cluster;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
}

/** Builds the parts that authenticate clients and decide about their rights. */
export function composeAccess(
  settings: Settings,
  { verifier, identify, rules, store, cluster, now }: OpenAccessParts,
): { readonly access: Access; readonly revocations: Revocations } {
  const liveIdentities = new LiveIdentities(now);
  const revocations = new Revocations({
    store,
    cluster,
    liveIdentities,
    // The app's login decides about each new connection. A revocation only has to outlast the logins that are
    // in progress.
    get tokenLifetimeMsMax() {
      return identify ? settings.loginTimeoutMs : settings.tokenLifetimeMsMax || undefined;
    },
    now,
  });
  const access = new Access({
    verifier,
    identify: identify && identifier(identify, { now, limits: settings }),
    rules,
    revocations,
    liveIdentities,
    now,
  });
  return { access, revocations };
}
