import type { StrangerKind } from '../strangers/kinds.ts';
import type { SystemName } from '../systems/names.ts';

/** How messages are published: over the system's own protocol with so many in flight, or by HTTP clients. */
export type Publishing =
  | { readonly over: 'socket'; readonly window: number }
  | { readonly over: 'http'; readonly connections: number };

interface Target {
  readonly system: SystemName;
  readonly port: number;
  /** The server's process. */
  readonly pid: number;
  readonly timeoutMs: number;
}

/** Publish to subscribers and see that every one gets everything. */
export interface FanOutJob extends Target {
  readonly kind: 'fan-out';
  readonly subscribers: number;
  readonly topics: number;
  readonly subscribersPerTopic: number;
  readonly messageBytes: number;
  readonly publishing: Publishing;
  /** Messages of the measured stretch; undefined lets the warm-up find as many as take {@link stretchMs}. */
  readonly messages: number | undefined;
  /** How long to publish before measuring, in two halves. */
  readonly warmUpMs: number;
  readonly stretchMs: number;
}

/** Connect clients that subscribe, as fast as it goes. */
export interface ConnectJob extends Target {
  readonly kind: 'connect';
  readonly connections: number;
  /** Clients that come before measuring, and stay. */
  readonly warmUpConnections: number;
}

/** Connect clients that subscribe, and leave the server alone. */
export interface IdleJob extends Target {
  readonly kind: 'idle';
  readonly connections: number;
  readonly quietMs: number;
}

/** Publish batches over some connections, each the next one when one is answered. */
export interface BatchesJob extends Target {
  readonly kind: 'batches';
  readonly topic: string;
  readonly connections: number;
  readonly batchMessages: number;
  readonly messageBytes: number;
  /** Whether the server keeps all that it accepts. */
  readonly keepsAll: boolean;
  readonly messages: number | undefined;
  readonly warmUpMs: number;
  readonly stretchMs: number;
}

/** Store messages, and have subscribers read them. */
export interface ReplayJob extends Target {
  readonly kind: 'replay';
  readonly topic: string;
  /** What the server has to say of where messages are. */
  readonly stored: 'memory' | 'disk';
  readonly messages: number;
  readonly messageBytes: number;
  readonly subscribers: number;
  /** How many messages each subscriber reads, of those that are stored. */
  readonly messagesEach: number;
  /** What goes on being published until all have caught up. */
  readonly publishesPerSecond: number;
  /** How many messages are read before measuring. */
  readonly warmUpMessages: number;
  /** Where to ask for the server's delays; undefined when it does not tell them. */
  readonly loopDelayPath: string | undefined;
}

/** Attack a server with connections that send much and read nothing, while others want to be served. */
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

/** What was measured; what cannot be measured here is not there. */
export type Figures = Readonly<Partial<Record<FigureName, number>>>;
