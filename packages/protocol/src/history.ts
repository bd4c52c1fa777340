import type { Envelope } from './envelope.ts';

/** The response to `GET /messages` with `before`: a page that ends before an offset (PROTOCOL.md 5.15). */
export interface HistoryPageBefore {
  /** In the order of the log. */
  readonly messages: readonly Envelope[];
  /** The offset to continue from. */
  readonly next: string;
  /** Whether there are more messages now. */
  readonly more: boolean;
}

/**
 * The response to `GET /messages`: a page of the stored messages of a topic or pattern (PROTOCOL.md 5.3,
 * 5.4).
 */
export interface HistoryPage extends HistoryPageBefore {
  /** Present if `from` was an offset: whether the server still has every matching message after it. */
  readonly recovered?: boolean;
}
