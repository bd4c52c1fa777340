import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sleep } from '../../../../test/waits.ts';
import { fanfare, temporaryDirectory, type Program } from '../../../cli/test/harness.ts';
import { Damager } from './damage-file.ts';
import { declareTopics, HttpRefusal, publishHttp, readHistory } from './http.ts';
import { seeded } from './random.ts';
import { ServerProcess, startServerProcess, terminate } from './server-process.ts';

const count = Number(process.env['FANFARE_DAMAGED_FILES'] ?? 1) * 18;
const damagedCode = 4;
const topics = ['news', 'orders/1', 'orders/2'];

/** Makes a data directory with messages of all sizes, and removes some of them. */
async function fill(): Promise<{ readonly data: string; readonly contents: ReadonlySet<string> }> {
  const data = temporaryDirectory();
  const flags = ['--rules', JSON.stringify([{ match: 'orders/*', keep: { count: 40 } }])];
  const { server, url } = await startServerProcess({ data, port: 0, flags });
  await declareTopics(url, topics);
  const contents = new Set<string>();
  for (let batch = 0; batch < 30; batch++) {
    const requests = topics.map((topic, at) => {
      const message = `${batch}/${at} ${'x'.repeat(((batch * 7 + at) % 11) ** 4)}`;
      contents.add(JSON.stringify(message));
      return { topic, message, id: `${batch}/${at}` };
    });
    for (const request of requests) await publishHttp(url, request);
    await publishHttp(
      url,
      requests.map(({ topic, message }) => ({ topic, message })),
    );
  }
  await terminate(server);
  return { data, contents };
}

/** The end of a program, if it ended by itself. */
async function ending({ process, exitCode }: Program): Promise<number | NodeJS.Signals> {
  const code = await exitCode;
  return process.signalCode ?? code;
}

describe('a damaged data file', () => {
  it(
    'a damaged data file never crashes the server: it serves the stored messages or exits with its own code and one sentence',
    async () => {
      const { data, contents } = await fill();
      const directory = temporaryDirectory();
      const damager = new Damager(readFileSync(join(data, 'log.mdb')), seeded('damaged file'));
      const seen = { refused: 0, served: 0 };
      for (let number = 0; number < count; number++) {
        const { kind, data: bytes } = damager.damage();
        const copy = join(directory, String(number));
        mkdirSync(copy);
        // The note says whether the last stop was clean, but it describes the file before the damage.
        if (number % 2 === 0) copyFileSync(join(data, 'log.mdb-owner'), join(copy, 'log.mdb-owner'));
        writeFileSync(join(copy, 'log.mdb'), bytes);
        const server = new ServerProcess({ data: copy, port: 0 });
        const url = await server.url().catch(() => undefined);
        if (url === undefined) {
          expect({ kind, ended: await ending(server.program) }).toEqual({ kind, ended: damagedCode });
          expect(server.program.stderr).toMatch(/^[^\n]+\. Run `npx fanfare store verify [^\n]+`[^\n]+\.\n$/);
          expect(server.program.stderr).toContain(copy);
          seen.refused++;
          continue;
        }
        await readHistory(url, '**', 1_000, ({ content }) => expect(contents).toContain(content)).catch(
          (error: unknown) => {
            if (!(error instanceof HttpRefusal)) throw error;
            expect(error.code).toBe('log_damaged');
          },
        );
        await publishHttp(url, { topic: 'news', message: 'more' });
        server.program.process.kill('SIGTERM');
        expect({ kind, ended: await ending(server.program) }).toEqual({ kind, ended: 0 });
        seen.served++;
      }
      expect(seen.refused).toBeGreaterThan(count / 5);
      expect(seen.served).toBeGreaterThan(0);
    },
    60_000 + count * 6_000,
  );

  it(
    'a damaged data file never crashes a store tool, and the tool reports the damage',
    async () => {
      const { data } = await fill();
      const directory = temporaryDirectory();
      const damager = new Damager(readFileSync(join(data, 'log.mdb')), seeded('damaged file, tools'));
      for (let number = 0; number < count / 2; number++) {
        const { kind, data: bytes } = damager.damage();
        const copy = join(directory, String(number));
        mkdirSync(copy);
        writeFileSync(join(copy, 'log.mdb'), bytes);
        const tool = fanfare('store', number % 2 === 0 ? 'verify' : 'export', copy);
        const ended = await ending(tool);
        expect({ kind, ended, isExpected: ended === 0 || ended === 1 }).toMatchObject({
          kind,
          isExpected: true,
        });
        if (ended === 1) expect(tool.stderr).toMatch(/damage/i);
      }
    },
    60_000 + count * 4_000,
  );
});

describe('a server that is killed during its start', () => {
  it('a server that is killed at any moment of its start starts again, and finds no damage', async () => {
    const data = join(temporaryDirectory(), 'data');
    const random = seeded('killed while it starts');
    for (let kill = 0; kill < 12; kill++) {
      const early = new ServerProcess({ data, port: 0 });
      // Time itself is the test: the server is killed at any moment of its start.
      await sleep(random.below(900));
      await early.kill();
    }
    const { server } = await startServerProcess({ data, port: 0 });
    await terminate(server);
    expect(server.program.stderr).not.toMatch(/damage/i);
  });
});
