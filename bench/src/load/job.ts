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

export type Job = FanOutJob | ConnectJob | IdleJob;

export type LoadResult =
  | { readonly ok: true; readonly figures: Figures; readonly messages: number }
  | { readonly ok: false; readonly reason: string };

export type FigureName =
  | 'cpuUsPerDelivery'
  | 'deliveriesPerSecond'
  | 'publishesPerSecond'
  | 'publishesPerCpuSecond'
  | 'medianP50Ms'
  | 'medianP99Ms'
  | 'lastP50Ms'
  | 'lastP99Ms'
  | 'kibPerConnection'
  | 'connectionsPerSecond'
  | 'cpuUsPerConnection'
  | 'serverBusyPercent'
  | 'loadBusyPercent';

/** What was measured; what cannot be measured here is not there. */
export type Figures = Readonly<Partial<Record<FigureName, number>>>;
