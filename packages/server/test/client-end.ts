import { onTestFinished } from 'vitest';
import { startListening } from '../../../test/waits.ts';
import { sharedArrivals } from '../../engine/src/arrival-budget.ts';
import { defaultOptions } from '../../engine/src/options.ts';
import { compose } from '../src/compose.ts';
import { settingsOf } from '../src/server-options.ts';
import { stopInOrder } from '../src/stop-sequence.ts';
import { strictLogger } from './harness.ts';

const { pingIntervalMs, pingTimeoutMs } = defaultOptions;

/**
 * Takes bytes of the memory for incomplete packets of all clients of this process; a negative number gives
 * them back.
 *
 * @returns false if there are not so many
 */
export function takeArrivals(bytes: number): boolean {
  if (bytes > sharedArrivals.bytes) return false;
  sharedArrivals.bytes -= bytes;
  return true;
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

/** A whole server with only the ping interval and timeout changed. Stopped when the test ends. */
export async function startImpatient({ pingInterval, pingTimeout }: PingTimes): Promise<ImpatientServer> {
  Object.assign(defaultOptions, { pingIntervalMs: pingInterval, pingTimeoutMs: pingTimeout });
  const settings = settingsOf({ memory: true });
  const composing = compose({ logger: strictLogger }, { settings, isAttached: false, onLost: () => {} });
  const composed = await composing.finally(() =>
    Object.assign(defaultOptions, { pingIntervalMs, pingTimeoutMs }),
  );
  const { http, clientEnd } = composed;
  clientEnd.serve(http.server);
  await http.ready();
  const port = await startListening(http.server);
  onTestFinished(() => stopInOrder(composed, settings, {}));
  return { url: `http://127.0.0.1:${port}`, sessions: () => clientEnd.sessions };
}
