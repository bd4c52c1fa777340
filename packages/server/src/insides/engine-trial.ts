import type { ServerResponse } from 'node:http';
import type { Logger } from '../observability/logger.ts';
import {
  CountedPackets,
  endPolling,
  fail,
  Listeners,
  packetsInBuffer,
  readRequest,
  setRequestBytesMax,
  takeOver,
  takePackets,
  tcpSocketOf,
  webSocketOf,
  type EngineInside,
} from './engine-inside.ts';
import { Rehearsal, type Connection, type EngineClass } from './engine-rehearsal.ts';
import { untilTurn, type MemoryConnection } from './memory-connection.ts';
import { packetsMax, splitAnswer, type SplitConnection } from './split-answer.ts';
import { expectSame, isAsKnown } from './trial.ts';

/** Runs the trials with a new engine of the class that serves clients, or will. */
export async function tryEngine(
  findClass: () => EngineClass,
  wsEngine: unknown,
  logger: Logger,
): Promise<EngineInside> {
  let rehearsal: Rehearsal | undefined;
  const opens = await isAsKnown(
    {
      inside: 'engine.io',
      instead: nothingKnown,
      run: async () => {
        rehearsal = new Rehearsal(findClass(), wsEngine);
        for (const transport of ['polling', 'websocket'] as const) await rehearsal.open(transport);
      },
    },
    logger,
  );
  const works = async ([inside, instead, run]: EngineTrial): Promise<boolean> =>
    opens && isAsKnown({ inside, instead, run: () => rehearsal && run(rehearsal) }, logger);
  try {
    await works(trials.listeners);
    const findsWebSockets = await works(trials.webSockets);
    return {
      packets: (await works(trials.packets)) ? packetsInBuffer : new CountedPackets(),
      splitAnswer: (await works(trials.answers)) ? splitAnswer : undefined,
      dividesRequests: await works(trials.requests),
      setRequestBytesMax: (await works(trials.requestBytes)) ? setRequestBytesMax : undefined,
      endPolling: (await works(trials.ending)) ? endPolling : undefined,
      webSocketOf: findsWebSockets ? webSocketOf : undefined,
      tcpSocketOf: findsWebSockets ? tcpSocketOf : undefined,
      passesRequests: await works(trials.passing),
    };
  } finally {
    close(rehearsal);
  }
}

function close(rehearsal: Rehearsal | undefined): void {
  try {
    rehearsal?.close();
  } catch {
    // Its trials have failed, and were logged.
  }
}

type EngineTrial = readonly [inside: string, instead: string, run: (rehearsal: Rehearsal) => Promise<void>];

const nothingKnown =
  'Fanfare uses only its public functions. Clients that send much at once can delay others. Clients that send without reading are disconnected instead of paused.';

const trials = {
  packets: [
    "engine.io's write buffer",
    "Fanfare counts waiting packets by engine.io's events instead.",
    tryPackets,
  ],
  answers: [
    "engine.io's way to give packets to a poll",
    'The answer to a poll has all waiting packets. Polling clients of python-engineio disconnect when that is more than 16.',
    tryAnswers,
  ],
  requests: [
    "engine.io's way to take the packets of a request",
    'One request with many packets can delay other clients. Polling clients are disconnected when 10,000 of their packets are not answered.',
    tryRequests,
  ],
  requestBytes: [
    "engine.io's limit for the bytes of a request",
    'Requests with packets must send a `Content-Length`, which Fanfare checks instead (before login: `loginBytesMax`).',
    tryRequestBytes,
  ],
  ending: [
    "engine.io's way to end a polling session",
    'Polling sessions take memory for 30 seconds after their end, and count against `connectionsMax` until then.',
    tryEnding,
  ],
  webSockets: [
    "engine.io's way to its websockets",
    'Websockets cannot be paused. Clients that send without reading are disconnected. Before login, bytes are counted when a message is complete.',
    tryWebSockets,
  ],
  passing: [
    "engine.io's way from the HTTP server to its sessions",
    'Fanfare checks the origin of each request in a middleware instead. This costs time.',
    tryPassing,
  ],
  listeners: [
    "engine.io's listeners for the end of a connection",
    'An idle websocket takes about 2 KB more memory.',
    tryListeners,
  ],
} as const satisfies Record<string, EngineTrial>;

async function statusOver(wire: MemoryConnection): Promise<string> {
  return (await wire.answer()).split(' ', 2)[1] ?? '';
}

async function tryPackets(rehearsal: Rehearsal): Promise<void> {
  const session = await rehearsal.open('polling');
  const { connection } = session;
  expectSame('what waits for a new session', packetsInBuffer.of(connection), 0);
  for (const packet of ['a', 'b']) connection.send(packet);
  expectSame('what waits for a poll', packetsInBuffer.of(connection), 2);
  expectSame('the answer to a poll', await rehearsal.poll(session), '4a\u001E4b');
  expectSame('what waits after a poll', packetsInBuffer.of(connection), 0);
}

