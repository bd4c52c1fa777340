import type { Deployment } from './deployment.ts';
import type { FindingCode } from './finding.ts';

/** One thing that can be wrong with a deployment. */
export interface Check {
  /** A word for the report. */
  readonly name: string;
  run(deployment: Deployment): Promise<Result>;
}

/** What a check has seen. The texts have no token: the report removes it. */
export type Result =
  | { readonly kind: 'fine'; readonly saw: string }
  | { readonly kind: 'skipped'; readonly why: string }
  | Found;

export interface Found {
  readonly kind: 'found';
  readonly code: FindingCode;
  /** What the check did, such as a request. */
  readonly tried: string;
  readonly saw: string;
  /** The checks after this one would only find the same. */
  readonly isLast?: boolean;
}

export function fine(saw: string): Result {
  return { kind: 'fine', saw };
}

export function skipped(why: string): Result {
  return { kind: 'skipped', why };
}

export function found(code: FindingCode, tried: string, saw: string): Found {
  return { kind: 'found', code, tried, saw };
}
