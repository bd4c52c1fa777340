import type { ArrivalBudget } from './arrival-budget.ts';

/** The limits and times of an engine, with their defaults. */
export const defaultOptions = {
  /** The path of all requests, with or without the last slash. Behind a prefix: `/app/socket.io`. */
  path: '/socket.io',
  /** How long after an answer to a ping the next ping is sent. Clients learn it. The default of Socket.IO. */
  pingIntervalMs: 25_000,
  /** How long a client can take to answer a ping. Clients learn it. The default of Socket.IO. */
  pingTimeoutMs: 20_000,
  /** How long an upgrade to a WebSocket can take. Until then the session polls. The default of Socket.IO. */
  upgradeTimeoutMs: 10_000,
  /** Maximum size of a packet, and of the body of a request. Clients learn it. The default of Socket.IO. */
  packetBytesMax: 1_000_000,
  /** Maximum number of fragments of a message. The default of `ws`. */
  fragmentsMax: 16_384,
  /** Maximum number of packets of one client in a turn of the event loop. A read can bring 10,000. */
  packetsPerTurnMax: 256,
  /** Maximum number of packets that are taken from a client that does not read. Nearly each has an answer. */
  unreadPacketsMax: 1_000,
  /** How long a client can take to log in. A login is one small packet. */
  loginTimeoutMs: 10_000,
  /** Maximum number of bytes that a client can send before its login: everyone can connect. */
  loginBytesMax: 16_384,
  /** Maximum number of WebSocket frames that a client can send before its login. */
  loginFramesMax: 64,
  /** Maximum number of packets that a client can send before its login. */
  loginPacketsMax: 16,
  /** Maximum number of clients that have not logged in. The client that has waited longest is cut off. */
  loginsPendingMax: 10_000,
  /** Maximum number of bytes that wait for one slow client. */
  outboxBytesMax: 1_048_576,
  /** Maximum number of bytes that wait for all slow clients together. */
  outboxTotalBytesMax: 268_435_456,
  /** How long a client can read nothing while data waits for it. */
  stallTimeoutMs: 30_000,
  /** How long a client can take to answer a closing frame. It has the reason already. */
  closeTimeoutMs: 1_000,
  /** How long a client that polls can take to fetch the end of its session. The default of Socket.IO. */
  pollingCloseTimeoutMs: 30_000,
};

export type EngineOptions = Readonly<typeof defaultOptions> & {
  /** The memory for what has arrived in part. Engines share one budget, unless they have another. */
  readonly arrivals?: ArrivalBudget;
};
