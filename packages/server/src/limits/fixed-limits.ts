import { idBytesMax, messageDepthMax, topicBytesMax } from '@fanfare/protocol';

interface FixedLimit {
  readonly value: number;
  /** The unit that is counted. */
  readonly unit: string;
  /** The reaction of the server beyond the limit. */
  readonly beyond: string;
  /** The reason for the limit, and for its value. */
  readonly why: string;
}

type FixedLimitName =
  | 'topicBytesMax'
  | 'idBytesMax'
  | 'messageDepthMax'
  | 'bytesPerContainer'
  | 'commandsWaitingMax'
  | 'answersWaitingMax'
  | 'batchesArrivingMax'
  | 'packetsArrivingBytesMax'
  | 'bodyPiecesMax'
  | 'behindOfferBytesMax'
  | 'lastAnswerMs'
  | 'closeAnswerMs'
  | 'requestsWaitingMax'
  | 'requestsUnansweredMax'
  | 'requestsHeldBytesMax'
  | 'loginFramesMax'
  | 'loginPacketsMax'
  | 'headersTimeoutMs'
  | 'headerBytesMax'
  | 'attachmentsMax'
  | 'fragmentsMax'
  | 'packetsPerTurnMax'
  | 'requestsPerTurnMax'
  | 'tokenCharactersMax'
  | 'tokenPatternsMax'
  | 'revocationsMax'
  | 'idsMax'
  | 'storesWaitingBytesMax'
  | 'clockStepMs'
  | 'clockTrialMs';

/**
 * The limits that are not settings: the protocol defines them, or there has been no reason to change them.
 */
