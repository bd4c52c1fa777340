import fc from 'fast-check';
import type { Server, Socket } from 'socket.io';
import type { Socket as ClientSocket } from 'socket.io-client';
import { describe, expect, test } from 'vitest';
import { soonMs, within } from '../../../test/waits.ts';
import { fanoutAdapter } from '../src/index.ts';
import { collect, join, once, onlySocket, serve, turn, until, type Way } from './harness.ts';

// Everything that an app can do with rooms is done to two servers, one with the stock adapter and one with
// this adapter. The order and the turns are the same, and every client has to see the same.

const clients: readonly Way[] = ['websocket', 'polling', 'websocket', 'upgrade'];
const rooms = ['a', 'b', 'c'] as const;
const namespaces = ['/', '/other'] as const;

const someClient = fc.nat(clients.length - 1);
const someRooms = fc.uniqueArray(fc.constantFrom(...rooms), { maxLength: 3 });
const someNamespace = fc.constantFrom(...namespaces);

const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('broadcast' as const),
      namespace: someNamespace,
      from: fc.option(someClient),
      to: someRooms,
      except: fc.oneof(
        { weight: 3, arbitrary: fc.constant<string[]>([]) },
        { weight: 1, arbitrary: someRooms },
      ),
      flag: fc.constantFrom('none', 'none', 'none', 'local', 'compress', 'volatile'),
      attachment: fc.constantFrom(false, false, false, true),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('join' as const),
      namespace: someNamespace,
      client: someClient,
      to: someRooms,
    }),
  },
  fc.record({
    kind: fc.constant('leave' as const),
    namespace: someNamespace,
    client: someClient,
    to: someRooms,
  }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('direct' as const),
      namespace: someNamespace,
      client: someClient,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('acknowledge' as const),
      namespace: someNamespace,
      client: someClient,
    }),
  },
  fc.record({ kind: fc.constant('ask' as const), namespace: someNamespace, to: someRooms }),
  fc.record({ kind: fc.constant('fetch' as const), namespace: someNamespace, to: someRooms }),
  fc.record({
    kind: fc.constant('move' as const),
    namespace: someNamespace,
    to: someRooms,
    into: someRooms,
    isLeave: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('disconnect' as const),
    namespace: someNamespace,
    client: someClient,
    close: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('turn' as const), immediates: fc.integer({ min: 1, max: 3 }) }),
);

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

describe('compared with the stock adapter', () => {
  test('an app and its clients see the same for generated operations, over websocket, polling and an upgrade', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 40 }), async (operations) => {
        const [stock, fanout] = await Promise.all([
          run({}, operations),
          run({ adapter: fanoutAdapter() }, operations),
        ]);
        expect(fanout).toEqual(stock);
      }),
      { numRuns: 40 },
    );
  });
});

/**
 * What is sent to one client, and when. A volatile event is dropped if something before it was not taken yet.
 */
const sending = fc.oneof(
  { weight: 3, arbitrary: fc.constant('broadcast' as const) },
  { weight: 3, arbitrary: fc.constant('volatile' as const) },
  { weight: 2, arbitrary: fc.constantFrom('broadcast to its room', 'volatile to its room') },
  { weight: 1, arbitrary: fc.constantFrom('direct', 'attachment', 'other namespace') },
  { weight: 2, arbitrary: fc.constantFrom('microtask', 'tick', 'turn') },
);

describe('a volatile broadcast', () => {
  test.each(['websocket', 'polling'] as const)(
    'a volatile broadcast over %s is delivered or dropped as with the stock adapter',
    async (way) => {
      // Chance decides whether the next poll comes before the next turn.
      const isComparable = (one: Sending): boolean => way === 'websocket' || one !== 'turn';
      const servers = [await serveOne({}, way), await serveOne({ adapter: fanoutAdapter() }, way)] as const;
      await fc.assert(
        fc.asyncProperty(fc.array(sending, { minLength: 1, maxLength: 12 }), async (generated) => {
          const sendings = generated.filter(isComparable);
          const [stock, fanout] = [await servers[0](sendings), await servers[1](sendings)];
          expect(fanout).toEqual(stock);
        }),
        {
          numRuns: way === 'websocket' ? 400 : 100,
          examples: [
            [['broadcast', 'volatile']],
            [['volatile', 'broadcast', 'tick', 'volatile']],
            [['broadcast', 'tick', 'volatile']],
            [['broadcast', 'broadcast', 'tick', 'volatile', 'turn', 'volatile']],
            [['direct', 'volatile', 'tick', 'other namespace', 'volatile']],
          ],
        },
      );
    },
  );
});

