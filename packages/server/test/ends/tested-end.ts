import type { Server as HttpServer } from 'node:http';
import type { ArrivalBudget } from '../../src/limits/arrival-budget.ts';
import { engineEnd } from './engine.ts';

/** What tests need of a client end beside what it sends over the network. */
export interface TestedEnd {
  /** A whole server with only the ping interval and timeout changed. Stopped when the test ends. */
  startImpatient(times: PingTimes): Promise<ImpatientServer>;
  /** The budget for incomplete packets of all clients of this process. */
  readonly packetBudget: Pick<ArrivalBudget, 'take'>;
  /** Prepares to start the end many times, with the app of the differential run in place of Fanfare. */
  withApp(): Promise<() => StartedEnd>;
}

export interface PingTimes {
  readonly pingInterval: number;
  readonly pingTimeout: number;
}

export interface ImpatientServer {
  readonly url: string;
  /** The number of Engine.IO sessions. */
  readonly sessions: () => number;
}

/** An end with the app of the differential run. */
export interface StartedEnd {
  /** It does not listen: the test gives it connections. */
  readonly http: HttpServer;
  stop(): void;
}

/** The end of the product. */
export const testedEnd: TestedEnd = engineEnd;
