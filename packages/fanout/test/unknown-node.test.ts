import { once as onceEmitted } from 'node:events';
import { connect, createServer, Socket, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { soonMs, within } from '../../../test/waits.ts';
import { fanoutAdapter } from '../src/index.ts';
// The limits have to hold on such a Node too, and everything has to come in the same order.
import './slow-readers.test.ts';
import './stock.test.ts';
import { collect, countWrites, join, onlySocket, serve, turn, until, warnings } from './harness.ts';

type Method = (this: unknown, ...args: unknown[]) => unknown;

/*
 * Imitates a Node whose handles serve its own streams as before, but return other results to everyone else.
 * It changes the prototypes that Node uses.
 */
let isInStream = false;
let undo = (): void => {};

beforeAll(async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await within(soonMs, 'the server of the test listens', onceEmitted(server, 'listening'));
  const probe = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await within(soonMs, 'the client of the test connects', onceEmitted(probe, 'connect'));
  let owner = (probe as unknown as { readonly _handle: object })._handle;
  while (!Object.hasOwn(owner, 'writeBuffer')) owner = Object.getPrototypeOf(owner) as object;
  const handles = owner as { writeBuffer: Method };
  const streams = Socket.prototype as unknown as { _writeGeneric: Method };
  const { writeBuffer } = handles;
  const { _writeGeneric: write } = streams;
  handles.writeBuffer = function (...args) {
    const result = writeBuffer.apply(this, args);
    return isInStream || (this as object).constructor.name !== 'TCP' ? result : undefined;
  };
  streams._writeGeneric = function (...args) {
    isInStream = true;
    try {
      return write.apply(this, args);
    } finally {
      isInStream = false;
    }
  };
  undo = () => {
    handles.writeBuffer = writeBuffer;
    streams._writeGeneric = write;
  };
  probe.destroy();
  server.close();
});

afterAll(() => undo());

test('on a Node with unknown handles, one warning says so, and broadcasts go through the streams', async () => {
  const warned = warnings();
  const { io, url } = await serve({ adapter: fanoutAdapter() });
  await until(() => warned.length > 0);
  const client = await join(url);
  const socket = onlySocket(io);
  const events = collect(client);
  io.emit('first');
  await turn();
  const writes = countWrites(socket);
  for (let i = 0; i < 64; i++) io.emit('news', i);
  await turn();
  expect(writes()).toBe(1);
  socket.emit('end');
  expect(await events).toEqual([['first'], ...Array.from({ length: 64 }, (_, i) => ['news', i])]);
  expect(warned).toEqual([
    { code: 'FANOUT_UNKNOWN_NODE', message: expect.stringContaining(process.version) as string },
  ]);
});
