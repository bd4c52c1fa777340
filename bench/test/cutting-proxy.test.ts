import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { sleep, soonMs, startListening, until, within } from '../../test/waits.ts';
import { CuttingProxy } from '../src/continuity/cutting-proxy.ts';

/** Longer than an echo takes when nothing holds it. */
const quietMs = 200;

it('the proxy holds the bytes of all connections, and passes them on in order afterwards', async () => {
  const server = createServer((socket) => void socket.pipe(socket));
  const proxy = await CuttingProxy.to(await startListening(server));
  onTestFinished(() => {
    proxy.close();
    server.close();
  });
  const open = async (): Promise<{
    write: (text: string) => void;
    echoes: (text: string) => Promise<void>;
    got: () => string;
  }> => {
    const socket = connect(proxy.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    let text = '';
    socket.setEncoding('utf8').on('data', (more: string) => (text += more));
    await within(soonMs, 'the proxy accepts the connection', once(socket, 'connect'));
    return {
      write: (more) => void socket.write(more),
      echoes: (expected) => until(`'${expected}' comes back`, () => text === expected, { soFar: () => text }),
      got: () => text,
    };
  };
  const early = await open();
  early.write('1');
  await early.echoes('1');
  for (const round of ['2', '3']) {
    proxy.hold();
    const late = await open();
    early.write(round);
    late.write('a');
    late.write('b');
    // Time itself is the test: without the hold, the bytes would be back by then.
    await sleep(quietMs);
    expect([early.got(), late.got()]).toEqual([round === '2' ? '1' : '12', '']);
    proxy.mend();
    await early.echoes(round === '2' ? '12' : '123');
    await late.echoes('ab');
  }
});