test('a volatile event for one socket that follows a broadcast of the same tick is delivered, unlike with the stock adapter', async () => {
  const outcomes = [];
  for (const options of [{}, { adapter: fanoutAdapter() }]) {
    const { io, url } = await serve(options);
    const client = await join(url);
    const events = collect(client);
    await turn();
    io.emit('event', 1);
    onlySocket(io).volatile.emit('event', 2);
    onlySocket(io).emit('end');
    outcomes.push((await events).length);
  }
  // The README documents this.
  expect(outcomes).toEqual([1, 2]);
});

type Sending = typeof sending extends fc.Arbitrary<infer T> ? T : never;

/**
 * Starts a server with one client. The function returned sends to it, and returns the numbers that have come.
 */
async function serveOne(
  options: object,
  way: Way,
): Promise<(sendings: readonly Sending[]) => Promise<unknown[]>> {
  const { io, url } = await serve(options);
  io.of('/other');
  const client = await join(url, way);
  const other = client.io.socket('/other', {});
  await once(other, 'connect');
  const socket = onlySocket(io);
  await socket.join('room');
  const got: unknown[] = [];
  for (const one of [client, other]) one.onAny((_event: string, index: number) => void got.push(index));
  const settle = async (): Promise<void> => {
    const settled = once(client, 'end');
    socket.emit('end');
    await settled;
    // Wait for a poll, so that both servers are in the same state for the next send.
    await until(() => (socket.conn as unknown as { transport: { writable: boolean } }).transport.writable);
    await turn();
  };
  await settle();
  return async (sendings) => {
    got.length = 0;
    for (const [index, each] of sendings.entries()) {
      if (each === 'broadcast') io.emit('event', index);
      else if (each === 'volatile') io.volatile.emit('event', index);
      else if (each === 'broadcast to its room') io.to('room').emit('event', index);
      else if (each === 'volatile to its room') io.to('room').volatile.emit('event', index);
      else if (each === 'direct') socket.emit('event', index);
      else if (each === 'attachment') io.emit('event', index, Buffer.from('é'));
      else if (each === 'other namespace') io.of('/other').emit('event', index);
      else if (each === 'microtask') await Promise.resolve();
      else if (each === 'tick') await new Promise((resolve) => process.nextTick(resolve));
      else await turn();
    }
    await settle();
    return got.filter((index) => index !== undefined);
  };
}

interface Sides {
  readonly sockets: Map<string, Socket>;
  readonly acks: Map<string, ((answer: unknown) => void)[]>;
  readonly log: unknown[];
}

/**
 * Runs the operations on a server.
 *
 * @returns what each client got and which values the server's calls returned
 */
async function run(options: object, operations: readonly Operation[]): Promise<unknown> {
  const { io, url } = await serve(options);
  const server: Sides = { sockets: new Map(), acks: new Map(), log: [] };
  const logs: unknown[][] = clients.map(() => []);
  const ready = namespaces.map(async (namespace) => {
    const allSaidHello = new Promise<void>((resolve) => {
      let missing = clients.length;
      io.of(namespace).on('connection', (socket) => {
        socket.on('hello', (client: number, ...acks: unknown[]) => {
          const key = `${namespace} ${client}`;
          server.sockets.set(key, socket);
          (server.acks.get(key) ?? server.acks.set(key, []).get(key))?.push(acks.at(-1) as () => void);
          if (server.acks.get(key)?.length === acksEach && --missing === 0) resolve();
        });
        socket.onAnyOutgoing((event: string, ...args: unknown[]) => {
          if (event !== 'end') server.log.push(['outgoing', keyOf(server, socket), event, args[0]]);
        });
      });
    });
    await within(soonMs, `every client has said hello in ${namespace}`, allSaidHello);
  });
  const ended = await Promise.all(
    clients.map(async (way, client) => listen(url, way, client, logs[client] ?? [])),
  );
  await Promise.all(ready);
  const answers: Promise<void>[] = [];
  for (const [index, each] of operations.entries()) {
    // Socket.IO ends a connection that sends an acknowledgement after its namespace was left. Whether it
    // comes before or after that is chance.
    if (each.kind === 'disconnect') await Promise.all(answers);
    if (each.kind === 'turn') for (let i = 0; i < each.immediates; i++) await new Promise(setImmediate);
    else operate(io, server, each, index, answers);
  }
  await Promise.all(answers);
  for (const socket of server.sockets.values()) socket.emit('end');
  await Promise.all(ended.map(({ end }) => end));
  return { logs, server: server.log };
}

