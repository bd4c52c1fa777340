import type { Besides } from '../processes.ts';
import type { StrangerKind } from '../strangers/kinds.ts';
import type { SystemName } from '../systems/names.ts';

/**
 * How messages are published: over the system's own protocol, with a number in flight or at a rate, or by
 * HTTP clients.
 */
export type Publishing =
  | {
      readonly over: 'socket';
      readonly window: number;
      /**
       * Whether a publish is in flight until every subscriber has it. Without it, until it is acknowledged.
       */
      readonly untilDelivered?: boolean;
    }
  /** Publishes at this rate, whether or not earlier publishes are acknowledged (open loop). */
  | { readonly over: 'socket'; readonly perSecond: number }
  | { readonly over: 'http'; readonly connections: number };

interface Target {
  readonly system: SystemName;
  readonly port: number;
  /** The server's process. */
  readonly pid: number;
  readonly besides?: Besides | undefined;
  readonly timeoutMs: number;
}

/** Publish to subscribers, and check that every one gets everything. */
export interface FanOutJob extends Target {
  readonly kind: 'fan-out';
  readonly subscribers: number;
  readonly topics: number;
  readonly subscribersPerTopic: number;
  readonly messageBytes: number;
  readonly publishing: Publishing;
  /**
   * Messages of the measured stretch. If undefined, the warm-up finds out how many take {@link stretchMs}.
   */
  readonly messages: number | undefined;
  /** How long to publish before measuring, in two halves. */
  readonly warmUpMs: number;
  readonly stretchMs: number;
}

/** Connect clients that subscribe, as fast as possible. */
export interface ConnectJob extends Target {
  readonly kind: 'connect';
  readonly connections: number;
  /** Clients that connect before the measurement, and stay. */
  readonly warmUpConnections: number;
}

/** Connect clients that subscribe, and then do nothing. */
export interface IdleJob extends Target {
  readonly kind: 'idle';
  readonly connections: number;
  readonly quietMs: number;
}

/** Publish batches over several connections. Each publishes the next batch when the last one is answered. */
export interface BatchesJob extends Target {
  readonly kind: 'batches';
  readonly topic: string;
  readonly connections: number;
  readonly batchMessages: number;
  readonly messageBytes: number;
  /** Whether the server keeps everything that it accepts. */
  readonly keepsAll: boolean;
  readonly messages: number | undefined;
  readonly warmUpMs: number;
  readonly stretchMs: number;
}

/** Store messages, and have subscribers read them. */
export interface ReplayJob extends Target {
  readonly kind: 'replay';
  readonly topic: string;
  /** The level of storage that the server has to report. */
  readonly stored: 'memory' | 'disk';
  readonly messages: number;
  readonly messageBytes: number;
  readonly subscribers: number;
  /** How many of the stored messages each subscriber reads. */
  readonly messagesEach: number;
  /** Messages that are published until all subscribers have caught up. */
  readonly publishesPerSecond: number;
  /** How many messages are read before measuring. */
  readonly warmUpMessages: number;
  /** The socket that reports the server's event-loop delays. Undefined if the server does not report them. */
  readonly loopDelayPath: string | undefined;
}

/** Attack a server with connections that send much and read nothing, while other clients need service. */
export interface StrangersJob extends Target {
  readonly kind: 'strangers';
  readonly attack: StrangerKind;
  readonly connections: number;
  /** From the first connection to the last look at the server. */
  readonly attackMs: number;
}

export type Job = FanOutJob | ConnectJob | IdleJob | BatchesJob | ReplayJob | StrangersJob;

export type LoadResult =
  | { readonly ok: true; readonly figures: Figures; readonly messages: number }
  | { readonly ok: false; readonly reason: string };

export type FigureName =
  | 'cpuUsPerDelivery'
  | 'redisCpuUsPerDelivery'
  | 'publishersCpuUsPerDelivery'
  | 'nodesCpuUsPerDelivery'
  | 'redisCpuUsPerPublish'
  | 'deliveriesPerSecond'
  | 'publishesPerSecond'
  | 'publishesPerCpuSecond'
  | 'messagesPerSecond'
  | 'messagesPerCpuSecond'
  | 'cpuUsPerMessage'
  | 'answerP50Ms'
  | 'answerP99Ms'
  | 'loopDelayP99Ms'
  | 'loopDelayMaxMs'
  | 'loopDelayOwnMaxMs'
  | 'medianP50Ms'
  | 'medianP99Ms'
  | 'lastP50Ms'
  | 'lastP99Ms'
  | 'lastP999Ms'
  | 'kibPerConnection'
  | 'peakMib'
  | 'peakKibPerConnection'
  | 'healthyP50Ms'
  | 'healthyP99Ms'
  | 'healthyMaxMs'
  | 'healthyFailed'
  | 'connectionsPerSecond'
  | 'cpuUsPerConnection'
  | 'serverBusyPercent'
  | 'serverWaitingPercent'
  | 'loadBusyPercent';

/** The measured figures. Figures that cannot be measured on this machine are absent. */
export type Figures = Readonly<Partial<Record<FigureName, number>>>;