export const fixedLimits: Readonly<Record<FixedLimitName, FixedLimit>> = {
  topicBytesMax: {
    value: topicBytesMax,
    unit: 'bytes of UTF-8 in the name of a topic or pattern',
    beyond: 'The request is refused with `topic_name_invalid`.',
    why: 'PROTOCOL.md 1.1. Names are keys in memory and on disk.',
  },
  idBytesMax: {
    value: idBytesMax,
    unit: 'bytes of UTF-8 in the id of a publish',
    beyond: 'The publish is refused with `bad_request`.',
    why: 'PROTOCOL.md 4.2. The server remembers ids for minutes.',
  },
  messageDepthMax: {
    value: messageDepthMax,
    unit: 'levels of arrays and objects in a message',
    beyond: 'The publish is refused with `payload_too_deep`.',
    why: 'PROTOCOL.md 1.3. Some parsers crash their program when a message is deeper than they allow.',
  },
  bytesPerContainer: {
    value: 32,
    unit: 'bytes: a message may have one array or object for each 32 bytes of publishBytesMax, and always 1,024',
    beyond: 'The publish is refused with `payload_too_large`.',
    why: 'The time to parse a message depends on its arrays and objects more than on its bytes. 1 MiB of empty arrays takes 0.1 seconds.',
  },
  commandsWaitingMax: {
    value: 1_000,
    unit: 'commands of one connection that wait for earlier ones',
    beyond: 'The command is refused with `limit_exceeded`.',
    why: 'Commands are executed in order, and each holds its request in memory.',
  },
  answersWaitingMax: {
    value: 1_000,
    unit: 'packets that a client sends while it does not read its acknowledgements',
    beyond:
      'The server reads no more from the client until the client has read. A client that cannot be paused is closed.',
    why: 'Nearly every packet has an acknowledgement. A polling client may leave without another poll, so its limit is ten times as high, as long as all clients together are below a hundred times the limit.',
  },
  batchesArrivingMax: {
    value: 16,
    unit: 'times batchBytesMax, for the bodies of all publishes that are arriving',
    beyond: 'The publish is refused with `limit_exceeded`.',
    why: 'A body is held in memory until it is complete, which may take half a minute. The first 64 KiB of each body do not count, so that small publishes are not refused.',
  },
  packetsArrivingBytesMax: {
    value: 268_435_456,
    unit: 'bytes of packets that have arrived in part, and of polling requests that are not answered, of all clients',
    beyond: 'The client whose packet exceeds it is disconnected.',
    why: 'Packets are held in memory until they are complete. The first 64 KiB of each do not count, and each piece of one counts as 128 bytes more.',
  },
  bodyPiecesMax: {
    value: 1_024,
    unit: 'pieces of a body, plus one for every 16 bytes',
    beyond: 'The request is refused with `bad_request`.',
    why: 'Each piece takes time, and one read can bring 10,000 pieces of one byte.',
  },
  behindOfferBytesMax: {
    value: 131_072,
    unit: 'bytes after an upgrade request that waits for earlier responses, in at most 128 pieces',
    beyond: 'The connection is closed.',
    why: 'The server must keep bytes that follow an upgrade request until the earlier responses are sent. A client that waits for the response sends none.',
  },
  lastAnswerMs: {
    value: 500,
    unit: 'milliseconds to read the last response of a connection (lingering close)',
    beyond: 'The connection is closed, whether the client has read the response or not.',
    why: 'Until then, the server reads and discards what the client still sends. If it closed at once, TCP would reset the connection, and a client that is still sending might never see the response.',
  },
  closeAnswerMs: {
    value: 1_000,
    unit: 'milliseconds to answer the closing frame of a WebSocket',
    beyond: 'The TCP connection is closed.',
    why: 'The server has already sent the reason. With a longer time, a client whose token has expired would keep its connection for half a minute.',
  },
  requestsWaitingMax: {
    value: 100,
    unit: 'requests that read (GET, HEAD) of one connection that wait for earlier responses',
    beyond: 'The request is refused with `limit_exceeded`.',
    why: 'Responses are sent in order, and each request is held in memory until then. Clients usually wait for a response before they send the next request.',
  },
  requestsUnansweredMax: {
    value: 1_024,
    unit: 'unanswered requests of all connections',
    beyond:
      'Each connection can have only one unanswered request at a time; further requests wait as unparsed bytes.',
    why: 'Each request takes a few kilobytes.',
  },
  requestsHeldBytesMax: {
    value: 16_777_216,
    unit: 'bytes of requests that were read but not parsed, of all connections',
    beyond: 'The connections that hold the most bytes are closed.',
    why: 'One read brings up to 64 KiB.',
  },
  loginFramesMax: {
    value: 64,
    unit: 'WebSocket frames of one connection before login',
    beyond: 'The connection is closed.',
    why: 'A login fits into one frame. A frame takes more memory than its bytes.',
  },
  loginPacketsMax: {
    value: 16,
    unit: 'packets of one Socket.IO connection before login',
    beyond: 'The connection is closed.',
    why: 'One packet holds the token. Each attempt to connect takes as much memory as a client.',
  },
  headersTimeoutMs: {
    value: 10_000,
    unit: 'milliseconds until the head of a request is complete',
    beyond: 'The request is answered with status 408, and its connection is closed.',
    why: 'A head is small. A client that takes longer only occupies a connection.',
  },
  headerBytesMax: {
    value: 16_384,
    unit: 'bytes of the head of a request',
    beyond: 'The request is answered with status 431, and its connection is closed.',
    why: 'The server holds the whole head in memory. A percent-encoded topic of 255 bytes fits many times.',
  },
  attachmentsMax: {
    value: 10,
    unit: 'binary attachments of a Socket.IO packet',
    beyond: 'The client is disconnected.',
    why: 'This is the limit of Socket.IO. Commands have no attachments; the server reads them only to refuse the packet with a reason.',
  },
  fragmentsMax: {
    value: 16_384,
    unit: 'fragments of a WebSocket message',
    beyond: 'The connection is closed.',
    why: 'This is the limit of the library ws. A fragment takes more memory than its bytes.',
  },
  packetsPerTurnMax: {
    value: 256,
    unit: 'packets of one connection that the server handles in one turn of the event loop',
    beyond: 'Further packets wait for a later turn.',
    why: 'One read of 64 KiB can bring thousands of packets, and other connections must not wait for all of them. Once all connections together have sent twice as many, each has 4 a turn.',
  },
  requestsPerTurnMax: {
    value: 32,
    unit: 'pipelined HTTP requests of one connection that the server parses in one turn of the event loop',
    beyond: 'Further requests wait for a later turn.',
    why: 'One read of 64 KiB can bring thousands of requests. While other connections wait, each connection has one request a turn, and 8 connections share a turn.',
  },
  tokenCharactersMax: {
    value: 8_192,
    unit: 'characters of a token',
    beyond: 'The token is refused with `not_authenticated`.',
    why: 'PROTOCOL.md 7.3. HTTP servers accept a header of this size.',
  },
  tokenPatternsMax: {
    value: 100,
    unit: 'topics and patterns of a token in `publish`, and as many in `subscribe`',
    beyond: 'The token is refused with `not_authenticated`.',
    why: 'PROTOCOL.md 7.2. Each of them is compared with each topic.',
  },
  revocationsMax: {
    value: 10_000,
    unit: 'revoked subjects',
    beyond: 'The revocation is refused with `limit_exceeded`.',
    why: 'PROTOCOL.md 7.9. The server never drops one revocation for another, because the tokens of the dropped one would be valid again.',
  },
  idsMax: {
    value: 1_000_000,
    unit: 'ids of publishes that the server remembers',
    beyond: 'A publish with an id is refused with `limit_exceeded`.',
    why: 'Each takes about 250 bytes, together at most 250 MB. This is enough for 800 publishes with an id a second. The server forgets no id early, because its message could then be published twice.',
  },
  storesWaitingBytesMax: {
    value: 67_108_864,
    unit: 'bytes of messages that wait for the disk',
    beyond: 'The publish is refused with `storage_unavailable`.',
    why: 'If the disk is too slow, publishes are refused, instead of memory filling up.',
  },
  clockStepMs: {
    value: 60_000,
    unit: 'milliseconds of a clock step that the server accepts silently',
    beyond:
      'The server logs the step. After a step forward, it does not trust the clock at once (clockTrialMs).',
    why: 'Clocks are corrected by seconds all the time.',
  },
  clockTrialMs: {
    value: 3_600_000,
    unit: 'milliseconds that a clock must run on after a step forward before messages expire by it',
    beyond: 'Messages expire by the clock again.',
    why: 'Deleted messages cannot be restored. Clocks that use a time server ask it again within 34 minutes, and are corrected then.',
  },
};
