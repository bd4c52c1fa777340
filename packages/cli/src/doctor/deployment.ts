import type { Target } from '../server-target.ts';
import type { ProbeAnswer } from './http-probe.ts';

/** What is examined, and what the checks know about it so far. */
export class Deployment {
  readonly target: Target;
  /** The origin of the web page that wants to connect. */
  readonly origin: string;
  /** The path of Socket.IO. */
  socketPath: string;
  /** The version of Engine.IO that the server speaks. */
  engineVersion: 3 | 4 | undefined;
  hasPolling = false;
  /** Whether the server says over polling that it has websockets. */
  offersWebSocket = true;
  /** Whether a websocket could be opened. */
  hasWebSocket = false;
  isFanfare = false;
  /** The first response, with its `Date`. */
  firstAnswer: ProbeAnswer | undefined;
  /** How far the clock of the server is ahead of ours, if it differs. */
  clockAheadMs: number | undefined;

  /** @param origin - without it, that of the server itself */
  constructor(target: Target, origin?: string) {
    this.target = target;
    this.origin = origin ?? target.origin;
    this.socketPath = target.socketPath;
  }

  get isOwnOrigin(): boolean {
    return this.origin === this.target.origin;
  }

  /** The URL of a request to Socket.IO, as its clients send it. */
  socketUrl(transport: 'polling' | 'websocket', query: Readonly<Record<string, string>> = {}): string {
    const search = new URLSearchParams({ EIO: String(this.engineVersion ?? 4), transport, ...query });
    return `${this.target.origin}${this.socketPath}?${search.toString()}`;
  }
}
