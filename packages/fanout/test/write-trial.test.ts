import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { soonMs, within } from '../../../test/waits.ts';
import type { WriteRequest } from '../src/outbox/direct-writes.ts';
import { proveDirectWrites, type Pair } from '../src/outbox/write-trial.ts';

/** Replacements for members of a handle. Each gets the real `writeBuffer`, and its arguments. */
type WriteBuffer = (real: (...args: unknown[]) => unknown, ...args: unknown[]) => unknown;

interface Changes {
  readonly writeBuffer?: WriteBuffer;
  /** Values by name, for members that are not functions. */
  readonly values?: Readonly<Record<string, unknown>>;
}

const handleOf = (socket: Socket): object => (socket as unknown as { readonly _handle: object })._handle;

/** A loopback connection with handles as another Node could have them. */
async function openChanged({ writeBuffer, values = {} }: Changes): Promise<Pair> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, '127.0.0.1');
  await within(soonMs, 'the server of the test listens', once(server, 'listening'));
  const { port } = server.address() as AddressInfo;
  const accepted = within(
    soonMs,
    'the server of the test accepts its client',
    once(server, 'connection'),
  ) as Promise<[Socket]>;
  const reader = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const [writer] = await accepted;
  server.close();
  onTestFinished(() => [reader, writer].forEach((socket) => socket.destroy()));
  const real = (handleOf(writer) as Record<'writeBuffer', (...args: unknown[]) => unknown>).writeBuffer;
  const changed = function (this: object, ...args: unknown[]): unknown {
    return writeBuffer?.((...realArgs) => real.apply(this, realArgs), ...args);
  };
  for (const socket of [reader, writer]) {
    const between: object = Object.create(Object.getPrototypeOf(handleOf(socket)) as object) as object;
    const names = Object.entries({ ...(writeBuffer ? { writeBuffer: changed } : {}), ...values });
    for (const [name, value] of names) Object.defineProperty(between, name, { value });
    Object.setPrototypeOf(handleOf(socket), between);
  }
  return { reader, writer };
}

/** Calls the real function, and passes the completion of queued writes through `report`. */
function reporting(report: (tell: (status: unknown) => void, status: unknown) => void): WriteBuffer {
  return (real, ...args) => {
    const result = real(...args);
    const request = typeof result === 'object' ? result : args[0];
    let listener: (status: unknown) => void = (request as WriteRequest | null)?.oncomplete as never;
    if (request)
      Object.defineProperty(request, 'oncomplete', {
        configurable: true,
        get: () => (status: unknown) => report((value) => listener(value), status),
        set: (value: typeof listener) => {
          listener = value;
        },
      });
    return result;
  };
}

/** Calls the real function, and changes the numbers that it returns. */
function returning(change: (status: number) => unknown): WriteBuffer {
  return (real, ...args) => {
    const result = real(...args);
    return typeof result === 'number' ? change(result) : result;
  };
}

/** Queues like the real function, but returns the result of a complete write. */
const hidingRequests: WriteBuffer = (real, ...args) => {
  const result = real(...args);
  if (args[0]) Object.defineProperty(args[0], 'getAsyncId', { configurable: true, value: () => -1 });
  return typeof result === 'object' ? 0 : result;
};

const partOf = (bytes: unknown): Buffer => (bytes as Buffer).subarray(1);

function throwFailure(status: number): number {
  if (status < 0) throw new Error('write EPIPE');
  return status;
}

