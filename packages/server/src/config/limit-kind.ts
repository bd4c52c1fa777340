/**
 * What a limit counts, what happens beyond it, and its reason. docs/configuration.md is written from these.
 */
export interface Limit {
  /** What is counted, such as `bytes`. */
  readonly unit: string;
  /** What the server does beyond the limit. One sentence, which help shows too. */
  readonly beyond: string;
  /** Why the limit exists, and why it is as high as it is. */
  readonly why: string;
}

/** A setting that is a limit: its default, its bounds and its texts. */
export interface LimitKind {
  readonly default: number;
  readonly about: string;
  readonly min: number;
  readonly max: number;
  readonly group?: 'network';
  readonly limit: Limit;
}
