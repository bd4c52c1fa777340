import type { BatchesJob, FigureName, Publishing, ReplayJob } from './load/job.ts';
import type { StrangerKind } from './strangers/kinds.ts';
import type { SystemName } from './systems/names.ts';

export interface FanOutShape {
  readonly subscribers: number;
  readonly topics: number;
  readonly subscribersPerTopic: number;
  readonly messageBytes: number;
  readonly publishing: Publishing;
  /** Whether a server without subscribers takes part. */
  readonly withBareHttp: boolean;
}

export type BatchesShape = Pick<BatchesJob, 'connections' | 'batchMessages' | 'messageBytes' | 'keepsAll'>;

export type ReplayShape = Pick<
  ReplayJob,
  'messages' | 'messageBytes' | 'subscribers' | 'messagesEach' | 'publishesPerSecond' | 'warmUpMessages'
>;

interface Common {
  /** Its name on the command line. */
  readonly id: string;
  readonly about: string;
  /** The columns of its table. Systems are compared by the first one. */
  readonly figures: readonly FigureName[];
  /** The system to which the others are compared. By default `fanfare`. */
  readonly reference?: SystemName;
  /**
   * Only these systems take part. Without it, all systems that can take part do, unless they have to be
   * named.
   */
  readonly systems?: readonly SystemName[];
  /** The number of rounds that is enough. */
  readonly roundsMax?: number;
}

export type Scenario = Common &
  (
    | { readonly kind: 'fan-out'; readonly shape: FanOutShape }
    | { readonly kind: 'batches'; readonly shape: BatchesShape }
    | { readonly kind: 'replay'; readonly shape: ReplayShape }
    | { readonly kind: 'connect'; readonly connections: number; readonly warmUpConnections: number }
    | { readonly kind: 'idle'; readonly connections: number; readonly quietMs: number }
    | {
        readonly kind: 'strangers';
        readonly attack: StrangerKind;
        readonly connections: number;
        readonly attackMs: number;
      }
  );
