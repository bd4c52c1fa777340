export const transports = ['websocket', 'polling'] as const;

export type Transport = (typeof transports)[number];

/** What a benchmark does. */
export interface Plan {
  readonly subscribers: number;
  readonly publishers: number;
  /** Messages of all publishers in a second. Without it, each publishes as soon as it has its response. */
  readonly rate: number | undefined;
  /** The length of a message. */
  readonly bytes: number;
  readonly topics: number;
  /** The subscribers take turns with them. */
  readonly transports: readonly Transport[];
  readonly durationMs: number;
}