const acksEach = 5;

function keyOf({ sockets }: Sides, socket: Socket): string | undefined {
  for (const [key, value] of sockets) if (value === socket) return key;
  return undefined;
}

/**
 * Connects a client to both namespaces over one connection. `end` resolves once each has got `end` or is
 * disconnected.
 */
async function listen(
  url: string,
  way: Way,
  client: number,
  log: unknown[],
): Promise<{ readonly end: Promise<unknown> }> {
  const main = await join(url, way);
  const other: ClientSocket = main.io.socket('/other', {});
  const ends: Promise<unknown>[] = [];
  if (!other.connected) await once(other, 'connect');
  for (const [namespace, socket] of [
    ['/', main],
    ['/other', other],
  ] as const) {
    socket.onAny((event: string, ...args: unknown[]) => {
      const ack = args.at(-1);
      if (typeof ack === 'function') (ack as (answer: string) => void)(`${client} ${String(args[0])}`);
      // Whether a volatile packet can be sent at once depends on the moment.
      if (event !== 'end' && event !== 'volatile')
        log.push([namespace, event, ...args.filter((arg) => typeof arg !== 'function')]);
    });
    // At once, because the same read may have brought packets for the other namespace.
    socket.once('disconnect', (reason: string) => log.push([namespace, reason]));
    ends.push(Promise.race([once(socket, 'end'), once(socket, 'disconnect')]));
    for (let i = 0; i < acksEach; i++) {
      socket.emit('hello', client, (answer: unknown) => log.push([namespace, 'acknowledged', answer]));
    }
  }
  return { end: Promise.all(ends) };
}

function operate(
  io: Server,
  server: Sides,
  each: Exclude<Operation, { kind: 'turn' }>,
  index: number,
  answers: Promise<void>[],
): void {
  const namespace = io.of(each.namespace);
  const socketOf = (client: number): Socket | undefined => {
    const socket = server.sockets.get(`${each.namespace} ${client}`);
    return socket?.connected ? socket : undefined;
  };
  switch (each.kind) {
    case 'broadcast': {
      const from = each.from === null ? undefined : socketOf(each.from);
      let operator = (from ?? namespace).to(each.to).except(each.except);
      if (each.flag === 'local') operator = operator.local;
      if (each.flag === 'compress') operator = operator.compress(true);
      if (each.flag === 'volatile') operator = operator.volatile;
      operator.emit(
        each.flag === 'volatile' ? 'volatile' : 'event',
        index,
        ...(each.attachment ? [Buffer.from('é')] : [{ text: 'é' }]),
      );
      return;
    }
    case 'join':
      return void socketOf(each.client)?.join(each.to);
    case 'leave':
      for (const room of each.to) void socketOf(each.client)?.leave(room);
      return;
    case 'direct':
      return void socketOf(each.client)?.emit('direct', index);
    case 'acknowledge':
      if (socketOf(each.client)) server.acks.get(`${each.namespace} ${each.client}`)?.pop()?.(index);
      return;
    case 'ask':
      answers.push(
        namespace
          .to(each.to)
          .timeout(soonMs)
          .emitWithAck('ask', index)
          .then(
            (got: unknown[]) => void server.log.push(got.map(String).toSorted((a, b) => a.localeCompare(b))),
            () => void server.log.push('no answer'),
          ),
      );
      return;
    case 'fetch':
      answers.push(
        namespace
          .in(each.to)
          .fetchSockets()
          .then((found) => void server.log.push(found.length)),
      );
      return;
    case 'move':
      if (each.isLeave) namespace.in(each.to).socketsLeave(each.into);
      else namespace.in(each.to).socketsJoin(each.into);
      return;
    case 'disconnect':
      return void socketOf(each.client)?.disconnect(each.close);
  }
}
