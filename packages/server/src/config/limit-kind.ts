/** A limit: its unit, its effect and its reason. docs/configuration.md is generated from these texts. */
export interface Limit {
  /** The unit that is counted, such as `bytes`. */
  readonly unit: string;
  /** The reaction of the server beyond the limit. One sentence, which help shows too. */
  readonly beyond: string;
  /** The reason for the limit, and for its value. */
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
