/** The state of one part of the server. Nothing in it may be secret: everyone can read it. */
export interface Check {
  readonly ok: boolean;
  /** Why it is not: a sentence without addresses, paths and names. */
  readonly reason?: string;
  /** What an operator should look at, although the server works. A sentence like `reason`. */
  readonly warning?: string;
  /** Only for the log: the level at which it stores messages. */
  readonly stored?: 'memory' | 'disk' | 'replicated';
}

/** The checks of a server by their names. Each is asked for every request, so it must be cheap. */
export type Checks = Readonly<Record<string, () => Check>>;

/** Whether a load balancer should send clients to the server. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, Check>>;
}

/** The result of all checks. */
export function readinessOf(checks: Checks): Readiness {
  const results = Object.entries(checks).map(([name, check]) => [name, check()] as const);
  return { ready: results.every(([, { ok }]) => ok), checks: Object.fromEntries(results) };
}
