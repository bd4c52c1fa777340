import { idBytesMax, messageDepthMax, topicBytesMax } from '@fanfare/protocol';

interface FixedLimit {
  readonly value: number;
  readonly unit: string;
  /** One sentence for people. */
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

/** The limits that are no settings: the protocol has them, or nobody has had a reason to change them. */
export const fixedLimits: Readonly<Record<FixedLimitName, FixedLimit>> = {
  topicBytesMax: {
    value: topicBytesMax,
    unit: 'bytes of UTF-8 in the name of a topic or pattern',
    why: 'PROTOCOL.md 1.1. Names are keys in memory and on disk.',
  },
  idBytesMax: {
    value: idBytesMax,
    unit: "bytes of UTF-8 in a publish's id",
    why: 'PROTOCOL.md 4.2. Ids are remembered for minutes.',
  },
  messageDepthMax: {
    value: messageDepthMax,
    unit: 'levels of arrays and objects in a message',
    why: 'PROTOCOL.md 1.3. Parsers of subscribers have limits as well, and some end the program over them.',
  },
  bytesPerContainer: {
    value: 32,
    unit: 'bytes of publishBytesMax for each array and object that a message may have; a message may always have 1,024',
    why: 'Parsing takes time for arrays and objects rather than for bytes: a mebibyte of them a tenth of a second.',
  },
  commandsWaitingMax: {
    value: 1_000,
    unit: 'commands of a connection that wait for those before them',
    why: 'They are carried out in their order, and each holds its request in memory.',
  },
  answersWaitingMax: {
    value: 1_000,
    unit: 'packets of a client that come while it does not read what waits for it',
    why: 'Nearly each has an answer. After so many no more is read until it has taken them. Of a client that polls, which may leave without another poll, ten times as many are taken before a request has to wait, as long as it is a hundred times as many of all clients.',
  },
  batchesArrivingMax: {
    value: 16,
    unit: 'times batchBytesMax, in bytes of the bodies of all publishes that are arriving',
    why: 'They are in memory until they have come, which each may take half a minute for. The first 64 KiB of each count for nothing, so that no small publish is refused for it.',
  },
  packetsArrivingBytesMax: {
    value: 268_435_456,
    unit: 'bytes of the packets of all clients that have come in part, and of requests with packets that are not answered',
    why: 'They are in memory until they have come. Whose are over it is disconnected. The first 64 KiB of each count for nothing, and each piece that it comes in for 128 more.',
  },
  bodyPiecesMax: {
    value: 1_024,
    unit: 'pieces that a body comes in, beside one for each 16 bytes',
    why: 'Each takes time. Ten thousand of one byte come with one read.',
  },
  behindOfferBytesMax: {
    value: 131_072,
    unit: 'bytes behind the offer of an upgrade that waits for the answers before it; in 128 pieces at the most',
    why: 'They are kept until then. Who waits for an answer before it sends more sends none.',
  },
  lastAnswerMs: {
    value: 500,
    unit: 'milliseconds to take the answer that ends a connection',
    why: 'What still comes is read for nothing until then. Closed at once, the connection is reset, and a client that still sends may never see the answer.',
  },
  closeAnswerMs: {
    value: 1_000,
    unit: 'milliseconds to answer the close of a websocket',
    why: 'It has been told. Whose token ended would keep its connection for half a minute otherwise.',
  },
  requestsWaitingMax: {
    value: 100,
    unit: 'requests that only read, of a connection whose requests before them are not answered',
    why: 'They are answered one after the other, and each is kept until then. Clients wait for an answer, as a rule, before they ask again.',
  },
  requestsUnansweredMax: {
    value: 1_024,
    unit: 'unanswered requests of all connections; over it, each connection can have one at a time',
    why: 'Each takes some kilobytes. More requests stay bytes until an answer was sent.',
  },
  requestsHeldBytesMax: {
    value: 16_777_216,
    unit: 'bytes of requests that were read and not parsed, of all connections',
    why: 'One read brings up to 64 KiB. Over the limit, the connections that hold the most are closed.',
  },
  loginFramesMax: {
    value: 64,
    unit: 'WebSocket frames of a connection before login',
    why: 'A login fits into one frame. Each frame takes more memory than it has bytes.',
  },
  loginPacketsMax: {
    value: 16,
    unit: 'packets of a Socket.IO connection before login',
    why: 'One packet has the token. Each attempt to connect takes as much as a client.',
  },
  headersTimeoutMs: {
    value: 10_000,
    unit: "milliseconds for a request's head to arrive",
    why: 'A head is small; who takes longer only holds a connection.',
  },
  headerBytesMax: {
    value: 16_384,
    unit: "bytes of a request's head",
    why: 'It is kept whole. A topic of 255 bytes fits, percent-encoded, many times over.',
  },
  attachmentsMax: {
    value: 10,
    unit: 'binary attachments of a Socket.IO packet',
    why: "Socket.IO's own limit. No command has any; the packet is read to tell so.",
  },
  fragmentsMax: {
    value: 16_384,
    unit: 'fragments of a WebSocket message',
    why: 'The limit of ws. Each costs more memory than it has bytes.',
  },
  packetsPerTurnMax: {
    value: 256,
    unit: 'packets of a connection that are taken in a turn of the event loop',
    why: 'There are thousands in 64 KiB, which are read at once. The rest waits for those of others. Once all together have sent twice as many, each has 4.',
  },
  requestsPerTurnMax: {
    value: 32,
    unit: 'pipelined HTTP requests of a connection that are parsed in a turn of the event loop',
    why: 'There are thousands in 64 KiB, which are read at once. While other connections wait, each has one, and 8 connections have a turn.',
  },
  tokenCharactersMax: {
    value: 8_192,
    unit: 'characters of a token',
    why: 'PROTOCOL.md 7.3. A header with it still fits into what HTTP servers take.',
  },
  tokenPatternsMax: {
    value: 100,
    unit: 'topics and patterns that a token may have of each kind',
    why: 'PROTOCOL.md 7.2. Each is tried for each topic.',
  },
  revocationsMax: {
    value: 10_000,
    unit: 'subjects that are revoked',
    why: 'PROTOCOL.md 7.9. None is forgotten for another: that would let its tokens in again.',
  },
  idsMax: {
    value: 1_000_000,
    unit: 'ids of publishes that are remembered',
    why: 'Some 250 bytes each, so some 250 MB at the most; enough for 800 publishes with an id a second. None is forgotten before its time: it could be published twice then.',
  },
  storesWaitingBytesMax: {
    value: 67_108_864,
    unit: 'bytes of messages that wait for the disk',
    why: 'Over it, a disk that is too slow shows as refusals, and not as memory.',
  },
  clockStepMs: {
    value: 60_000,
    unit: 'milliseconds by which the clock may be set forward or back without more ado',
    why: 'Clocks are set right by seconds all the time. A larger step is told in the log, and one forward is on trial.',
  },
  clockTrialMs: {
    value: 3_600_000,
    unit: 'milliseconds for which a clock that was set forward has to run on before messages go for their age by it',
    why: 'What is deleted is gone for good. Clocks that ask a time server ask again within 34 minutes, and are set right then.',
  },
};
