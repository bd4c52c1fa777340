import type { SettingKind } from './setting-kind.ts';

/** The settings of a stop, and of a server that takes the place of another one. */
export interface StopSettings {
  readonly stopNoticeMs: number;
  readonly drainTimeoutMs: number;
  readonly waitForData: number;
}

const hourMs = 3_600_000;

export const stopSettingKinds: { readonly [K in keyof StopSettings]: SettingKind<number> } = {
  stopNoticeMs: {
    group: 'network',
    default: 0,
    min: 0,
    max: hourMs,
    about:
      'How long a stop lets load balancers notice it. In this time `GET /readyz` responds with 503, and the server still does everything else.',
  },
  drainTimeoutMs: {
    group: 'network',
    // Docker kills a container ten seconds after SIGTERM.
    default: 8_000,
    min: 0,
    max: hourMs,
    about:
      'How long a stop waits at most for publishes to be stored and for clients to read what waits for them. It comes after stopNoticeMs.',
  },
  waitForData: {
    group: 'storage',
    default: 0,
    min: 0,
    max: hourMs,
    about:
      'How long a start waits for the server that uses the data directory to stop. With 0, the start fails at once.',
  },
};