/** Nothing of what is split may be lost or change its place, also while the connection is being closed. */
async function tryAnswers(rehearsal: Rehearsal): Promise<void> {
  const session = await rehearsal.open('polling');
  const { connection } = session;
  let created = 0;
  connection.on('packetCreate', () => created++);
  connection.on('flush', (packets: object[]) =>
    splitAnswer(connection as unknown as SplitConnection, packets),
  );
  const sent = Array.from({ length: 2 * packetsMax + 2 }, (_, at) => `${at}`);
  for (const data of sent) connection.send(data);
  expectSame('the packets that are told of', created, sent.length);
  connection.close();
  const answers: string[][] = [];
  for (let polls = 0; polls < 3; polls++) answers.push((await rehearsal.poll(session)).split('\u001E'));
  expectSame('the answers to polls', answers.flat(), [...sent.map((data) => `4${data}`), '1']);
  expectSame(
    'how many packets they have',
    answers.map(({ length }) => length),
    [packetsMax, packetsMax, 3],
  );
}

async function tryRequests(rehearsal: Rehearsal): Promise<void> {
  const session = await rehearsal.open('polling');
  const { transport } = session.connection;
  const bodies: string[] = [];
  const packets: unknown[] = [];
  let answer: (() => void) | undefined;
  session.connection.on('packet', ({ data }: { readonly data: unknown }) => packets.push(data));
  takeOver(transport, {
    onData: (body) => void bodies.push(body),
    onDataRequest(request, response) {
      const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
      response.end = ((...args: unknown[]) => {
        answer = () => void end(...args);
        return response;
      }) as ServerResponse['end'];
      readRequest(this, request, response);
    },
  });
  const wire = rehearsal.send(session, '4a\u001E4b');
  await untilTurn('the answer to a request', () => answer !== undefined);
  expectSame('what a request brings', [bodies, packets], [['4a\u001E4b'], []]);
  takePackets(transport, '4a');
  takePackets(transport, '4b');
  expectSame('the packets of a request', packets, ['a', 'b']);
  answer?.();
  expectSame('the status of a request', await statusOver(wire), '200');
  fail(transport, 'a trial');
  expectSame('the state of a transport that failed', transport.readyState === 'open', false);
  // Its timer would keep the program up for 30 seconds.
  endPolling(transport);
}

async function tryRequestBytes(rehearsal: Rehearsal): Promise<void> {
  const [small, large] = [await rehearsal.open('polling'), await rehearsal.open('polling')];
  const packet = `4${'a'.repeat(19)}`;
  expectSame('setting a limit', setRequestBytesMax(small.connection.transport, packet.length - 1), true);
  expectSame(
    'the status of a request over its limit',
    await statusOver(rehearsal.send(small, packet)),
    '413',
  );
  expectSame(
    'the status of a request within its limit',
    await statusOver(rehearsal.send(large, packet)),
    '200',
  );
}

async function tryEnding(rehearsal: Rehearsal): Promise<void> {
  const session = await rehearsal.open('polling');
  const { transport } = session.connection;
  try {
    session.connection.close();
    expectSame('the state of a transport that waits for a poll', transport.readyState, 'closing');
    endPolling(transport);
    expectSame('the state of a transport that was ended', transport.readyState, 'closed');
  } finally {
    // Its timer would keep the process alive for half a minute.
    if (transport.readyState !== 'closed') await rehearsal.poll(session);
  }
}

async function tryWebSockets(rehearsal: Rehearsal): Promise<void> {
  const { connection, wire } = await rehearsal.open('websocket');
  const webSocket = webSocketOf(connection.transport);
  if (!webSocket) throw new Error('the transport has no websocket');
  expectSame('the connection of a websocket', tcpSocketOf(connection.transport) === wire, true);
  const packets: unknown[] = [];
  connection.on('packet', ({ data }: { readonly data: unknown }) => packets.push(data));
  webSocket.pause();
  expectSame('a paused connection', wire.isPaused(), true);
  wire.arrive(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x61]));
  webSocket.resume();
  await untilTurn('reading a packet', () => packets.length > 0);
  expectSame('the packet', packets, ['a']);
  webSocket.terminate();
  await untilTurn('the end of a websocket', () => wire.destroyed);
}

async function tryPassing(rehearsal: Rehearsal): Promise<void> {
  const { engine } = rehearsal;
  const seen: string[] = [];
  const request = engine.handleRequest.bind(engine);
  const upgrade = engine.handleUpgrade.bind(engine);
  engine.handleRequest = (...args) => {
    seen.push('request');
    request(...args);
  };
  engine.handleUpgrade = (...args) => {
    seen.push('upgrade');
    upgrade(...args);
  };
  await rehearsal.open('polling');
  await rehearsal.open('websocket');
  Object.assign(engine, { handleRequest: request, handleUpgrade: upgrade });
  expectSame('what requests come through', seen, ['request', 'upgrade']);
}

async function tryListeners(rehearsal: Rehearsal): Promise<void> {
  const listeners = new Listeners();
  let isCounting: readonly boolean[] = [];
  rehearsal.engine.prependOnceListener('connection', (connection: Connection) => {
    isCounting = connection.rawListeners('close').map((one) => listeners.is(one, 'countsOut'));
  });
  const { wire } = await rehearsal.open('websocket');
  expectSame('counting out a connection', isCounting, [true]);
  const isTelling = wire.rawListeners('close').some((one) => listeners.is(one, 'tellsMiddleware'));
  expectSame('telling middlewares of the end', isTelling, true);
}
