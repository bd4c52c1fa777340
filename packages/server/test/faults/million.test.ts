import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../../cli/test/harness.ts';
import { declareTopics, publishHttp } from './http.ts';
import { ServerProcess, startServerProcess } from './server-process.ts';

/**
 * Set FANFARE_MILLION=1 to run this by hand: it takes a minute, and its result is valid only on a quiet
 * machine.
 */
const isWanted = process.env['FANFARE_MILLION'] !== undefined;
const messages = 1_000_000;
const topics = Array.from({ length: 20 }, (_, number) => `topic ${number}`);
const batch = 2_500;

describe.skipIf(!isWanted)('a server with a million messages', () => {
  it.each(['without ids', 'all of them with ids'])(
    'a server with a million messages starts again within two seconds: %s',
    async (which) => {
      const data = temporaryDirectory();
      const { server, url } = await startServerProcess({ data, port: 0 });
      await declareTopics(url, topics);
      const begun = performance.now();
      for (let number = 0; number < messages; number += batch) {
        const topic = topics[(number / batch) % topics.length] ?? 'topic 0';
        const requests = Array.from({ length: batch }, (_, at) => ({
          topic,
          ...(which !== 'without ids' && { id: `id ${number + at}` }),
          message: {
            number: number + at,
            text: 'a message of some hundred bytes, as they often are, give or take',
          },
        }));
        const outcomes = await publishHttp(url, requests);
        if (outcomes.some(({ kind }) => kind !== 'ok')) throw new Error('a publish was not acknowledged');
      }
      const published = performance.now();
      await server.kill();
      const killed = performance.now();
      const again = await new ServerProcess({ data, port: 0 }).url();
      const serving = performance.now();
      const [outcome] = await publishHttp(again, { topic: 'topic 0', message: 'and one more' });
      const acknowledged = performance.now();
      console.log(
        `published in ${Math.round(published - begun)} ms; serves ${Math.round(serving - killed)} ms after ` +
          `SIGKILL, with the next publish acknowledged after ${Math.round(acknowledged - killed)} ms`,
      );
      expect(outcome?.kind === 'ok' && outcome.offset.endsWith(`.${messages + 1}`)).toBe(true);
      expect(serving - killed).toBeLessThan(2_000);
    },
    300_000,
  );
});
