/** The limits and times of an engine. All of them have a default. */
export interface EngineOptions {
  /** The path of all requests, with or without the last slash. Behind a prefix: `/app/socket.io`. */
  readonly path: string;
  /** How long after an answer to a ping the next ping is sent. Clients learn it in the handshake. */
  readonly pingIntervalMs: number;
  /** How long a client can take to answer a ping. Clients learn it in the handshake. */
  readonly pingTimeoutMs: number;
  /** How long an upgrade to a WebSocket can take. Until then the session polls. */
  readonly upgradeTimeoutMs: number;
  /** Maximum size of a packet, and of the body of a request. Clients learn it in the handshake. */
  readonly packetBytesMax: number;
  /** Maximum number of fragments of a message. A fragment takes more memory than its bytes. */
  readonly fragmentsMax: number;
  /** Maximum number of bytes of all packets and requests that have arrived in part. */
  readonly arrivingBytesMax: number;
  /** Maximum number of packets that are taken from one client in a turn of the event loop. */
  readonly packetsPerTurnMax: number;
  /** Maximum number of packets that are taken from a client that does not read. */
  readonly unreadPacketsMax: number;
  /** How long a client can take to log in. */
  readonly loginTimeoutMs: number;
  /** Maximum number of bytes that a client can send before its login. */
  readonly loginBytesMax: number;
  /** Maximum number of packets that a client can send before its login. */
  readonly loginPacketsMax: number;
  /** Maximum number of clients that have not logged in. The client that has waited longest is cut off. */
  readonly loginsPendingMax: number;
  /** Maximum number of bytes that wait for one slow client. */
  readonly outboxBytesMax: number;
  /** Maximum number of bytes that wait for all slow clients together. */
  readonly outboxTotalBytesMax: number;
  /** How long a client can read nothing while data waits for it. */
  readonly stallTimeoutMs: number;
  /** How long a client can take to answer the closing frame of its WebSocket. */
  readonly closeTimeoutMs: number;
  /** How long a client that polls can take to fetch the end of its session. */
  readonly pollingCloseTimeoutMs: number;
}

export const defaultOptions: EngineOptions = {
  path: '/socket.io',
  // The defaults of Socket.IO, for which all clients are made.
  pingIntervalMs: 25_000,
  pingTimeoutMs: 20_000,
  upgradeTimeoutMs: 10_000,
  packetBytesMax: 1_000_000,
  // As many pieces as 64 KiB have, each counted with 128 bytes. No client sends so many.
  fragmentsMax: 512,
  arrivingBytesMax: 268_435_456,
  // A read of 64 KiB can bring ten thousand packets.
  packetsPerTurnMax: 256,
  unreadPacketsMax: 1_000,
  // A login is one small packet. Everything before it comes from strangers.
  loginTimeoutMs: 10_000,
  loginBytesMax: 16_384,
  loginPacketsMax: 16,
  loginsPendingMax: 10_000,
  outboxBytesMax: 1_048_576,
  outboxTotalBytesMax: 268_435_456,
  stallTimeoutMs: 30_000,
  // The client has the reason already.
  closeTimeoutMs: 1_000,
  // The default of Socket.IO. The next poll usually comes at once.
  pollingCloseTimeoutMs: 30_000,
};
