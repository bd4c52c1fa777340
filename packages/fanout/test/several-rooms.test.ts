import fc from 'fast-check';
import type { Socket } from 'socket.io';
import { describe, expect, test } from 'vitest';
import { nextEvent, until } from '../../../test/waits.ts';
import { fanoutAdapter } from '../src/index.ts';
import { join, serve, tcpOf, turn } from './harness.ts';

const clientCount = 4;
const rooms = ['a', 'b', 'c'] as const;

const someRooms = fc.uniqueArray(fc.constantFrom(...rooms, 'nobody’s'), { minLength: 1 });
const operation = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('broadcast' as const),
      to: fc.uniqueArray(fc.constantFrom(...rooms, 'nobody’s'), { minLength: 2 }),
      except: fc.oneof(
        { weight: 4, arbitrary: fc.constant<string[]>([]) },
        { weight: 1, arbitrary: someRooms },
      ),
    }),
  },
  fc.record({
    kind: fc.constantFrom('join' as const, 'leave' as const),
    client: fc.nat(clientCount - 1),
    to: someRooms,
  }),
  fc.record({ kind: fc.constant('disconnect' as const), client: fc.nat(clientCount - 1) }),
  fc.record({ kind: fc.constant('connect' as const) }),
);

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** Which socket was sent which broadcast, in the order of the adapter. */
async function run(options: object, operations: readonly Operation[]): Promise<unknown[]> {
  const { io, url } = await serve(options);
  const sockets: Socket[] = [];
  const log: unknown[] = [];
  const connect = async (): Promise<void> => {
    const connected = nextEvent<Socket>(io, 'connection', 'the server sees the client');
    await join(url);
    const socket = await connected;
    const name = sockets.push(socket);
    socket.onAnyOutgoing((_event, index) => log.push([index, name]));
  };
  for (let i = 0; i < clientCount; i++) await connect();
  for (const [index, each] of operations.entries()) {
    if (each.kind === 'broadcast') io.to(each.to).except(each.except).emit('news', index);
    else if (each.kind === 'connect') await connect();
    else operate(sockets[each.client], each);
  }
  return log;
}

function operate(
  socket: Socket | undefined,
  each: Exclude<Operation, { kind: 'broadcast' | 'connect' }>,
): void {
  if (!socket?.connected) return;
  if (each.kind === 'join') void socket.join(each.to);
  else if (each.kind === 'leave') for (const room of each.to) void socket.leave(room);
  else socket.disconnect(true);
}

describe('a broadcast to several rooms', () => {
  test('a broadcast to several rooms reaches the same sockets as with the stock adapter, in the same order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 60 }), async (operations) => {
        expect(await run({ adapter: fanoutAdapter() }, operations)).toEqual(await run({}, operations));
      }),
      { numRuns: 30 },
    );
  });

  test('a broadcast to several rooms reaches each socket once if a listener broadcasts to several rooms too', async () => {
    const { io, url } = await serve({ adapter: fanoutAdapter() });
    await Promise.all([join(url), join(url), join(url)]);
    io.socketsJoin(['a', 'b']);
    const told: unknown[] = [];
    for (const socket of io.sockets.sockets.values()) {
      socket.onAnyOutgoing((event: string) => {
        told.push(event);
        if (event === 'outer') io.to(['b', 'a']).emit('inner');
      });
    }
    io.to(['a', 'b']).emit('outer');
    expect(told.filter((event) => event === 'outer')).toHaveLength(3);
    expect(told.filter((event) => event === 'inner')).toHaveLength(9);
  });

  test('onOverflow is called once for each socket, with all rooms of the broadcast', async () => {
    const asked: [Socket, number][] = [];
    let broadcast = 0;
    const { io, url } = await serve({
      adapter: fanoutAdapter({
        outboxBytesMax: 300_000,
        onOverflow: (socket, to) => {
          expect([...to]).toEqual(['topic', 'nobody’s', 'pattern']);
          asked.push([socket, broadcast]);
          return 'drop';
        },
      }),
    });
    const clients = [await join(url), await join(url)];
    const sockets = [...io.sockets.sockets.values()];
    await sockets[0]?.join(['topic', 'pattern']);
    await sockets[1]?.join('pattern');
    for (const client of clients) tcpOf(client).pause();
    await until('both connections have no room', () => new Set(asked.map(([socket]) => socket)).size >= 2, {
      step: async () => {
        broadcast++;
        io.to(['topic', 'nobody’s', 'pattern']).emit('news', 'x'.repeat(200_000));
        await turn();
      },
      soFar: () => `${broadcast} broadcasts`,
    });
    expect(asked.filter(([, index]) => index === broadcast).map(([socket]) => socket)).toEqual(sockets);
    expect(new Set(asked.map(([socket, index]) => `${socket.id} ${index}`)).size).toBe(asked.length);
  });
});