describe('the trial of direct writes', () => {
  test('the trial passes on this Node', async () => {
    await expect(proveDirectWrites()).resolves.toMatchObject({
      writeBuffer: expect.any(Function) as unknown,
    });
  });

  test('the trial passes in the workers of a cluster, whose servers share their ports', async () => {
    const trial = fileURLToPath(new URL('../dist/outbox/write-trial.js', import.meta.url));
    const script = `
      import cluster from 'node:cluster';
      import { proveDirectWrites } from ${JSON.stringify(trial)};
      if (cluster.isPrimary) {
        const workers = Array.from({ length: 4 }, () => cluster.fork());
        let ready = 0;
        for (const worker of workers) {
          worker.on('message', (text) => {
            if (text !== 'ready') console.log(text);
            else if (++ready === workers.length) for (const each of workers) each.send('go');
          });
        }
      } else {
        process.once('message', async () => {
          const trials = Array.from({ length: 5 }, () => proveDirectWrites({ timeoutMs: 20_000 }));
          const [failure] = (await Promise.allSettled(trials)).filter(({ status }) => status === 'rejected');
          process.send(failure?.reason.message ?? 'it passes', () => process.disconnect());
        });
        process.send('ready');
      }`;
    const directory = mkdtempSync(join(tmpdir(), 'fanout-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, 'cluster.mjs'), script);
    const { stdout } = await promisify(execFile)(process.execPath, [join(directory, 'cluster.mjs')]);
    expect(stdout).toBe('it passes\n'.repeat(4));
  });

  test('the trial passes with a wrapper function that changes nothing', async () => {
    const same: WriteBuffer = (real, ...args) => real(...args);
    await expect(
      proveDirectWrites({ open: async () => openChanged({ writeBuffer: same }) }),
    ).resolves.toBeDefined();
  });

  /** A socket whose stream passes certain arguments to `writeBuffer` and gets a certain result. */
  async function expectRefused(
    args: (bytes: unknown) => unknown[],
    result: unknown,
    reason: string,
  ): Promise<void> {
    const open = async (): Promise<Pair> => {
      const pair = await openChanged({ writeBuffer: () => result });
      const handle = handleOf(pair.writer) as { writeBuffer(...given: unknown[]): unknown };
      pair.writer.write = (bytes: unknown) => handle.writeBuffer(...args(bytes)) === 0;
      return pair;
    };
    await expect(proveDirectWrites({ open })).rejects.toThrow(reason);
  }

  test.each([
    ['a third one', (bytes: unknown) => [null, bytes, 'utf8'], 'is called with other arguments'],
    ['no request', (bytes: unknown) => [bytes], 'is called with other arguments'],
    ['text', (bytes: unknown) => [null, String(bytes)], 'is called with other arguments'],
    ['an undefined request', (bytes: unknown) => [undefined, bytes], 'takes another kind of request'],
    ['another kind of request', (bytes: unknown) => [{}, bytes], 'takes another kind of request'],
  ])(
    'the trial fails if the stream calls writeBuffer with other arguments: %s',
    async (_name, args, reason) => {
      await expectRefused(args, 0, `writeBuffer ${reason}`);
    },
  );

  test.each([undefined, null, true, 1, -1, Number.NaN, '0', Promise.resolve(0)])(
    'the trial fails if writeBuffer returns another value for a complete write: %s',
    async (value) => {
      await expectRefused((bytes) => [null, bytes], value, 'writeBuffer returns');
    },
  );

  const uncounted = 'the handle does not count bytes';
  const early = 'a write is reported as complete before it is';
  const unfailing = 'a write does not fail at once';
  const unfailingLater = 'a write does not fail later';
  const endless = 'the trial did not end within';

  test.each<[string, string, Changes]>([
    [
      'the handle has no writeBuffer',
      'has no handle with writeBuffer',
      { values: { writeBuffer: undefined } },
    ],
    ['bytesWritten has another name', uncounted, { values: { bytesWritten: undefined } }],
    ['bytesWritten is not a number', uncounted, { values: { bytesWritten: Number.NaN } }],
    ['bytesWritten does not grow', early, { values: { bytesWritten: 0 } }],
    ['writeQueueSize has another name', uncounted, { values: { writeQueueSize: undefined } }],
    [
      'writeQueueSize says nothing',
      'a write that was taken is not complete',
      { values: { writeQueueSize: 0 } },
    ],
    ['a queued write looks complete', early, { writeBuffer: hidingRequests }],
    ['only a part is written', early, { writeBuffer: (real, ...args) => real(args[0], partOf(args[1])) }],
    ['a queued write is never completed', endless, { writeBuffer: reporting(() => {}) }],
    ['a failure has no status', unfailingLater, { writeBuffer: reporting((tell) => tell(undefined)) }],
    ['a failure looks complete', unfailingLater, { writeBuffer: reporting((tell) => tell(0)) }],
    [
      'a failure is told as an Error',
      unfailingLater,
      { writeBuffer: reporting((tell, status) => tell(status && new Error('write'))) },
    ],
    [
      'a failure is told as a positive number',
      unfailingLater,
      { writeBuffer: reporting((tell, status) => tell(Math.abs(Number(status)))) },
    ],
    ['a failure at once looks complete', unfailing, { writeBuffer: returning(() => 0) }],
    ['a failure at once is a positive number', unfailing, { writeBuffer: returning(Math.abs) }],
    [
      'a failure at once is an Error',
      unfailing,
      { writeBuffer: returning((status) => status && new Error('write')) },
    ],
    ['a failure at once is thrown', 'write EPIPE', { writeBuffer: returning(throwFailure) }],
  ])('the trial fails when %s', async (_name, reason, changes) => {
    const timeoutMs = reason === endless ? 300 : 30_000;
    await expect(proveDirectWrites({ open: async () => openChanged(changes), timeoutMs })).rejects.toThrow(
      reason,
    );
  });

  test('the trial fails if there is no loopback connection', async () => {
    const open = async (): Promise<Pair> => Promise.reject(new Error('connect EACCES'));
    await expect(proveDirectWrites({ open })).rejects.toThrow('connect EACCES');
    const never = async (): Promise<Pair> => new Promise(() => {});
    await expect(proveDirectWrites({ open: never, timeoutMs: 10 })).rejects.toThrow(
      'did not end within 10 ms',
    );
  });
});
